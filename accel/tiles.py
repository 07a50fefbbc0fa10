"""Several tiles: how many, the exchange between them, and which of them a neuron belongs to.

n tiles of P lanes share the rows as one tile of n * P lanes would lay them out: word w of P neurons belongs to tile
w mod n, and neuron j to tile (j // P) mod n. A tile keeps every column of the rows of its own neurons. One sequencer
commands all tiles: an op begins in all of them in the same cycle and ends when the last one has finished.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.description import Delay, Description, PositiveInt, Width


class Tiles(Description):
    """The tiles of a machine, all alike, and the exchange that joins them.

    Attributes
    ----------
    count
        n. Each tile has what ``engine``, ``local`` and ``dma.buffer_bytes`` describe. The tiles share the off-chip
        memory and its port.
    exchange_bytes_per_cycle
        Bytes that a tile takes from the exchange each engine cycle. An item of a list takes whole cycles.
    exchange_latency_cycles
        Engine cycles from a tile to the one farthest from it.
    """

    count: Width = 1
    exchange_bytes_per_cycle: PositiveInt
    exchange_latency_cycles: Delay

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
