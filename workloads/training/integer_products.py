"""The engine's three products over lists of many samples, compiled: the integers of `matvec`, `matvec_t` and `outer`.

A list is that of vectors side by side: an entry of `columns` is the vector's row times its width and the column in it.
Sums are fitted after every addition, in the order of the list, as `accel.number.accumulate` states it. Each product
also tells how many sums had left the range by then.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltatrain.accel.compiling import compiled
from deltatrain.accel.number import Integers, NumberFormat


class Entries(NamedTuple):
    """What is listed of the rows of a matrix of values.

    Attributes
    ----------
    rows, columns
        Of each entry, by rows, within a row by columns; shape (n,).
    delta
        Its value, shape (n,).
    """

    rows: Integers
    columns: Integers
    delta: Integers


def add(memory: Integers, entries: Entries, W_T: Integers, number: NumberFormat) -> int:
    """Add to each row of `memory`, shape (n, R), its listed rows of `W_T`, shape (C, R), times their values."""
    return _add(memory, *entries, W_T, number.lowest, number.highest, number.overflow == "wrap")


def back(g: Integers, entries: Entries, W_T: Integers, lanes: int, number: NumberFormat) -> Integers:
    """Return the sum of each entry, not rounded, shape (n,); as `accel.modes.matvec_t.partial`, `g` of shape (n, R)."""
    total = np.zeros(len(entries.rows), np.int64)
    fitting = (number.lowest, number.highest, number.overflow == "wrap")
    _back(g, entries.rows, entries.columns, W_T, lanes, *fitting, total)
    return total


def outer(dW_T: Integers, g: Integers, entries: Entries, order: Integers, number: NumberFormat) -> int:
    """Add to `dW_T`, shape (C, R), the products of rows of `g`, shape (N, R), with their entries, rows in `order`."""
    begins = np.searchsorted(entries.rows, np.arange(len(g) + 1))
    fitting = (number.lowest, number.highest, number.overflow == "wrap")
    return _outer(dW_T, g, entries.columns, entries.delta, begins, order, *fitting)


def _add_scaled_row(total: Integers, row: Integers, value: int, lowest: int, highest: int, wraps: bool) -> int:
    """Add ``row * value`` to `total`, shape (R,), and fit it; return how many left the range."""
    left = 0
    if wraps:
        for o in range(len(total)):
            wide = total[o] + row[o] * value
            total[o] = ((wide - lowest) & (highest - lowest)) + lowest
            left += total[o] != wide
    else:
        for o in range(len(total)):
            wide = total[o] + row[o] * value
            total[o] = min(max(wide, lowest), highest)
            left += total[o] != wide
    return left


def _add_entries(
    memory: Integers,
    rows: Integers,
    columns: Integers,
    delta: Integers,
    W_T: Integers,
    lowest: int,
    highest: int,
    wraps: bool,
) -> int:
    left = 0
    for k in range(len(rows)):
        left += _add_scaled(memory[rows[k]], W_T[columns[k]], delta[k], lowest, highest, wraps)
    return left


def _back_entries(
    g: Integers,
    rows: Integers,
    columns: Integers,
    W_T: Integers,
    lanes: int,
    lowest: int,
    highest: int,
    wraps: bool,
    total: Integers,
) -> None:
    rows_of_column = g.shape[1]
    for k in range(len(rows)):
        above, column = g[rows[k]], W_T[columns[k]]
        for first in range(0, rows_of_column, lanes):
            word = total[k]
            for o in range(first, min(first + lanes, rows_of_column)):
                word += above[o] * column[o]
            if wraps:
                total[k] = ((word - lowest) & (highest - lowest)) + lowest
            else:
                total[k] = min(max(word, lowest), highest)


def _outer_entries(
    dW_T: Integers,
    g: Integers,
    columns: Integers,
    delta: Integers,
    begins: Integers,
    order: Integers,
    lowest: int,
    highest: int,
    wraps: bool,
) -> int:
    left = 0
    for row in order:
        for k in range(begins[row], begins[row + 1]):
            left += _add_scaled(dW_T[columns[k]], g[row], delta[k], lowest, highest, wraps)
    return left


_add_scaled = compiled(_add_scaled_row)
_add = compiled(_add_entries)
_back = compiled(_back_entries)
_outer = compiled(_outer_entries)
