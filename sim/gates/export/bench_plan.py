"""What a test bench has to do: which streams it drives with how many items, and what it must find at the end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from deltatrain.accel.engine import Formats
from deltatrain.accel.number import NumberFormat
from deltatrain.accel.tensor_kind import TensorKind
from deltatrain.sim.gates.export.fields import Field
from deltatrain.sim.gates.ports import Ports
from deltatrain.sim.gates.tile_process import requests_of

__all__ = ["PASSED", "BenchPlan", "LocalMemory", "Post"]

_LOCAL: dict[str, TensorKind] = {"local_weights": "weights", "local_gradients": "gradients"}
"""Interfaces to a tile's memories of matrices, and what kind of matrices is there."""


PASSED = "fetch_passed"
"""A stream of items that say that a request of columns has passed the port."""

_OF_COLUMNS = ("weights", "weight_gradients", "new_weights", "new_weight_gradients")
"""Streams of words of columns that are off-chip."""


class LocalMemory(NamedTuple):
    """A tile's memory of matrices.

    Attributes
    ----------
    name
        Its interface.
    kind
        Of the matrices that are there.
    tile
        Number of the tile, of several; None of one that is alone.
    """

    name: str
    kind: TensorKind
    tile: int | None

    @property
    def writes(self) -> str:
        """The stream by which the host fills it."""
        return f"{self.name}__host_writes"

    @property
    def where(self) -> str:
        """What it is, in words."""
        return f"{self.kind} in {'the tile' if self.tile is None else f'tile {self.tile}'}"


class Post(NamedTuple):
    """A stream of requests to write.

    Attributes
    ----------
    words
        The stream that gave the words.
    written
        The stream that acknowledges them.
    number
        Format of the values.
    """

    words: str
    written: str
    number: NumberFormat


@dataclass(frozen=True)
class BenchPlan:
    """A run of the tile as a test bench repeats it.

    Attributes
    ----------
    ports
        Of the tile.
    identity
        Of the tile, see `rtl.tile.Tile`.
    formats
        Of its engine.
    inputs
        What the plain inputs are, ``start`` left out.
    items
        For each stream into the tile how many items it is offered.
    taken
        For each stream out of the tile how many items it gives.
    memory_bytes
        Size of off-chip memory.
    kept_bytes
        Where in it tapes and kept states lie, from the first byte to before the second: the golden model says nothing
        of them.
    stores
        How many of them are stored.
    cycles
        The tile's output of this name when it has finished.
    counters
        By name of an output that counts: its fields, and what it is then.
    forget_cycles
        Cycles from reset to start, if memories must be cleared in them.
    load_words
        Words of a vector that come to the tiles at once (`rtl.commands.sizes.TileSizes`).
    number_bits
        Of the number beside a value in a word of compressed columns; 0 where columns are whole.
    """

    ports: Ports
    identity: int
    formats: Formats
    inputs: Mapping[str, int]
    items: Mapping[str, int]
    taken: Mapping[str, int]
    memory_bytes: int
    kept_bytes: tuple[int, int]
    stores: int
    cycles: int
    counters: Mapping[str, tuple[tuple[Field, ...], int]]
    forget_cycles: int = 0
    load_words: int = 1
    number_bits: int = 0

    def item_count(self, name: str) -> int:
        """Return the size of the array that keeps a stream's items, in or out; an array has at least one."""
        return max(self.items.get(name, 0), self.taken.get(name, 0), 1)

    def lanes_of(self, name: str, number: NumberFormat) -> int:
        """Return the values of a word of a stream, in or out: of columns off-chip those of all tiles."""
        streams = self.ports.sources if name in self.ports.sources else self.ports.sinks
        return streams[name].payload.width // (number.bits + self.numbers_of(name))

    def numbers_of(self, name: str) -> int:
        """Return the bits of a number above each value of a stream of words: of columns that are compressed."""
        return self.number_bits if self.is_of_columns(name) else 0

    def is_of_columns(self, name: str) -> bool:
        """Tell whether a stream is of words of columns off-chip."""
        return name.partition("__")[0] in _OF_COLUMNS

    @cached_property
    def answers(self) -> dict[str, NumberFormat]:
        """Streams of words that off-chip memory answers with, and the format of their values."""
        formats = self.formats
        numbers = {
            "load_words": formats.activation,
            "load_tape_words": NumberFormat(bits=8 * formats.activation.bytes, fraction_bits=0),  # whatever is in it
            "weights": formats.weight,
            "weight_gradients": formats.weight_gradient,
        }
        streams = {f"{name}{array}": number for array in self._arrays for name, number in numbers.items()}
        return {name: number for name, number in streams.items() if name in self.ports.sources}

    @cached_property
    def posts(self) -> dict[str, Post]:
        """Streams of requests to write."""
        found = {
            "posts_weights": Post("new_weights", "weights_written", self.formats.weight),
            "posts_gradients": Post("new_weight_gradients", "gradients_written", self.formats.weight_gradient),
        }
        streams = {
            f"{name}{array}": Post(f"{post.words}{array}", f"{post.written}{array}", post.number)
            for array in self._arrays
            for name, post in found.items()
        }
        return {name: post for name, post in streams.items() if name in self.ports.sinks}

    @cached_property
    def _arrays(self) -> list[str]:
        """What is behind the name of a stream of columns off-chip: of several arrays each has one, with its number."""
        columns = (name.partition("__") for name in self.ports.sources)
        return ["", *sorted({f"__{array}" for name, _, array in columns if name in _OF_COLUMNS and array})]

    @property
    def has_tape(self) -> bool:
        """Whether tapes or kept states are moved off-chip."""
        return "store_requests" in self.ports.sinks

    @cached_property
    def timed(self) -> list[str]:
        """Streams into the tile whose items have a cycle in which they are due: answers and acknowledgements."""
        others = {*(post.written for post in self.posts.values()), PASSED}
        return [name for name in self.ports.sources if name in self.answers or name in others]

    @cached_property
    def commands(self) -> list[str]:
        """Streams of commands."""
        return [name for name in self.ports.sources if "__" not in name and name not in (*self.timed, *self.tables)]

    @property
    def tables(self) -> list[str]:
        """Streams of rows that are written before the step begins: where each compressed column is."""
        return [name for name in ("column_table",) if name in self.ports.sources]

    @cached_property
    def local(self) -> list[LocalMemory]:
        """The memories of matrices, of W before those of dW, tile after tile."""
        found = []
        for interface, kind in _LOCAL.items():
            pattern = re.compile(rf"({interface}(?:__(\d+))?)__host_words")
            matches = [match for match in map(pattern.fullmatch, self.ports.sinks) if match]
            found += [LocalMemory(match[1], kind, int(match[2]) if match[2] else None) for match in matches]
        return found

    @cached_property
    def filled(self) -> list[LocalMemory]:
        """Those of `local` that the host fills: dW in a tile begin as zeros, as they are, unless they have numbers."""
        return [memory for memory in self.local if memory.kind == "weights" or self.number_bits]

    @cached_property
    def driven(self) -> list[str]:
        """Streams into the tile that are offered anything."""
        never = {memory.writes for memory in self.local if memory not in self.filled}
        return [name for name in self.ports.sources if name not in never]

    @cached_property
    def requests(self) -> list[str]:
        """Streams of requests, in the order in which those of one cycle are served."""
        return requests_of(self.ports.sinks)

    @cached_property
    def words(self) -> list[str]:
        """Streams out of the tile that are no requests."""
        return [name for name in self.ports.sinks if name not in self.requests]
