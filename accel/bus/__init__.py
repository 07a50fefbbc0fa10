"""What a host sees of a machine on a bus: its registers as data, and the texts that are made of them."""
