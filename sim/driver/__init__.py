"""What a host does with a machine on a bus: programs, weights, sequences and training, over any bus."""
