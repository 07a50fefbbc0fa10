"""What a test bench has to do: which streams it drives with how many items, and what it must find at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from deltatrain.accel.engine import Formats
from deltatrain.accel.number import NumberFormat
from deltatrain.accel.tensor_kind import TensorKind
from deltatrain.sim.gates.export.fields import Field
from deltatrain.sim.gates.ports import Ports
from deltatrain.sim.gates.tile_process import STOPS

__all__ = ["LOCAL", "BenchPlan", "Post"]

LOCAL: dict[str, TensorKind] = {"local_weights": "weights", "local_gradients": "gradients"}
"""Interfaces to the tile's memories of matrices, and what kind of matrices is there."""


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
    formats, lanes
        Of its engine.
    inputs
        What the plain inputs are, ``start`` left out.
    items
        For each stream into the tile how many items it is offered.
    taken
        For each stream out of the tile how many items it gives.
    memory_bytes
        Size of off-chip memory.
    cycles, spent
        The tile's outputs of these names when it has finished.
    counters
        The fields of ``spent``.
    """

    ports: Ports
    identity: int
    formats: Formats
    lanes: int
    inputs: Mapping[str, int]
    items: Mapping[str, int]
    taken: Mapping[str, int]
    memory_bytes: int
    cycles: int
    spent: int
    counters: tuple[Field, ...]

    def item_count(self, name: str) -> int:
        """Return the size of the array that keeps a stream's items, in or out; an array has at least one."""
        return max(self.items.get(name, 0), self.taken.get(name, 0), 1)

    @cached_property
    def answers(self) -> dict[str, NumberFormat]:
        """Streams of words that off-chip memory answers with, and the format of their values."""
        formats = self.formats
        numbers = {
            "load_words": formats.activation,
            "weights": formats.weight,
            "weight_gradients": formats.weight_gradient,
        }
        return {name: number for name, number in numbers.items() if name in self.ports.sources}

    @cached_property
    def posts(self) -> dict[str, Post]:
        """Streams of requests to write."""
        found = {
            "posts_weights": Post("new_weights", "weights_written", self.formats.weight),
            "posts_gradients": Post("new_weight_gradients", "gradients_written", self.formats.weight_gradient),
        }
        return {name: post for name, post in found.items() if name in self.ports.sinks}

    @cached_property
    def timed(self) -> list[str]:
        """Streams into the tile whose items have a cycle in which they are due: answers and acknowledgements."""
        written = {post.written for post in self.posts.values()}
        return [name for name in self.ports.sources if name in self.answers or name in written]

    @cached_property
    def commands(self) -> list[str]:
        """Streams of commands."""
        return [name for name in self.ports.sources if "__" not in name and name not in self.timed]

    @cached_property
    def local(self) -> list[str]:
        """Those of `LOCAL` that the tile has."""
        return [name for name in LOCAL if f"{name}__host_words" in self.ports.sinks]

    @cached_property
    def driven(self) -> list[str]:
        """Streams into the tile that are offered anything: dW in the tile begin as zeros, as they are."""
        return [name for name in self.ports.sources if name != "local_gradients__host_writes"]

    @cached_property
    def requests(self) -> list[str]:
        """Streams of requests, in the order in which those of one cycle are served."""
        return [name for name in STOPS if name in self.ports.sinks]

    @cached_property
    def words(self) -> list[str]:
        """Streams out of the tile that are no requests."""
        return [name for name in self.ports.sinks if name not in self.requests]
