"""The training computation: cells, training, data sets, traces and their lowering to programs."""
