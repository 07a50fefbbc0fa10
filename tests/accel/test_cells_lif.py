"""Spiking neurons in integers: their equations in exact fractions, a layer at a time because lists have an end."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.cells import lif
from deltatrain.accel.cells.lif import GAIN, SHARPNESS, SPIKES_ABOVE
from deltatrain.accel.engine import Formats
from deltatrain.accel.modes import encode_spikes
from deltatrain.accel.number import NumberFormat, quantise, to_float

any_formats = st.from_type(Formats)
seeds = st.integers(0, 2**32 - 1)
FINE = NumberFormat(bits=20, fraction_bits=15)


class Layer:
    """A layer in exact fractions."""

    def __init__(self, exact, formats, width):
        self.exact, self.formats, self.most = exact, formats, max(2, width // 4 // 2 * 2)
        self.alpha = self.constant(lif.ALPHA, formats.gate)
        self.loud, self.quiet = (self.constant(v, formats.state) for v in (SPIKES_ABOVE, lif.GRADIENT_ABOVE))

    def constant(self, value, number):
        return self.exact.real(int(quantise(np.array(value), number)), number)

    def keep(self, value, number):
        return self.exact.real(self.exact.store(value, number), number)

    def listed(self, u):
        loud = [j for j, v in enumerate(u) if v > self.loud][: self.most]
        return loud, [j for j, v in enumerate(u) if self.quiet < v <= self.loud][: self.most - len(loud)]

    def forward(self, current, before):
        kept = [Fraction(0) if v > self.loud else self.alpha * v for v in before]
        return [self.keep(leak + new, self.formats.state) for leak, new in zip(kept, current, strict=True)]


@given(formats=any_formats, seed=seeds, width=st.integers(1, 20))
def test_forward_and_backward(exact, integers_in, formats, seed, width):
    rng, layer = np.random.default_rng(seed), Layer(exact, formats, width)
    M = integers_in(rng, formats.memory, (1, width)) >> rng.integers(0, formats.memory.bits, (1, width))
    state = integers_in(rng, formats.state, (1, width)) >> rng.integers(0, formats.state.bits, (1, width))
    after, h, tape = lif.forward(M, state, formats)
    u = layer.forward([exact.real(v, formats.memory) for v in M[0]], [exact.real(v, formats.state) for v in state[0]])
    assert [exact.real(v, formats.state) for v in after[0]] == u
    assert (tape == after).all()
    loud, quiet = layer.listed(u)
    one = min(1 << formats.activation.fraction_bits, formats.activation.highest)
    wanted = np.zeros(width, dtype=np.int64)
    wanted[loud], wanted[quiet] = one, encode_spikes.MARK
    assert (h == wanted).all()

    g_h, carry, later = integers_in(rng, formats.gradient, (3, width))
    g_M, before = lif.backward(g_h, carry, tape, later[None], formats)
    slopes = lif.surrogate(tape[0], formats)
    for j in range(width):
        slope = exact.real(slopes[j], formats.gate) if j in loud + quiet else Fraction(0)
        leaking = layer.alpha * exact.real(later[j], formats.gradient)
        expected = layer.keep(leaking + exact.real(g_h[j], formats.gradient) * slope, formats.gradient)
        assert exact.real(g_M[0, j], formats.gradient) == expected
    assert (before == carry).all()


def test_the_table_is_near_the_surrogate():
    """Within 2 % of its height; a chord lies above the curve most where the curve bends most, at the threshold."""
    formats = Formats(
        weight=FINE, activation=FINE, gate=FINE, state=FINE, gradient=FINE, learning_rate=FINE,
        memory_bits=48, weight_gradient_bits=44,
    )  # fmt: skip
    u = np.arange(-(1 << 15), 5 << 15, 7)
    wanted = GAIN / (SHARPNESS * GAIN * np.abs(to_float(u, 15) - SPIKES_ABOVE) + 1) ** 2
    error = to_float(lif.surrogate(u, formats), 15) - wanted
    assert np.abs(error).max() < 0.02 * GAIN
    assert np.abs(error)[np.abs(to_float(u, 15) - SPIKES_ABOVE) > 0.5].max() < 0.001 * GAIN
    assert lif.surrogate(quantise(np.array([SPIKES_ABOVE]), FINE), formats)[0] == quantise(np.array(GAIN), FINE)


@given(formats=any_formats, seed=seeds, width=st.integers(1, 20))
def test_a_list_holds_spikes_of_one_and_marks_of_zero_and_they_alone_get_gradients(formats, seed, width):
    rng = np.random.default_rng(seed)
    one = min(1 << formats.activation.fraction_bits, formats.activation.highest)
    value = rng.choice([0, one, encode_spikes.MARK], width)
    fired, held = encode_spikes.result(value, np.zeros(0, dtype=np.int64), 5, formats)
    assert dict(zip(fired.columns.tolist(), fired.delta.tolist(), strict=True)) == {
        j: (one if v == one else 0) for j, v in enumerate(value.tolist()) if v
    }
    assert len(held) == 0
    s = rng.integers(formats.gradient.lowest, formats.gradient.highest, len(fired.columns), endpoint=True)
    g, _ = encode_spikes.adjoint(np.zeros(width, dtype=np.int64), fired.columns, s, formats)
    assert (g[fired.columns] == s).all()
    assert not np.delete(g, fired.columns).any()


def test_a_layer_is_listed_up_to_an_even_number_of_at_least_two():
    assert [lif.listed_most(width) for width in (1, 8, 12, 100, 128)] == [2, 2, 2, 24, 32]
    spiking = np.array([[True] * 5 + [False] * 3, [False] * 8])
    near = ~spiking
    spikes, quiet = lif.listed(spiking, near)
    assert np.flatnonzero(spikes[0]).tolist() == [0, 1]
    assert not quiet[0].any()
    assert np.flatnonzero(quiet[1]).tolist() == [0, 1]


def test_one_step_by_hand():
    """A neuron at the threshold keeps its potential and leaks; one above begins anew."""
    formats = Formats(
        weight=FINE, activation=FINE, gate=FINE, state=FINE, gradient=FINE, learning_rate=FINE,
        memory_bits=48, weight_gradient_bits=44,
    )  # fmt: skip
    two = quantise(np.array([2.0, 2.001]), FINE)
    M = quantise(np.array([0.25, 0.25]), formats.memory)
    after, _, _ = lif.forward(M[None], two[None], formats)
    assert to_float(after[0], 15) == pytest.approx([0.95 * 2 + 0.25, 0.25], abs=1e-4)
