"""Sigmoid, tanh and the exponential as small tables with straight lines between their entries.

A table is a read-only memory of pairs (base, rise): the value where a segment begins and how far it climbs to its end.
Neighbouring segments share their corner, so the curve has no jump, and since no rise is negative it is monotone. One
table serves sigmoid and tanh: sigmoid(v) = (1 + tanh(v / 2)) / 2, and v is halved by moving its binary point.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.number import Integers, NumberFormat, rescale

TANH_INPUT = NumberFormat(bits=16, fraction_bits=12)
"""The format of the table's argument: -8..8, beyond which tanh is 1 within 2**-22."""

SIGMOID_INPUT = NumberFormat(bits=16, fraction_bits=11)
"""The same 16 bits read as -16..16."""

TANH_ERROR = 2.0**-14
"""The largest error of the table at its 16-bit argument, before the one rounding to ``formats.gate``."""

SIGMOID_ERROR = TANH_ERROR / 2
"""The same for sigmoid."""

EXPONENTIAL_ERROR = 2.0**-16
"""The largest error of `power_of_two` as a share of 2**-v, without the unit that its shift drops."""

POWER_FRACTION_BITS = 20
"""Fraction bits of the result of `power_of_two`."""

POWER_INPUT_FRACTION_BITS = 16
"""Fraction bits of the argument of `power_of_two`."""

TANH_ENTRY_FRACTION_BITS = 16
"""Fraction bits of the entries of `tanh_table`."""

_TANH_SEGMENT_BITS = 8
_POWER_SEGMENT_BITS = 6


class LineTable(NamedTuple):
    """A function on 0 <= v < 2**input_bits as straight lines.

    Attributes
    ----------
    base
        Value where each segment begins, shape (segments,).
    rise
        What it adds to its end, shape (segments,).
    step_bits
        A segment is 2**step_bits inputs long.
    """

    base: Integers
    rise: Integers
    step_bits: int

    def at(self, v: Integers) -> Integers:
        """Return the value at `v` exactly, with `step_bits` more fraction bits than the entries."""
        segment, within = v >> self.step_bits, v & ((1 << self.step_bits) - 1)
        value: Integers = (self.base[segment] << self.step_bits) + self.rise[segment] * within
        return value


@cache
def tanh_table() -> LineTable:
    """Return the table of tanh on 0..8: 256 segments, entries with 16 fraction bits."""
    corner = np.arange((1 << _TANH_SEGMENT_BITS) + 1) * 2.0 ** -(_TANH_SEGMENT_BITS - 3)
    curve = np.tanh(corner)
    # A chord lies below a concave curve by up to length**2 / 8 * |f''|; corners raised by half of that halve the error.
    raised = curve + (corner[1] ** 2 / 8) * curve * (1 - curve**2)  # f'' = -2 f (1 - f**2)
    step_bits = TANH_INPUT.bits - 1 - _TANH_SEGMENT_BITS
    return from_corners(np.minimum(raised, 1), TANH_ENTRY_FRACTION_BITS, step_bits)


@cache
def power_table() -> LineTable:
    """Return the table of 2**-v on 0 <= v < 1: 64 segments, entries with `POWER_FRACTION_BITS`."""
    corner = np.arange((1 << _POWER_SEGMENT_BITS) + 1) * 2.0**-_POWER_SEGMENT_BITS
    # A chord lies above this convex curve; corners are lowered by half of the most, except 2**0, which stays exact.
    lowered = 2.0**-corner * (1 - (corner[1] * np.log(2)) ** 2 / 16)
    lowered[0] = 1
    return from_corners(lowered, POWER_FRACTION_BITS, POWER_INPUT_FRACTION_BITS - _POWER_SEGMENT_BITS)


def tanh_input(values: Integers, fraction_bits: int) -> Integers:
    """Return `values`, which have `fraction_bits`, in the format `TANH_INPUT`."""
    return rescale(values, fraction_bits, TANH_INPUT)


def sigmoid_input(values: Integers, fraction_bits: int) -> Integers:
    """Return `values`, which have `fraction_bits`, in the format `SIGMOID_INPUT`."""
    return rescale(values, fraction_bits, SIGMOID_INPUT)


def tanh(v: Integers, gate: NumberFormat) -> Integers:
    """Return tanh of `v`, which is in `TANH_INPUT`, in the format `gate`; tanh(-v) is exactly -tanh(v)."""
    table = tanh_table()
    magnitude = rescale(table.at(_magnitude(v)), TANH_ENTRY_FRACTION_BITS + table.step_bits, gate)
    return np.where(v < 0, -magnitude, magnitude)


def sigmoid(v: Integers, gate: NumberFormat) -> Integers:
    """Return sigmoid of `v`, in `SIGMOID_INPUT`, in the format `gate`; sigmoid(-v) is exactly 1 - sigmoid(v)."""
    table = tanh_table()
    fraction_bits = TANH_ENTRY_FRACTION_BITS + table.step_bits
    upper = rescale((1 << fraction_bits) + table.at(_magnitude(v)), fraction_bits + 1, gate)
    return np.where(v < 0, (1 << gate.fraction_bits) - upper, upper)


def power_of_two(v: Integers) -> Integers:
    """Return 2**-v for v >= 0, shifted and rounded down.

    Parameters
    ----------
    v
        With `POWER_INPUT_FRACTION_BITS`.

    Returns
    -------
    Integers
        With `POWER_FRACTION_BITS`, same shape; at v = 0 exactly 1.
    """
    table = power_table()
    whole, fraction = v >> POWER_INPUT_FRACTION_BITS, v & ((1 << POWER_INPUT_FRACTION_BITS) - 1)
    power: Integers = table.at(fraction) >> np.minimum(whole + table.step_bits, 62)  # past 62 nothing is left anyway
    return power


def _magnitude(v: Integers) -> Integers:
    """Return |v| of 16-bit integers in 15 bits; -32768 saturates to 32767."""
    return np.minimum(np.abs(v), TANH_INPUT.highest)


def from_corners(corners: NDArray[np.float64], fraction_bits: int, step_bits: int) -> LineTable:
    """Return the table whose segments, each 2**step_bits inputs long, begin and end at `corners`."""
    entries = np.rint(np.ldexp(corners, fraction_bits)).astype(np.int64)
    return LineTable(entries[:-1], np.diff(entries), step_bits)
