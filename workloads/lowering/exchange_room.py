"""Room for what passes between tiles: nothing is sent before there is a place for it.

A tile has places for `LISTS_RECEIVED` received lists of each stream of each layer, which lists take in turn, in both
passes. So a list is sent when the last op that reads the list two before it is done. A tile also has places for the
sums of `SUMS_WAITING` products, for all streams together. So a product begins when the sums of the product two before
it have left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.program import MODE_NAMES, NO_OP, NO_TENSOR
from deltatrain.workloads.lowering.placement import LISTS_RECEIVED, SUMS_WAITING

Table = dict[str, NDArray[np.signedinteger]]
Rows = NDArray[np.int64]


def wait_for_room(table: Table) -> None:
    """Add to the dependencies of an op table, which has all others, what ops of several tiles wait for."""
    _wait_for_lists(table)
    _wait_for_sums(table)


def _wait_for_lists(table: Table) -> None:
    sent = _of_mode(table, "broadcast")
    depends, reader = table["depends"], np.full(len(table["mode"]), NO_OP, dtype=np.int64)
    readers = np.flatnonzero(table["tensor"] != NO_TENSOR)
    for place in range(depends.shape[1]):
        np.maximum.at(reader, depends[readers, place], readers)  # what depends on nothing counts for the last row
    order = sent[np.lexsort((sent, table["stream"][sent], table["layer"][sent]))]
    before, later = order[:-LISTS_RECEIVED], order[LISTS_RECEIVED:]
    same = (table["stream"][before] == table["stream"][later]) & (table["layer"][before] == table["layer"][later])
    _wait(table, later[same], reader[before[same]])


def _wait_for_sums(table: Table) -> None:
    added = _of_mode(table, "reduce")
    made = table["depends"][added, 0].astype(np.int64)
    _wait(table, made[SUMS_WAITING:], added[:-SUMS_WAITING])


def _of_mode(table: Table, mode: str) -> Rows:
    return np.flatnonzero(table["mode"] == MODE_NAMES.index(mode))


def _wait(table: Table, rows: Rows, for_rows: Rows) -> None:
    """Let `rows` depend on `for_rows` too, which must be above them."""
    assert (for_rows < rows).all(), "an op depends on earlier rows only"
    depends = table["depends"][rows]
    free = np.argmax(depends == NO_OP, axis=1)
    assert (depends[np.arange(len(rows)), free] == NO_OP).all(), "an op has room for this dependency"
    table["depends"][rows, free] = for_rows
