import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.activation import (
    EXPONENTIAL_ERROR,
    POWER_FRACTION_BITS,
    POWER_INPUT_FRACTION_BITS,
    SIGMOID_ERROR,
    SIGMOID_INPUT,
    TANH_ERROR,
    TANH_INPUT,
    power_of_two,
    power_table,
    sigmoid,
    tanh,
    tanh_table,
)
from deltatrain.accel.number import NumberFormat, to_float

EVERY = np.arange(TANH_INPUT.lowest, TANH_INPUT.highest + 1)
FUNCTIONS = {
    "tanh": (tanh, TANH_INPUT, TANH_ERROR, np.tanh),
    "sigmoid": (sigmoid, SIGMOID_INPUT, SIGMOID_ERROR, lambda v: 1 / (1 + np.exp(-v))),
}
with_both = pytest.mark.parametrize("name", FUNCTIONS)
with_gates = pytest.mark.parametrize(("bits", "fraction"), [(8, 6), (12, 10), (16, 14), (18, 16), (24, 22)])


@with_both
@with_gates
def test_every_input_is_within_the_stated_error(name, bits, fraction):
    function, inputs, error, truth = FUNCTIONS[name]
    gate = NumberFormat(bits=bits, fraction_bits=fraction)
    away = np.abs(to_float(function(EVERY, gate), fraction) - truth(to_float(EVERY, inputs.fraction_bits)))
    assert away.max() <= error + 2.0 ** -(fraction + 1)


@with_both
def test_the_stated_error_is_not_idle(name):
    function, inputs, error, truth = FUNCTIONS[name]
    away = np.abs(
        to_float(function(EVERY, NumberFormat(bits=40, fraction_bits=36)), 36)
        - truth(to_float(EVERY, inputs.fraction_bits))
    )
    assert error / 2 < away.max() <= error
    assert error <= 2.0**-11


@with_both
@with_gates
def test_monotone_over_every_input(name, bits, fraction):
    function = FUNCTIONS[name][0]
    assert (np.diff(function(EVERY, NumberFormat(bits=bits, fraction_bits=fraction))) >= 0).all()


@given(bits=st.integers(3, 24), spare=st.integers(1, 2))
def test_symmetry_is_exact(bits, spare):
    gate = NumberFormat(bits=bits, fraction_bits=bits - spare)
    positive = EVERY[EVERY >= 0]
    assert (tanh(-positive, gate) == -tanh(positive, gate)).all()
    assert (sigmoid(-positive, gate) == (1 << gate.fraction_bits) - sigmoid(positive, gate)).all()


@with_gates
def test_the_ends_and_the_middle(bits, fraction):
    gate = NumberFormat(bits=bits, fraction_bits=fraction)
    assert tanh(np.array([0]), gate) == 0
    assert sigmoid(np.array([0]), gate) == 1 << (fraction - 1)
    assert tanh(np.array([TANH_INPUT.lowest]), gate) == -tanh(np.array([TANH_INPUT.highest]), gate)


def test_a_16_bit_gate_reaches_one():
    gate = NumberFormat(bits=16, fraction_bits=14)
    assert tanh(EVERY[-1:], gate) == sigmoid(EVERY[-1:], gate) == 1 << 14
    assert sigmoid(EVERY[:1], gate) == 0


def test_tables_are_small_roms():
    assert len(tanh_table().base) == 256
    assert tanh_table().rise.min() >= 0 and tanh_table().rise.max() < 1 << 12
    assert tanh_table().base.min() >= 0 and tanh_table().base.max() <= 1 << 16
    assert len(power_table().base) == 64
    assert power_table().rise.min() >= -(1 << 14) and power_table().rise.max() < 0


def test_straight_lines_meet_at_their_corners():
    table = tanh_table()
    assert (table.base[:-1] + table.rise[:-1] == table.base[1:]).all()


def test_power_of_two_over_every_input_of_the_table():
    v = np.arange(1 << POWER_INPUT_FRACTION_BITS)
    truth = np.exp2(-to_float(v, POWER_INPUT_FRACTION_BITS))
    table = power_table()
    got = to_float(table.at(v), POWER_FRACTION_BITS + table.step_bits)
    assert (np.abs(got - truth) <= EXPONENTIAL_ERROR * truth).all()
    assert (np.diff(power_of_two(v)) <= 0).all()


@given(st.lists(st.integers(0, 2**30), min_size=1, max_size=20))
def test_power_of_two_drops_at_most_one_unit(values):
    v = np.array(values)
    truth = np.exp2(-to_float(v, POWER_INPUT_FRACTION_BITS))
    away = to_float(power_of_two(v), POWER_FRACTION_BITS) - truth
    assert (away <= EXPONENTIAL_ERROR * truth).all()
    assert (away >= -EXPONENTIAL_ERROR * truth - 2.0**-POWER_FRACTION_BITS).all()


def test_power_of_two_halves_exactly():
    whole = np.arange(POWER_FRACTION_BITS + 2)
    expected = (1 << POWER_FRACTION_BITS) >> whole
    assert (power_of_two(whole << POWER_INPUT_FRACTION_BITS) == expected).all()
