"""The sizes of a workload's network, given what its data set has."""

from __future__ import annotations

from deltatrain.workloads.network.parameters import Sizes
from deltatrain.workloads.workload import Workload


def network_sizes(workload: Workload, inputs: int, classes: int) -> Sizes:
    """Return the sizes of the network of a workload.

    Parameters
    ----------
    workload
        The network.
    inputs
        Width of the data set's vectors; of words their number, or the width of the network's embedding.
    classes
        How many there are; of words their number.
    """
    table, cell = workload.embedding, workload.recurrent_cell
    if table is None:
        return Sizes(cell, inputs, workload.hidden, classes)
    return Sizes(cell, table.width, workload.hidden, classes, classes, table.tied)
