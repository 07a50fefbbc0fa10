"""Overflow and rounding in gates against `accel.number`, over any formats."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import run

from deltatrain.accel import number as golden
from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.parts import number

widths = st.integers(2, 60)


@st.composite
def formats(draw):
    return NumberFormat(
        bits=draw(st.integers(2, 48)),
        fraction_bits=draw(st.integers(0, 20)),
        overflow=draw(st.sampled_from(["saturate", "wrap"])),
    )


def answers(bits, function, values):
    """Return `function`, of a signal to a value, of all `values`."""
    m, given_value = Module(), Signal(signed(bits))
    expression = function(given_value)
    answer = Signal(expression.shape())
    m.d.comb += answer.eq(expression)

    async def bench(ctx):
        found = []
        for value in values:
            ctx.set(given_value, value)
            await ctx.delay(1e-9)
            found.append(ctx.get(answer))
        return found

    m.d.sync += Signal().eq(0)  # so that there is a clock to run
    return run(m, bench)[0]


def telling_values(bits, shift):
    """Return the ends, and values around multiples of half of 2**shift, of a signed value of `bits`."""
    half, low, high = 1 << max(shift - 1, 0), -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    near = [k * half + d for k in (-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5) for d in (-1, 0, 1)]
    ends = [low, low + 1, low + half, high - half, high - 1, high]
    return sorted({min(max(value, low), high) for value in near + ends})


@settings(max_examples=60)
@given(widths, formats())
def test_fit(bits, fmt):
    values = telling_values(bits, fmt.bits)
    found = answers(bits, lambda value: number.fit(value, fmt), values)
    assert found == golden.fit(np.array(values), fmt).tolist()


@settings(max_examples=60)
@given(widths, st.integers(0, 62))
def test_rounding(bits, shift):
    values = telling_values(bits, min(shift, bits))
    found = answers(bits, lambda value: number.shift_right_nearest_even(value, shift), values)
    assert found == golden.shift_right_nearest_even(np.array(values), shift).tolist()


@settings(max_examples=60)
@given(st.integers(2, 40), st.integers(0, 20), formats())
def test_rescale(bits, fraction_bits, fmt):
    values = telling_values(bits, min(max(fraction_bits - fmt.fraction_bits, 0), bits))
    found = answers(bits, lambda value: number.rescale(value, fraction_bits, fmt), values)
    assert found == golden.rescale(np.array(values), fraction_bits, fmt).tolist()


@pytest.mark.parametrize(("value", "rounded"), [(1, 0), (2, 1), (3, 2), (-1, 0), (-3, -2), (6, 3), (5, 2), (7, 4)])
def test_ties_go_to_even(value, rounded):
    assert answers(8, lambda v: number.shift_right_nearest_even(v, 1), [value]) == [round(value / 2)] == [rounded]
