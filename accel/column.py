"""How the rows of a matrix lie in the words of its columns: gates one behind the other, nothing between them.

A tile has R rows of a matrix: those of its own neurons in each gate. Row r lies in word r // P, in lane r mod P, so a
column has ceil(R / P) words and a gate may begin in any lane. M and g(M) lie as the columns that are added to them.
Tiles with fewer neurons keep the places of the tile with the most, so that one command serves them all.
"""

from __future__ import annotations

from typing import NamedTuple

from deltatrain.accel.cell_arithmetic import CellArithmetic
from deltatrain.accel.tiles import own_elements

__all__ = ["GatePlace", "accumulator_words", "column_words", "gate_places"]


class GatePlace(NamedTuple):
    """Where the first row of a gate lies: in which word, and there in which lane."""

    word: int
    lane: int


def column_words(gates: int, width: int, lanes: int, tiles: int = 1) -> int:
    """Return the words of a whole column of `gates` times `width` rows, in the tile with the most rows."""
    return _words(gates * _most(width, lanes, tiles), lanes)


def gate_places(arithmetic: CellArithmetic, width: int, lanes: int) -> list[GatePlace]:
    """Return where each block of M begins, and that of g(M), counted from the layer's first word.

    Blocks lie as in a column of W_x. What only W_h adds to lies behind that, in the lanes that it has in a column of
    W_h, and begins with a new word.

    Parameters
    ----------
    arithmetic
        A member of ``accel/cells``.
    width
        Neurons of the layer in the tile with the most.
    lanes
        P.
    """
    places = {block: GatePlace(*divmod(number * width, lanes)) for number, block in enumerate(arithmetic.BLOCKS_X)}
    behind = _words(len(arithmetic.BLOCKS_X) * width, lanes) - _first_apart(arithmetic) * width // lanes
    for number, block in enumerate(arithmetic.BLOCKS_H):
        if block not in places:
            word, lane = divmod(number * width, lanes)
            places[block] = GatePlace(behind + word, lane)
    return [places[block] for block in range(arithmetic.ACCUMULATORS)]


def accumulator_words(arithmetic: CellArithmetic, width: int, lanes: int) -> int:
    """Return the words of a layer's M; parameters as of `gate_places`."""
    of_x = _words(len(arithmetic.BLOCKS_X) * width, lanes)
    first = _first_apart(arithmetic)
    if first == len(arithmetic.BLOCKS_H):
        return of_x
    return of_x + _words(len(arithmetic.BLOCKS_H) * width, lanes) - first * width // lanes


def _first_apart(arithmetic: CellArithmetic) -> int:
    """Return the number of the first block in a column of W_h that W_x does not add to."""
    apart = [number for number, block in enumerate(arithmetic.BLOCKS_H) if block not in arithmetic.BLOCKS_X]
    return min(apart, default=len(arithmetic.BLOCKS_H))


def _most(width: int, lanes: int, tiles: int) -> int:
    return int(own_elements(width, lanes, tiles)[0])


def _words(rows: int, lanes: int) -> int:
    return -(-rows // lanes)
