"""The memory map: which vectors a tile works on, in how many places each, and where they lie.

`workloads.lowering.placement` makes the map of a machine and a network, and adds up its bytes. The gates address the
words of their memories by it (`sim.gates.layout`). So both keep the same vectors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

LISTS_AHEAD = 2
"""Lists of the next sample's inputs that are made while those of this sample are still read."""


@dataclass(frozen=True)
class Region:
    """Vectors of one kind, those of a layer one behind the other, the layers likewise.

    Attributes
    ----------
    lanes
        P, the elements of a word.
    elements
        Elements of a vector of each layer, in the tile with the most of them.
    places
        How many vectors there are of each layer.
    element_bytes
        Bytes of an element with all that is kept beside it, such as its gradient or a second bank.
    padded
        Whether its bytes are counted in whole words.
    """

    lanes: int
    elements: tuple[int, ...]
    places: tuple[int, ...]
    element_bytes: int = 0
    padded: bool = True

    @property
    def bytes(self) -> int:
        """Bytes of the region."""
        sizes = [self.chunks(layer) * self.lanes if self.padded else own for layer, own in enumerate(self.elements)]
        return sum(size * places for size, places in zip(sizes, self.places, strict=True)) * self.element_bytes

    @property
    def words(self) -> int:
        """Words of the region."""
        return self.word(len(self.elements))

    def chunks(self, layer: int) -> int:
        """Return the words of one vector of a layer."""
        return -(-self.elements[layer] // self.lanes)

    def word(self, layer: int, number: int = 0) -> int:
        """Return the first word of vector `number` of a layer; vectors so many places apart lie in the same one."""
        before = sum(self.places[below] * self.chunks(below) for below in range(layer))
        return before + (number % self.places[layer] * self.chunks(layer) if number else 0)

    def with_places(self, places: int) -> Region:
        """Return a region of the same vectors with so many places of each."""
        return replace(self, places=(places,) * len(self.elements))


class MemoryMap(NamedTuple):
    """The regions of a tile's local memory that every step works on, forward and backward.

    Attributes
    ----------
    inputs
        Input vectors: one in use, the others on their way.
    memory
        The accumulators M and g(M), a layer's as one vector in whole words (`accel.column`), in two banks: input
        deltas of the next step may be added while the cells of this one are computed.
    held
        x-hat and h-hat of each layer in turn, and their gradients; none if the encoder holds no values.
    h
        h and g(h), in two places: the layer above may read one while the next is written.
    state
        The cell's own state, such as c, and its gradient.
    logits
        The logits of one step, all of them in every tile.
    """

    inputs: Region
    memory: Region
    held: Region
    h: Region
    state: Region
    logits: Region

    @property
    def bytes(self) -> int:
        """Bytes of all regions."""
        return sum(region.bytes for region in self)
