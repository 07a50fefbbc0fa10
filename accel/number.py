"""Fixed-point numbers: the one definition of range, rounding and overflow that golden model and gates obey.

Integers are carried in int64 arrays; a value v in a format with f fraction bits stands for v / 2**f.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from deltatrain.accel.description import Description, NonNegativeInt
from deltatrain.accel.errors import ConfigError

Integers = NDArray[np.int64]


class NumberFormat(Description):
    """A two's complement fixed-point format.

    Attributes
    ----------
    bits
        Width with the sign, 2 to 48: int64 then holds every product of 16-bit values and every sum on the way.
    fraction_bits
        Bits right of the binary point.
    overflow
        ``saturate`` clips to the nearest end of the range, ``wrap`` keeps the low `bits`.
    """

    bits: Annotated[int, Field(ge=2, le=48, strict=True)]
    fraction_bits: NonNegativeInt
    overflow: Literal["saturate", "wrap"] = "saturate"

    @model_validator(mode="before")
    @classmethod
    def _rounds_as_gates_do(cls, table: Any) -> Any:
        if isinstance(table, dict) and "rounding" in table:
            raise ValueError(f"rounding must be left out, not {table['rounding']!r}: gates round to nearest even alone")
        return table

    @model_validator(mode="after")
    def _fraction_fits(self) -> NumberFormat:
        if self.fraction_bits > 60:
            raise ValueError(f"fraction_bits must be at most 60, not {self.fraction_bits}")
        return self

    @property
    def lowest(self) -> int:
        """The most negative integer."""
        return -(1 << (self.bits - 1))

    @property
    def highest(self) -> int:
        """The most positive integer."""
        return (1 << (self.bits - 1)) - 1

    @property
    def bytes(self) -> int:
        """Bytes that one value takes in memory: whole bytes, as memories are addressed."""
        return -(-self.bits // 8)


def fit(values: Integers, number: NumberFormat) -> Integers:
    """Return `values` brought into the range of `number` by its overflow rule."""
    if number.overflow == "saturate":
        within: Integers = np.minimum(np.maximum(values, number.lowest), number.highest)  # np.clip takes twice as long
        return within
    span = 1 << number.bits
    return ((values - number.lowest) & (span - 1)) + number.lowest


def shift_right_nearest_even(values: Integers, shift: int) -> Integers:
    """Return values / 2**shift rounded to the nearest integer, ties to even (IEEE 754-2019, 4.3.1); shift >= 0.

    What is added carries into the result above one half, and at one half if the result would be odd. Values are at most
    2**62 in magnitude.
    """
    if shift == 0:
        return values
    nearest = values >> shift
    nearest &= 1
    nearest += (1 << (shift - 1)) - 1
    nearest += values
    nearest >>= shift
    return nearest


def move_point(values: Integers, fraction_bits: int, to_fraction_bits: int) -> Integers:
    """Return `values`, which have `fraction_bits`, with `to_fraction_bits`, rounded to nearest even and not fitted."""
    shift = fraction_bits - to_fraction_bits
    return shift_right_nearest_even(values, shift) if shift >= 0 else values << -shift


def rescale(values: Integers, fraction_bits: int, number: NumberFormat) -> Integers:
    """Return `values`, which have `fraction_bits`, in the format `number`: rounded to nearest even, then fitted."""
    return fit(move_point(values, fraction_bits, number.fraction_bits), number)


def round_sum(number: NumberFormat, *terms: tuple[Integers, int]) -> Integers:
    """Return the exact sum of `terms`, pairs (values, their fraction bits), rounded once and fitted to `number`."""
    finest = max(fraction_bits for _, fraction_bits in terms)
    aligned = [values << (finest - fraction_bits) for values, fraction_bits in terms]
    return rescale(sum(aligned[1:], start=aligned[0]), finest, number)


def quantise(values: NDArray[np.floating], number: NumberFormat) -> Integers:
    """Return the integers nearest to `values` in the format `number`, ties to even.

    What is out of range becomes the nearest end, also where `number` wraps: that rule is for the machine's sums, while
    a value from outside must not change its sign.

    Raises
    ------
    ConfigError
        If a value is NaN or infinite.
    """
    wide = np.asarray(values, dtype=np.float64)
    if not np.isfinite(wide).all():
        raise ConfigError("a value to quantise must be finite, not NaN or infinite")
    lowest, highest = np.ldexp([number.lowest, number.highest], -number.fraction_bits)
    return np.rint(np.ldexp(np.clip(wide, lowest, highest), number.fraction_bits)).astype(np.int64)


def to_float(values: Integers, fraction_bits: int) -> NDArray[np.float64]:
    """Return the real numbers that `values` stand for."""
    return np.ldexp(np.asarray(values, dtype=np.float64), -fraction_bits)


def accumulate(start: Integers, terms: Integers, number: NumberFormat) -> Integers:
    """Return `start` after adding terms[0], terms[1], ... in this order, fitted to `number` after every addition.

    Parameters
    ----------
    start
        Integers in the range of `number`, shape S.
    terms
        Integers of shape (n, *S); n times the largest must stay below 2**62.

    Notes
    -----
    Wrapping commutes with addition, so one sum serves. Saturation does not: the plain sum serves only where no
    running sum leaves the range, and the additions are made one by one where one does.
    """
    if number.overflow == "wrap" or terms.size == 0:
        return fit(start + terms.sum(axis=0), number)
    running = start + np.cumsum(terms, axis=0)
    if running.min() >= number.lowest and running.max() <= number.highest:
        return np.asarray(running[-1])
    total = start
    for term in terms:
        total = fit(total + term, number)
    return total
