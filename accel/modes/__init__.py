"""Family: one file for each thing a unit can be told to do, holding its exact integer result, cycle law and work.

`Mode` says what every member has. A mode that computes also has ``result(...)``: the exact integers, in the formats of
the engine, on which golden model and gates must agree; its arguments are the mode's own.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.family import ModuleFamily
from deltatrain.accel.number import Integers
from deltatrain.accel.tensor_kind import TensorKind
from deltatrain.accel.tiles import ONE_TILE, Tiles
from deltatrain.accel.work import Counts, Work

if TYPE_CHECKING:
    from deltatrain.accel.modes.encode import Fired

BEGIN_CYCLES = 2
"""From the cycle in which the last op that an op waits for is counted to the one in which the op begins.

No clock is slowed by who waits for whom: the count is registered, and so is its comparison with what a command waits
for (`rtl.commands.waits`).
"""

READ_AHEAD_CYCLES = 3
"""From the cycle in which an op begins, and its unit reads ahead for it, to the one in which it may start.

It is what a unit needs to read a word, or a list and then the words that its entries point at.
"""

SOON_CYCLES = BEGIN_CYCLES + READ_AHEAD_CYCLES
"""Part of every drain: a unit's last result is in local SRAM this long before its op is done, so that whoever waits for
it may start then. The gates tell each other `soon` when it begins.
"""


class Mode(Protocol):
    """What a unit can be told to do.

    Attributes
    ----------
    UNIT
        The unit that runs it, one of `accel.program.UNITS`.
    WRITES_BACK
        Whether it writes the columns of matrices that it reads; only modes of the engine do.
    RETURN_CYCLES
        For each matrix that it writes back, from a word's address to the storing of what takes its place.
    """

    UNIT: str
    WRITES_BACK: bool
    RETURN_CYCLES: tuple[int, ...]

    def issue_cycles(self, count: Counts, words: Counts) -> Counts:
        """Return the cycles until the unit takes its next op, from arrays of the op table (`accel.program.Program`)."""

    def drain_cycles(self, engine: Engine, tiles: Tiles = ONE_TILE) -> int:
        """Return the further cycles until the op's result may be used."""

    def work(self, count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
        """Return the op's actions."""


class ArrayMode(Mode, Protocol):
    """A mode of the lanes that reads something else than columns, which arrays read together (`accel.arrays`)."""

    def in_turns(self, list_words: Counts, lane_words: Counts, turns: Counts, engine: Engine) -> Work:
        """Return what is to be added to `work` where several arrays take the columns (`accel.op_work.OpWork`)."""


class EncoderMode(Mode, Protocol):
    """A mode of the encoder: how a stream becomes a list of fired elements, and what that means backward.

    Attributes
    ----------
    HELD
        Vectors that the encoder holds for each stream.
    """

    HELD: int

    def result(self, value: Integers, held: Integers, least: int, formats: Formats) -> tuple[Fired, Integers]:
        """Return what fired of a vector, and the held values after the op, both of its shape (W,)."""

    def emitted(self, value: Integers) -> Integers:
        """Return the numbers that h, shape (..., H), stands for to a reader that takes all of it."""

    def adjoint(
        self, g_held: Integers, columns: NDArray[np.int64], s: Integers, formats: Formats
    ) -> tuple[Integers, Integers]:
        """Return the gradients of the values and of the held values of the step before, both of shape (W,)."""

    def list_entry_bytes(self, engine: Engine) -> int:
        """Return the bytes of one entry of the list."""


class UpdateMode(Mode, Protocol):
    """A mode of the engine that works on dW at the end of a step, when what went before is done with all matrices.

    Attributes
    ----------
    TENSORS
        The kinds of matrices that it reads (`accel.tensor.TensorKind`), one or two.
    PRODUCTS
        Products of each weight.
    """

    TENSORS: tuple[TensorKind, ...]
    PRODUCTS: int


MODES = ModuleFamily[Mode]("deltatrain.accel.modes", "mode", Mode)


def array_mode(name: str) -> ArrayMode | None:
    """Return the mode called `name` if it is an `ArrayMode`."""
    mode = MODES.load(name)
    return cast(ArrayMode, mode) if hasattr(mode, "in_turns") else None


def update_mode(name: str) -> UpdateMode:
    """Return the mode of updates called `name`."""
    return cast(UpdateMode, MODES.load(name))


def mean_products(names: Collection[str]) -> float:
    """Return the products of a weight in one of these modes of updates, their mean; 1 without any."""
    return sum(update_mode(name).PRODUCTS for name in names) / len(names) if names else 1.0


def most_products(names: Collection[str]) -> int:
    """Return the most products of a weight in any of these modes of updates, 1 without any."""
    return max((update_mode(name).PRODUCTS for name in names), default=1)


def encoder_mode(name: str) -> EncoderMode:
    """Return the mode of the encoder called `name`."""
    return cast(EncoderMode, MODES.load(name))
