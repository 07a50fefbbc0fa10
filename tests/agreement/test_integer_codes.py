"""Codes of a machine's values: the trainer's codes of the same numbers, and the derivative that they give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.cell_arithmetic import CellArithmetic
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.engine import Formats
from deltatrain.accel.number import NumberFormat, to_float
from deltatrain.accel.tape_words import given_back
from deltatrain.accel.value_code import FUNCTIONS, MOST_BITS, integer_code, value_code
from deltatrain.workloads.arrays.few_bit import approximated
from deltatrain.workloads.arrays.packing import Array, packing_of
from deltatrain.workloads.cells import CELLS

CODED = ("rnn", "gru", "lstm")
WIDE = Formats(
    weight={"bits": 16, "fraction_bits": 10},
    activation={"bits": 16, "fraction_bits": 12},
    gate={"bits": 24, "fraction_bits": 20},
    state={"bits": 24, "fraction_bits": 18},
    gradient={"bits": 28, "fraction_bits": 20},
    learning_rate={"bits": 16, "fraction_bits": 15},
    memory_bits=48,
    weight_gradient_bits=48,
)


@pytest.mark.parametrize("sided", [False, True])
@pytest.mark.parametrize("function", FUNCTIONS)
@given(bits=st.integers(1, MOST_BITS), fraction_bits=st.integers(2, 14), room=st.integers(1, 2))
@settings(max_examples=20, deadline=None)  # codebooks are found once
def test_every_value_of_a_format_has_the_code_of_the_number_that_it_is(
    function: str, sided: bool, bits: int, fraction_bits: int, room: int
) -> None:
    gate = NumberFormat(bits=fraction_bits + 1 + room, fraction_bits=fraction_bits)
    values = np.arange(gate.lowest, gate.highest + 1)
    of_integers, of_numbers = integer_code(function, bits, sided, gate), value_code(function, bits, sided)
    codes = of_integers.encode(values)
    np.testing.assert_array_equal(codes, of_numbers.encode(to_float(values, fraction_bits)))
    stands = of_numbers.decode(codes, np.dtype(np.float64))
    assert np.abs(to_float(of_integers.decode(codes), fraction_bits) - stands).max() <= 2.0 ** -(fraction_bits + 1)
    assert codes.max() < 1 << of_integers.bits == 1 << of_numbers.bits


@pytest.mark.parametrize("code_bits", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("cell", CODED)
def test_gradients_are_those_of_the_few_bit_derivative_in_floating_point(cell: str, code_bits: int) -> None:
    """A step backward of the machine from its codes, against the trainer's from its own codes of the same numbers."""
    arithmetic, samples, width = CELL_ARITHMETIC.load(cell), 40, 9
    rng, gate = np.random.default_rng(code_bits), WIDE.gate.fraction_bits
    one = 1 << WIDE.memory.fraction_bits
    M = rng.integers(-4 * one, 4 * one, (arithmetic.ACCUMULATORS, samples, width))
    state = rng.integers(-1 << gate, 1 << gate, (len(arithmetic.STATE), samples, width))
    after, _, tape = arithmetic.forward(M, state, WIDE)
    g_h, carry = (rng.integers(-1 << gate, 1 << gate, (samples, width)) for _ in range(2))
    found, before = arithmetic.backward(
        g_h, carry, given_back(arithmetic, tape, code_bits, WIDE), np.zeros_like(M), WIDE
    )
    wanted, carried = _in_floats(cell, arithmetic, code_bits, (state, after, tape), (g_h, carry))
    np.testing.assert_allclose(to_float(found, WIDE.gradient.fraction_bits), wanted, atol=2.0**-13)
    if arithmetic.CARRIES:
        np.testing.assert_allclose(to_float(before, WIDE.gradient.fraction_bits), carried, atol=2.0**-13)
    exact, _ = arithmetic.backward(g_h, carry, tape, np.zeros_like(M), WIDE)
    furthest = to_float(np.abs(exact - found).max(), WIDE.gradient.fraction_bits)
    assert furthest > 2.0 ** -(3 + code_bits)  # codes are no detail


def _in_floats(
    cell: str,
    arithmetic: CellArithmetic,
    code_bits: int,
    left: tuple[Array, Array, Array],
    given_to: tuple[Array, Array],
) -> tuple[Array, Array]:
    """Return g(M) and the carry that the trainer's cell makes of the numbers that a machine's step stands for."""
    floating = CELLS.load(f"delta_{cell}")
    state, after, tape = left
    numbers = {
        name: to_float(values, (WIDE.state if name in arithmetic.WIDE else WIDE.gate).fraction_bits)
        for names, of_kind in ((arithmetic.STATE, after), (arithmetic.TAPE, tape))
        for name, values in zip(names, of_kind, strict=True)
    }
    numbers |= {
        f"{name}_before": to_float(values, (WIDE.state if name in arithmetic.WIDE else WIDE.gate).fraction_bits)
        for name, values in zip(arithmetic.STATE, state, strict=True)
    }
    twin = {"h": "h_gate"} if cell in ("rnn", "gru") else {}
    samples, width = tape.shape[1:]
    now, before = (
        np.stack([numbers.get(twin.get(name, name) + suffix, np.zeros((samples, width))) for name in floating.VALUES])
        for suffix in ("", "_before")
    )
    kept = approximated(floating, now, code_bits)
    packing = packing_of(np.ones(samples, np.int64))
    factors = floating.backward_factors(np.concatenate([before, kept], axis=1), np.arange(samples), packing)
    g_h, carry = (to_float(g, WIDE.gradient.fraction_bits) for g in given_to)
    g_M = np.zeros((arithmetic.ACCUMULATORS, samples, width))
    floating.backward(g_h, carry, factors, g_M)
    return g_M, carry
