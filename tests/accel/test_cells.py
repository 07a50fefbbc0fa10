"""The gate arithmetic against the cells' equations said again in exact fractions, one neuron at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.activation import SIGMOID_INPUT, TANH_INPUT, sigmoid, tanh
from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC, accumulator_rows, lif
from deltatrain.accel.engine import Formats
from deltatrain.accel.modes import cell_backward, cell_forward

any_formats = st.from_type(Formats)
seeds = st.integers(0, 2**32 - 1)
every_cell = pytest.mark.parametrize("name", CELL_ARITHMETIC.names())
every_neuron = pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])  # of others see test_gates_lif.py


class Neuron:
    """One neuron in exact fractions; `keep` rounds to a format and returns the fraction that is then stored."""

    def __init__(self, exact, formats):
        self.exact, self.formats = exact, formats

    def keep(self, value, number):
        return self.exact.real(self.exact.store(value, number), number)

    def look_up(self, function, inputs, value):
        return self.exact.real(
            function(np.array([self.exact.store(value, inputs)]), self.formats.gate)[0], self.formats.gate
        )

    def sigmoid(self, value):
        return self.look_up(sigmoid, SIGMOID_INPUT, value)

    def tanh(self, value):
        return self.look_up(tanh, TANH_INPUT, value)


class Rnn(Neuron):
    def forward(self, M, state):
        h = self.tanh(M[0])
        return (), self.keep(h, self.formats.activation), (h,)

    def backward(self, g_h, carry, tape, g_M):
        slope = self.keep(1 - tape[0] ** 2, self.formats.gate)
        return (self.keep(g_M[0] + g_h * slope, self.formats.gradient),), carry


class Gru(Neuron):
    def forward(self, M, state):
        gate, wide = self.formats.gate, self.formats.state
        r, z = self.sigmoid(M[0]), self.sigmoid(M[1])
        nx, nh = self.keep(M[2], wide), self.keep(M[3], wide)
        n = self.tanh(nx + r * nh)
        h = self.keep((1 - z) * n + z * state[0], gate)
        return (h,), self.keep(h, self.formats.activation), (r, z, n, nh, state[0])

    def backward(self, g_h, carry, tape, g_M):
        gate, wide, gradient = self.formats.gate, self.formats.state, self.formats.gradient
        r, z, n, nh, before = tape
        g = self.keep(g_h + carry, gradient)
        nx_slope = self.keep((1 - z) * self.keep(1 - n**2, gate), gate)
        nh_slope = self.keep(r * nx_slope, gate)
        r_slope = self.keep(self.keep(nh * (1 - r), wide) * nh_slope, wide)
        z_slope = self.keep((before - n) * self.keep(z * (1 - z), gate), gate)
        slopes = (r_slope, z_slope, nx_slope, nh_slope)
        stepped = tuple(self.keep(later + g * slope, gradient) for later, slope in zip(g_M, slopes, strict=True))
        return stepped, self.keep(g * z, gradient)


class Lstm(Neuron):
    def forward(self, M, state):
        i, f, o = self.sigmoid(M[0]), self.sigmoid(M[1]), self.sigmoid(M[3])
        g = self.tanh(M[2])
        c = self.keep(f * state[0] + i * g, self.formats.state)
        tanh_c = self.tanh(c)
        return (c,), self.keep(o * tanh_c, self.formats.activation), (i, f, g, o, state[0], tanh_c)

    def backward(self, g_h, carry, tape, g_M):
        gate, wide, gradient = self.formats.gate, self.formats.state, self.formats.gradient
        i, f, g, o, before, tanh_c = tape

        def bell(v):
            return self.keep(v * (1 - v), gate)

        g_c = self.keep(carry + g_h * self.keep(o * self.keep(1 - tanh_c**2, gate), gate), gradient)
        steps = (
            g_c * self.keep(g * bell(i), gate),
            g_c * self.keep(before * bell(f), wide),
            g_c * self.keep(i * self.keep(1 - g**2, gate), gate),
            g_h * self.keep(tanh_c * bell(o), gate),
        )
        stepped = tuple(self.keep(later + step, gradient) for later, step in zip(g_M, steps, strict=True))
        return stepped, self.keep(g_c * f, gradient)


NEURONS = {"rnn": Rnn, "gru": Gru, "lstm": Lstm}
STATE_FORMATS = {"h_gate": "gate", "u": "state", "c": "state", "c_before": "state", "nh": "state"}
"""The format of each name of STATE and TAPE; ``gate`` for those that are not listed."""


def format_of(formats, name):
    return getattr(formats, STATE_FORMATS.get(name, "gate"))


@st.composite
def neurons(draw):
    """Draw formats, a generator and a shape (..., H)."""
    shape = draw(st.sampled_from([(1,), (5,), (2, 3)]))
    return draw(any_formats), np.random.default_rng(draw(seeds)), shape


def steps_of(arithmetic, formats, rng, shape, integers_in):
    """Return M and state as a step may find them."""
    M = integers_in(rng, formats.memory, (arithmetic.ACCUMULATORS, *shape))
    M = np.where(rng.random(M.shape) < 0.5, M, M >> rng.integers(0, formats.memory.bits, M.shape))  # of every size
    state = [integers_in(rng, format_of(formats, name), shape) for name in arithmetic.STATE]
    one = 1 << formats.gate.fraction_bits
    state = [np.clip(v, -one, one) if name == "h_gate" else v for name, v in zip(arithmetic.STATE, state, strict=True)]
    return M, np.array(state, dtype=np.int64).reshape(len(arithmetic.STATE), *shape)


@every_neuron
@given(case=neurons())
def test_forward(exact, integers_in, name, case):
    formats, rng, shape = case
    arithmetic, neuron = CELL_ARITHMETIC.load(name), NEURONS[name](exact, formats)
    M, state = steps_of(arithmetic, formats, rng, shape, integers_in)
    after, h, tape = arithmetic.forward(M, state, formats)
    assert (after.shape, h.shape, tape.shape) == (state.shape, shape, (len(arithmetic.TAPE), *shape))
    for at in np.ndindex(shape):
        real_M = [exact.real(v, formats.memory) for v in M[:, *at]]
        real_state = [
            exact.real(v, format_of(formats, n)) for v, n in zip(state[:, *at], arithmetic.STATE, strict=True)
        ]
        one_state, one_h, one_tape = neuron.forward(real_M, real_state)
        assert exact.real(h[at], formats.activation) == one_h
        for got, names, expected in ((after, arithmetic.STATE, one_state), (tape, arithmetic.TAPE, one_tape)):
            assert [exact.real(v, format_of(formats, n)) for v, n in zip(got[:, *at], names, strict=True)] == list(
                expected
            )


@every_neuron
@given(case=neurons())
def test_backward(exact, integers_in, name, case):
    formats, rng, shape = case
    arithmetic, neuron = CELL_ARITHMETIC.load(name), NEURONS[name](exact, formats)
    tape = arithmetic.forward(*steps_of(arithmetic, formats, rng, shape, integers_in), formats)[2]
    g_h, carry = integers_in(rng, formats.gradient, (2, *shape))
    g_M = integers_in(rng, formats.gradient, (arithmetic.ACCUMULATORS, *shape))
    stepped, before = arithmetic.backward(g_h, carry, tape, g_M, formats)
    assert (stepped.shape, before.shape) == (g_M.shape, shape)
    for at in np.ndindex(shape):
        real_tape = [exact.real(v, format_of(formats, n)) for v, n in zip(tape[:, *at], arithmetic.TAPE, strict=True)]
        real_g_M = [exact.real(v, formats.gradient) for v in g_M[:, *at]]
        one_g_M, one_carry = neuron.backward(
            exact.real(g_h[at], formats.gradient), exact.real(carry[at], formats.gradient), real_tape, real_g_M
        )
        assert [exact.real(v, formats.gradient) for v in stepped[:, *at]] == list(one_g_M)
        assert exact.real(before[at], formats.gradient) == one_carry


class Counted(np.ndarray):
    """An array that counts the multiplications made with it, a neuron."""

    made = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **named):
        plain = [np.asarray(v) if isinstance(v, Counted) else v for v in inputs]
        if "out" in named:  # a sum in place
            named["out"] = tuple(np.asarray(v) for v in named["out"])
        result = getattr(ufunc, method)(*plain, **named)
        if ufunc is np.multiply:
            Counted.made += 1
        return result.view(Counted) if isinstance(result, np.ndarray) and result.dtype == np.int64 else result


@every_cell
def test_multiplications_are_counted_right(name, integers_in, monkeypatch):
    """Run each function on one neuron, every array of it counting; tables multiply for themselves and are left out."""
    formats, arithmetic, rng = (
        Architecture.named("tiny").engine.formats,
        CELL_ARITHMETIC.load(name),
        np.random.default_rng(0),
    )
    M, state = steps_of(arithmetic, formats, rng, (1,), integers_in)
    looked_up = []

    def watched(function):
        def look_up(v, gate):
            looked_up.append(np.asarray(v).size)
            return function(np.asarray(v), gate).view(Counted)

        return look_up

    with pytest.MonkeyPatch.context() as patch:
        for function in (tanh, sigmoid):
            if hasattr(arithmetic, function.__name__):
                patch.setattr(arithmetic, function.__name__, watched(function))
        Counted.made = 0
        _, _, tape = arithmetic.forward(M.view(Counted), state.view(Counted), formats)
        assert Counted.made == arithmetic.FORWARD_MULTIPLIES
    assert sum(looked_up) == arithmetic.LOOKUPS
    Counted.made = 0
    slope = lif.surrogate
    monkeypatch.setattr(lif, "surrogate", lambda u, *other: slope(np.asarray(u), *other).view(Counted))
    g_M = np.zeros((arithmetic.ACCUMULATORS, 1), dtype=np.int64).view(Counted)
    arithmetic.backward(g_M[0], g_M[0], np.asarray(tape).view(Counted), g_M, formats)
    assert Counted.made == arithmetic.BACKWARD_MULTIPLIES


@every_cell
def test_constants_fit_together(name):
    arithmetic = CELL_ARITHMETIC.load(name)
    assert set(arithmetic.BLOCKS_X) | set(arithmetic.BLOCKS_H) == set(range(arithmetic.ACCUMULATORS))
    assert len(set(arithmetic.BLOCKS_X)) == len(arithmetic.BLOCKS_X) and len(set(arithmetic.BLOCKS_H)) == len(
        arithmetic.BLOCKS_H
    )
    with_bias = arithmetic.BLOCKS_X * arithmetic.BIAS_X + arithmetic.BLOCKS_H * arithmetic.BIAS_H
    assert set(with_bias) == set(range(arithmetic.ACCUMULATORS))  # every accumulator gets one


@every_cell
@given(case=neurons())
def test_modes_take_memory_block_after_block(integers_in, name, case):
    formats, rng, _ = case
    arithmetic = CELL_ARITHMETIC.load(name)
    M, state = steps_of(arithmetic, formats, rng, (4,), integers_in)
    expected = arithmetic.forward(M, state, formats)
    got = cell_forward.result(arithmetic, M.ravel(), state, formats)
    assert all((a == b).all() for a, b in zip(got, expected, strict=True))
    g_M = integers_in(rng, formats.gradient, M.shape)
    g_h, carry = integers_in(rng, formats.gradient, (2, 4))
    stepped, before = arithmetic.backward(g_h, carry, expected[2], g_M, formats)
    got_M, got_before = cell_backward.result(arithmetic, g_h, carry, expected[2], g_M.ravel(), formats)
    assert (got_M == stepped.ravel()).all() and (got_before == before).all()


@given(blocks=st.permutations(range(4)), width=st.integers(1, 9))
def test_accumulator_rows(blocks, width):
    memory = np.arange(4 * width).reshape(4, width)
    assert (memory.ravel()[accumulator_rows(tuple(blocks), width)] == memory[list(blocks)].ravel()).all()


def test_a_gru_arrives_where_an_activation_alone_would_stand_still():
    """With z near 1 the state moves by less than a unit of h, and still reaches its end within a unit or so."""
    formats, arithmetic = Architecture.named("edge").engine.formats, CELL_ARITHMETIC.load("gru")
    one = 1 << formats.memory.fraction_bits
    M = np.array([[0], [4 * one], [one // 2], [0]])  # z = 0.982, n = tanh(0.5)
    state = np.zeros((1, 1), dtype=np.int64)
    for _ in range(600):
        state, h, _ = arithmetic.forward(M, state, formats)
    assert abs(h[0] - np.tanh(0.5) * 2**formats.activation.fraction_bits) < 1.5
