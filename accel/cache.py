"""The column cache as data: local SRAM that keeps runs of fired columns, because the same ones fire again soon."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator

from deltatrain.accel.description import Description, PositiveInt, Width
from deltatrain.accel.documents import HIGHEST_INT, shown


def _room(given: object) -> object:
    """Return a number of bytes, or "auto", as it is."""
    if given == "auto" or (isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= HIGHEST_INT):
        return given
    raise ValueError(f"must be a number of bytes from 0 on or 'auto', not {shown(given)}")


class LineCache(NamedTuple):
    """A column cache as one machine has it.

    Attributes
    ----------
    own_bytes
        How many bytes it has; None if it takes what is left.
    ways, line_bytes, policy
        As of `Cache`.
    """

    own_bytes: int | None
    ways: int
    line_bytes: int
    policy: str


class Cache(Description):
    """Local SRAM between the DMA and the lanes that keeps columns of matrices off-chip.

    A line is a run of a column of one matrix: its next `line_bytes`, in whole words, or what is left of the column.
    Runs begin with columns, so that a line holds one column alone; and they are shorter than columns, because these are
    of many lengths, W's half as wide as dW's, and lines as long as the longest would stay empty for the most part.

    Attributes
    ----------
    bytes
        Of lines; "auto" is the local memory that nothing else takes, though no more than all columns fill, and 0 no
        cache at all. Whole sets of it are used, one at least. What is left for "auto" lies idle beside several tiles;
        where a cache has no gates, beside several arrays, or one port (`accel.architecture.Architecture.idle_cache`);
        and where it is less than ``dma.buffer_bytes``, so that it would hold less than is on its way.
    ways
        Lines of a set. The runs of all columns are numbered through; run n is kept in set n mod the number of sets.
    line_bytes
        Room of a line: a word of W and of dW at least, and at most half of ``dma.buffer_bytes``; if left out two words
        of dW, 64 bytes on 8 lanes, or that half if it is less.
    policy
        Which line of a set goes first: "lru", the one used least recently; "reverse", the one whose column fired least
        recently before the step that is at work, of the same sample. Forward that is "lru"; backward, where the lists
        are read in reverse, it is the line whose next use is farthest. For that it must know in which steps of a sample
        each column fired; gates keep a bit for each, for which no room is counted. "belady", the one whose next use is
        farthest, knows the future: no machine has fewer misses. It is no bound of bytes, or of time: it takes no heed
        of which lines are dirty and go to memory in their place, so that "reverse" may move less.
    """

    bytes: Annotated[int | Literal["auto"], BeforeValidator(_room)] = "auto"
    ways: Width = 8
    line_bytes: PositiveInt | None = None
    policy: Literal["lru", "reverse", "belady"] = "lru"

    @property
    def own_bytes(self) -> int | None:
        """How many bytes it has; None if it takes what is left."""
        return self.bytes if isinstance(self.bytes, int) else None
