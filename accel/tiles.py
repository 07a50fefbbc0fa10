"""Several tiles: how many, the exchange between them, and which of them a neuron belongs to.

n tiles of P lanes share the rows as one tile of n * P lanes would lay them out: word w of P neurons belongs to tile
w mod n, and neuron j to tile (j // P) mod n. A tile keeps every column of the rows of its own neurons. One sequencer
commands all tiles: an op begins in all of them in the same cycle and ends when the last one has finished.
"""

from __future__ import annotations

import math
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from deltatrain.accel.description import Delay, Description, PositiveFloat, PositiveInt, Width, not_there


class Tiles(Description):
    """The tiles of a machine, all alike, and the exchange that joins them: a crossbar, or a mesh.

    On a mesh tiles lie in rows of ceil(sqrt(n)), and each is linked with its neighbours. The links that the exchange
    uses are a tree with its root in the middle: a list floods it from any tile, sums are added on their way to the root
    and go from there to every tile. So whatever passes needs the hops from the farthest tile to the middle, and back.

    Attributes
    ----------
    count
        n. Each tile has what ``engine``, ``local`` and ``dma.buffer_bytes`` describe. The tiles share the off-chip
        memory and its port.
    exchange_bytes_per_cycle
        Bytes that a tile takes from the exchange each engine cycle. An item of a list takes whole cycles.
    exchange_latency_cycles
        Engine cycles from a tile to the one farthest from it, of a crossbar; left out where `hop_cycles` is given.
    hop_cycles
        Engine cycles from a tile to its neighbour, of a mesh.
    pitch_mm
        From the middle of a tile to that of its neighbour, to a metre. Without it the exchange's wires have no price.
    """

    count: Width = 1
    exchange_bytes_per_cycle: PositiveInt
    exchange_latency_cycles: Delay | None = Field(None, exclude_if=not_there)
    hop_cycles: Delay | None = Field(None, exclude_if=not_there)
    pitch_mm: PositiveFloat | None = Field(None, le=1000, exclude_if=not_there)

    @model_validator(mode="after")
    def _one_latency(self) -> Self:
        if self.exchange_latency_cycles is None and self.hop_cycles is None:
            raise ValueError("exchange_latency_cycles is missing, or hop_cycles if the tiles are on a mesh")
        if self.exchange_latency_cycles is not None and self.hop_cycles is not None:
            raise ValueError("either exchange_latency_cycles (a crossbar) or hop_cycles (a mesh) must be left out")
        return self

    @property
    def hops(self) -> NDArray[np.int64]:
        """How many tiles each is away from the one in the middle, along rows and columns, shape (n,)."""
        in_row = math.isqrt(self.count - 1) + 1
        rows = -(-self.count // in_row)
        row, column = np.divmod(np.arange(self.count), in_row)
        away: NDArray[np.int64] = abs(row - (rows - 1) // 2) + abs(column - (in_row - 1) // 2)
        return away

    @property
    def latency_cycles(self) -> int:
        """Engine cycles from a tile to the one farthest from it, by way of the middle if they are on a mesh."""
        if self.hop_cycles is None:
            assert self.exchange_latency_cycles is not None
            return self.exchange_latency_cycles
        return 2 * self.hop_cycles * int(self.hops.max())

    @property
    def links(self) -> int:
        """How many pitches of wire an item passes that goes to every tile, or comes from every tile.

        On a mesh these are the links of the tree, one less than tiles. A crossbar at the tile in the middle of the same
        rows has a line of its own to each tile, along rows and columns.
        """
        return self.count - 1 if self.hop_cycles is not None else int(self.hops.sum())

    @property
    def adder_stages(self) -> int:
        """Depth of the tree that adds one number of each tile."""
        return (self.count - 1).bit_length()

    def beats(self, item_bytes: int) -> int:
        """Return the cycles in which an item of `item_bytes` passes the exchange."""
        return -(-item_bytes // self.exchange_bytes_per_cycle)


ONE_TILE = Tiles(count=1, exchange_bytes_per_cycle=1, exchange_latency_cycles=0)
"""A machine without an exchange: nothing is ever asked of it."""


def tile_of(elements: NDArray[np.int64], lanes: int, tiles: int) -> NDArray[np.int64]:
    """Return the tile that each of `elements` (neurons, or elements of a vector) belongs to, of the same shape."""
    owner: NDArray[np.int64] = elements // lanes % tiles
    return owner


def own_elements(width: int, lanes: int, tiles: int) -> NDArray[np.int64]:
    """Return how many of `width` elements each tile has, shape (n,); no tile has more than the first."""
    return np.bincount(tile_of(np.arange(width), lanes, tiles), minlength=tiles)


def by_tile(width: int, lanes: int, tiles: int) -> NDArray[np.int64]:
    """Return the elements 0 to `width` - 1 in the order of the tiles that have them, shape (width,)."""
    return np.argsort(tile_of(np.arange(width), lanes, tiles), kind="stable")


def dealt(values: NDArray[np.bool_], lanes: int, tiles: int) -> NDArray[np.bool_]:
    """Return vectors of shape (..., width) as each tile's own elements in order, False beyond, shape (..., n, most)."""
    width = values.shape[-1]
    turns = -(-width // (lanes * tiles))
    padded = np.zeros((*values.shape[:-1], turns * tiles * lanes), dtype=np.bool_)
    padded[..., :width] = values
    words = padded.reshape(*values.shape[:-1], turns, tiles, lanes)
    return np.moveaxis(words, -3, -2).reshape(*values.shape[:-1], tiles, turns * lanes)
