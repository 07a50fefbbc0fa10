"""Encoder unit: compares each vector with its held copy, and lists the elements that moved by the threshold."""
