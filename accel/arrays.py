"""Arrays that take different columns: which takes which, and in how many turns all of them are through.

Each of A arrays has P lanes. Column j is one of array j mod A: its words lie in that array's own banks of SRAM, and no
other array ever asks for them. A list dealt out by its order, one column to each array, would always be even. But then
columns of one array's banks would meet in a turn, and these give one word a cycle: the fullest would bound the op all
the same, behind a crossbar. Columns from off-chip memory have no bank, but keep the rule: a matrix may live anywhere.

Arrays keep in step. In a *turn* each takes the next of its own columns in the list, if there is one left, and all take
word k of their columns in one cycle. So an op lasts as many turns as the array with the most columns needs, and the
others wait (`accel.counters.ArrayCounters`). In the last turn of `matvec` a tree over the arrays adds up their sums,
word by word, so that adding them up takes no cycle.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.engine import Engine

Integers = NDArray[np.int64]


class Turns(NamedTuple):
    """In which turn each column of a list is taken, and by which array, in the order in which the fetch asks for them.

    Attributes
    ----------
    order
        The places in the list, turn after turn and in each turn array after array, shape (n,).
    turn
        The turn of each, in that order, shape (n,).
    """

    order: Integers
    turn: Integers


def dealt_out(columns: NDArray[np.int32], arrays: int) -> Turns:
    """Return the turns in which `arrays` arrays take a list of columns, shape (n,)."""
    array = columns % arrays
    by_array = np.argsort(array, kind="stable")
    counts = np.bincount(array)
    own = np.arange(len(columns)) - np.repeat(np.cumsum(counts) - counts, counts)  # its number among its array's
    order = np.lexsort((array[by_array], own))
    return Turns(by_array[order], own[order])


def most_of_an_array(listed: NDArray[np.bool_], arrays: int) -> Integers:
    """Return the turns of lists: the columns of the array with the most of them.

    Parameters
    ----------
    listed
        Which columns each list has, shape (..., C).
    arrays
        A.

    Returns
    -------
    The turns, shape (...).
    """
    width = listed.shape[-1]
    arrays = max(1, min(arrays, width))  # further ones have no column
    dealt = np.zeros((*listed.shape[:-1], -(-width // arrays) * arrays), dtype=np.bool_)
    dealt[..., :width] = listed
    of_arrays = dealt.reshape(*listed.shape[:-1], -1, arrays).sum(axis=-2, dtype=np.int64)
    most: Integers = of_arrays.max(axis=-1)
    return most


def turns_of(columns: NDArray[np.int32], arrays: int) -> int:
    """Return the turns of one list of columns, shape (n,)."""
    return int(np.bincount(columns % arrays).max(initial=0))


def of_first_columns(count: int, arrays: int) -> int:
    """Return the turns of a list of the columns 0 to `count` - 1."""
    return -(-count // arrays)


def sums_bytes(engine: Engine, words: int) -> int:
    """Return the bytes of the sums that arrays add up for columns of so many words; the first array adds to M."""
    return (engine.arrays - 1) * words * engine.lanes * engine.formats.memory.bytes
