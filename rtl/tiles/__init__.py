"""Several tiles: the same commands for all, and the exchange that joins them."""
