"""Adders and multipliers of any width, as multiples of those in a table: one rule for energy and for area.

An adder has a cell for each bit, a multiplier one for each bit of one factor times each of the other, and each cell
takes its area and, each time, its energy. Horowitz's own rows (`accel/energy/horowitz_45nm.toml`) hold to that: from 32
to 8 bits the rule is 3 % below the published multiplication and 17 % below the published addition.
"""

from __future__ import annotations

from typing import NamedTuple

from deltatrain.accel.energy.prices import Prices
from deltatrain.accel.engine import Formats
from deltatrain.accel.op_table import Phase


class Operands(NamedTuple):
    """Widths of one multiply-accumulate: of its two factors, and of the sum that the product is added to."""

    first_bits: int
    second_bits: int
    sum_bits: int


def lane_operands(formats: Formats) -> dict[Phase, Operands]:
    """Return what a lane multiplies and adds in each phase: each has one mode on the lanes (`accel.modes`)."""
    forward = Operands(formats.weight.bits, formats.activation.bits, formats.memory_bits)
    return {
        "FP": forward,
        "RF": forward,
        "BP": Operands(formats.weight.bits, formats.gradient.bits, formats.memory_bits),
        "WG": Operands(formats.activation.bits, formats.gradient.bits, formats.weight_gradient_bits),
        "WU": Operands(formats.weight_gradient_bits, formats.learning_rate.bits, formats.weight.bits),
    }


def elementwise_bits(formats: Formats) -> int:
    """Return the width of both factors in the element-wise unit: the widest of gate, state and gradient."""
    return max(formats.gate.bits, formats.state.bits, formats.gradient.bits)


def multipliers(known: Prices, first_bits: int, second_bits: int) -> float:
    """Return how many of the table's multipliers one of these factors is worth; a missing row is a `ConfigError`."""
    return first_bits * second_bits / known("multiply", "bits") ** 2


def adders(known: Prices, bits: int, row: str = "add") -> float:
    """Return how many of the adders in a row of the table one of `bits` is worth; errors as for `multipliers`."""
    return bits / known(row, "bits")
