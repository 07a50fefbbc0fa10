"""What every member of `accel.cells` has; it stands here because engine modes, which cells import, run any of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from deltatrain.accel.engine import Formats
from deltatrain.accel.number import Integers


class CellArithmetic(Protocol):
    """The element-wise arithmetic of a recurrent cell, in the integers of an engine's formats.

    Products and sums are exact and a value is rounded once, to nearest even, when it is stored in the format named
    there. Multiplication operands are stored values or a difference of two, so that one multiplier of at most one bit
    more than the formats' widths serves a neuron.

    Attributes
    ----------
    ACCUMULATORS
        How many H-blocks the delta memory M has.
    KEPT
        The share of M with which the next step begins: 1 where deltas are added up, 0 where each step's sum is its own.
    ENCODER
        The mode that lists what its streams bring, `accel.modes.encode` or `accel.modes.encode_spikes`.
    BLOCKS_X, BLOCKS_H
        For each H-row block of W_x and W_h the block of M that it adds to (`accel.cells.accumulator_rows`); without
        any in ``BLOCKS_H`` the cell has no recurrent matrix.
    BIAS_X, BIAS_H
        Whether the bias is an extra last column of W_x, of W_h. M starts at zero; that column fires with the value
        1.0, at step 0 if M is kept and at every step if not (`accel.cells.bias_steps`), so that `outer` makes the
        gradient of the bias like any other: g(M) of step 0, or its sum over the steps.
    STATE
        The H-vectors that a step takes from the step before, all zero before step 0. Every cell also carries h, and M,
        x-hat and h-hat if it keeps them.
    TAPE
        The H-vectors of a step that its backward pass needs. What is a vector of ``STATE``, or one of the step before
        (``c_before`` of ``c``), is not written a second time: it stays where the state is kept.
    WIDE
        Those vectors of ``STATE`` and ``TAPE`` that are in ``formats.state``; the others are in ``formats.gate``.
    SQUASHED
        Those of ``TAPE`` that are a "sigmoid" or a "tanh", by name: a tape may keep codes of them (`accel.tape_words`).
    SQUARED
        Those of them of which the backward pass needs the square only.
    CARRIES
        Whether the backward pass carries a gradient to the step before beside g(M).
    LOOKUPS, FORWARD_MULTIPLIES, BACKWARD_MULTIPLIES
        Table look-ups and multiplications for one neuron and step. A table's interpolation has a small multiplier of
        its own and is part of the look-up.
    """

    __name__: str
    ACCUMULATORS: int
    KEPT: int
    ENCODER: str
    BLOCKS_X: tuple[int, ...]
    BLOCKS_H: tuple[int, ...]
    BIAS_X: bool
    BIAS_H: bool
    STATE: tuple[str, ...]
    TAPE: tuple[str, ...]
    WIDE: tuple[str, ...]
    SQUASHED: dict[str, str]
    SQUARED: tuple[str, ...]
    CARRIES: bool
    LOOKUPS: int
    FORWARD_MULTIPLIES: int
    BACKWARD_MULTIPLIES: int

    def forward(self, M: Integers, state: Integers, formats: Formats) -> tuple[Integers, Integers, Integers]:
        """Return the new state, shape (S, ..., H), h in ``formats.activation``, shape (..., H), and the tape."""

    def backward(
        self, g_h: Integers, carry: Integers, tape: Integers, g_M: Integers, formats: Formats
    ) -> tuple[Integers, Integers]:
        """Return g(M) of this step, shape (A, ..., H), and what is carried to the step before, shape (..., H)."""


def new_on_tape(arithmetic: CellArithmetic) -> list[str]:
    """Return the vectors of ``TAPE`` that a step writes to it."""
    kept = {*arithmetic.STATE, *(f"{name}_before" for name in arithmetic.STATE)}
    return [name for name in arithmetic.TAPE if name not in kept]


def keeps_own_state(arithmetic: CellArithmetic) -> bool:
    """Tell whether a state that a step leaves, and not that of the step before, is on its tape."""
    return not set(arithmetic.STATE).isdisjoint(arithmetic.TAPE)


def bytes_of(arithmetic: CellArithmetic, vectors: Iterable[str], formats: Formats) -> int:
    """Return the bytes of one neuron's part of vectors of ``STATE`` and ``TAPE``."""
    wide, usual = formats.state.bytes, formats.gate.bytes
    return sum(wide if name in arithmetic.WIDE else usual for name in vectors)


def name_of(arithmetic: CellArithmetic) -> str:
    """Return the word by which `accel.cells` knows a member."""
    return arithmetic.__name__.rpartition(".")[2]
