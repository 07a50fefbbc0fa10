"""Few-bit codes: of a sigmoid or tanh is kept in which of 2^k pieces its input lay, not its value.

Novikov et al., Few-Bit Backward, ICML 2023, arXiv 2202.00441: the forward pass is exact, the backward pass multiplies
with the mean of the derivative over the piece (`accel.codebook`). Derivatives of sigmoid and tanh are even, so all 2^k
pieces are spent on |x|, as the paper suggests.

Backward passes of gated cells also multiply with the value itself. That part is ours, not the paper's: one more bit
tells on which side of zero the input lay, and the value used is the one on that side whose derivative is exactly the
level, as y and y (1 - y) of a sigmoid, and y and 1 - y^2 of a tanh, determine each other but for the side.

So much for 1 to 4 bits. With more, pieces of |y - y(0)| are equal and stand for their middle: with the bit for the
side, a code of 8 bits is the value itself, rounded.

A machine finds the same codes: a value in ``formats.gate`` has the code of the number that it stands for, and what
stands for a code is rounded to that format.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.codebook import SIGMOID, TANH, Activation, codebook
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.number import Integers, NumberFormat, quantise

Array = NDArray[Any]

DOMAIN = 10.0
"""Codebooks are the best for |x| up to here; the authors' own dynamic programming takes -10 to 10 (skolai/fewbit)."""

MOST_BITS = 7
"""Most bits of a piece: with the one for the side a code is a byte."""

_BEST_BITS = 4
"""Up to so many bits, pieces are those of the best codebook; with more they are equal."""

_GRID_STEPS = 800


class _Squashing(NamedTuple):
    """A function with f' = steepest - (f - centre)^2, centre being its value at zero."""

    activation: Activation
    centre: float
    steepest: float


_SQUASHINGS = {"sigmoid": _Squashing(SIGMOID, 0.5, 0.25), "tanh": _Squashing(TANH, 0.0, 1.0)}

FUNCTIONS = tuple(_SQUASHINGS)
"""The functions that have codes, by name."""


class ValueCode(NamedTuple):
    """How values of one function become codes and back.

    Attributes
    ----------
    bits
        Of a code: those of the piece, and one for the side if it is kept.
    centre
        The value at zero, from which distances are measured.
    borders
        Of the distance, rising, shape (2^k - 1,).
    decoded
        The value that stands for each code, shape (2^bits,).
    """

    bits: int
    centre: float
    borders: Array
    decoded: Array

    def encode(self, values: Array) -> Array:
        """Return the code of each value, uint8; a value at a border has the code of the piece nearer to zero."""
        return _codes(values - self.centre, self.borders, sided=_is_sided(self))

    def decode(self, codes: Array, dtype: np.dtype[np.floating]) -> Array:
        """Return the value that stands for each code."""
        values: Array = self.decoded.astype(dtype)[codes]
        return values


class IntegerCode(NamedTuple):
    """The same for a machine's integers.

    Attributes
    ----------
    bits
        Of a code.
    centre
        The value at zero.
    borders
        Largest distances from it of each piece but the outermost, rising, shape (2^k - 1,).
    decoded
        The value that stands for each code, shape (2^bits,).
    step_bits
        Of equal pieces, which are 2^step_bits wide, also where that is less than one; None where they differ.
    """

    bits: int
    centre: int
    borders: Integers
    decoded: Integers
    step_bits: int | None

    def encode(self, values: Integers) -> Array:
        """Return the code of each value, uint8."""
        return _codes(values - self.centre, self.borders, sided=_is_sided(self))

    def decode(self, codes: Array) -> Integers:
        """Return the value that stands for each code."""
        return self.decoded[codes]


def used_grid() -> Array:
    """Return the grid of |x| on which the codes' borders are sought."""
    grid: Array = np.linspace(0, DOMAIN, _GRID_STEPS + 1)
    return grid


@cache
def value_code(function: str, bits: int, sided: bool) -> ValueCode:
    """Return the code of `function`, one of `FUNCTIONS`, with `bits` bits for the piece, and one for the side."""
    activation, centre, steepest = _SQUASHINGS[function]
    if bits <= _BEST_BITS:
        best = codebook(activation, used_grid(), 2**bits)
        borders, distances = activation.value(best.borders[1:-1]) - centre, np.sqrt(steepest - best.levels)
    else:
        ends = np.linspace(0, np.sqrt(steepest), 2**bits + 1)
        borders, distances = ends[1:-1], (ends[1:] + ends[:-1]) / 2
    below = [centre - distances] if sided else []
    return ValueCode(bits + sided, centre, borders, np.concatenate([centre + distances, *below]))


@cache
def integer_code(function: str, bits: int, sided: bool, gate: NumberFormat) -> IntegerCode:
    """Return the code of the values of `function` that are in the format `gate`; other arguments as of `value_code`.

    Raises
    ------
    ConfigError
        If the format does not hold a half, from which the distances of a sigmoid are measured.
    """
    if not gate.fraction_bits:
        raise ConfigError("engine.formats.gate.fraction_bits must be at least 1 for a tape of codes (few_bit), not 0")
    code = value_code(function, bits, sided)
    borders = np.floor(np.ldexp(code.borders, gate.fraction_bits)).astype(np.int64)  # a distance is a whole number
    centre = int(np.ldexp(code.centre, gate.fraction_bits))
    step_bits = None if bits <= _BEST_BITS else int(np.log2(code.borders[0])) + gate.fraction_bits
    return IntegerCode(code.bits, centre, borders, quantise(code.decoded, gate), step_bits)


def _is_sided(code: ValueCode | IntegerCode) -> bool:
    return len(code.decoded) > len(code.borders) + 1


def _codes(distances: Array, borders: Array, *, sided: bool) -> Array:
    pieces = np.searchsorted(borders, np.abs(distances), side="left").astype(np.uint8)
    codes: Array = pieces + np.uint8(len(borders) + 1) * (distances < 0) if sided else pieces
    return codes
