"""Element-wise unit: cells forward and backward, and the loss, on P lanes."""
