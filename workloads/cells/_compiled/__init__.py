"""Cells and the streams of deltas compiled, one pass over the numbers of a step: the same bits as in NumPy, sooner.

What they compute is stated in NumPy, in `workloads.cells`. tanh is left to NumPy here too, so that no bit differs.
"""
