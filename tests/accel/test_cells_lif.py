"""Spiking neurons in integers: their equations in exact fractions, a layer at a time because lists have an end."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stated_neurons import most_of, order_of

from deltatrain.accel.cells import lif
from deltatrain.accel.engine import Formats
from deltatrain.accel.family import given as given_neuron
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.modes import encode_spikes
from deltatrain.accel.number import NumberFormat, quantise, to_float
from deltatrain.accel.surrogates import SURROGATES

any_formats = st.from_type(Formats)
seeds = st.integers(0, 2**32 - 1)
FINE = NumberFormat(bits=20, fraction_bits=15)
FINE_FORMATS = Formats(
    weight=FINE, activation=FINE, gate=FINE, state=FINE, gradient=FINE, learning_rate=FINE,
    memory_bits=48, weight_gradient_bits=44,
)  # fmt: skip


NEURONS = (
    LeakyNeuron(),
    LeakyNeuron(listed_share=0.25),
    LeakyNeuron(listed_share=0.25, listed_first="random", reset="subtract", decay=0.6, threshold=1.3),
    LeakyNeuron(reset="subtract", decay=1.0, learns_above=0.4, surrogate="triangle", sharpness=2.0),
)


class StatedLayer:
    """A layer in exact fractions."""

    def __init__(self, exact, formats, neuron):
        self.exact, self.formats, self.neuron = exact, formats, neuron
        self.decay = self.constant(neuron.decay, formats.gate)
        self.loud, self.quiet = (self.constant(v, formats.state) for v in (neuron.threshold, neuron.near))

    def constant(self, value, number):
        return self.exact.real(int(quantise(np.array(value), number)), number)

    def keep(self, value, number):
        return self.exact.real(self.exact.store(value, number), number)

    def listed(self, u):
        loud = [j for j, v in enumerate(u) if v > self.loud]
        quiet = [j for j, v in enumerate(u) if self.quiet < v <= self.loud]
        most, order = most_of(self.neuron, len(u)), order_of(self.neuron, [*loud, *quiet], len(u))
        spikes = [j for j in order if j in loud][:most]
        return spikes, [j for j in order if j in quiet][: most - len(spikes)]

    def left(self, v):
        if v > self.loud:
            return Fraction(0) if self.neuron.reset == "zero" else self.decay * v - self.loud
        return self.decay * v

    def forward(self, current, before):
        return [self.keep(self.left(v) + new, self.formats.state) for v, new in zip(before, current, strict=True)]


@pytest.mark.parametrize("neuron", NEURONS)
@given(formats=any_formats, seed=seeds, width=st.integers(1, 20))
@settings(max_examples=30)
def test_forward_and_backward(exact, integers_in, neuron, formats, seed, width):
    rng, layer, cell = (
        np.random.default_rng(seed),
        StatedLayer(exact, formats, neuron),
        given_neuron(lif, neuron=neuron),
    )
    M = integers_in(rng, formats.memory, (1, width)) >> rng.integers(0, formats.memory.bits, (1, width))
    state = integers_in(rng, formats.state, (1, width)) >> rng.integers(0, formats.state.bits, (1, width))
    after, h, tape = cell.forward(M, state, formats)
    u = layer.forward([exact.real(v, formats.memory) for v in M[0]], [exact.real(v, formats.state) for v in state[0]])
    assert [exact.real(v, formats.state) for v in after[0]] == u
    assert (tape == after).all()
    loud, quiet = layer.listed(u)
    one = min(1 << formats.activation.fraction_bits, formats.activation.highest)
    wanted = np.zeros(width, dtype=np.int64)
    wanted[loud], wanted[quiet] = one, encode_spikes.MARK
    assert (h == wanted).all()

    g_h, carry, later = integers_in(rng, formats.gradient, (3, width))
    g_M, before = cell.backward(g_h, carry, tape, later[None], formats)
    slopes = cell.surrogate(tape[0], formats)
    for j in range(width):
        slope = exact.real(slopes[j], formats.gate) if j in loud + quiet else Fraction(0)
        leaking = layer.decay * exact.real(later[j], formats.gradient)
        expected = layer.keep(leaking + exact.real(g_h[j], formats.gradient) * slope, formats.gradient)
        assert exact.real(g_M[0, j], formats.gradient) == expected
    assert (before == carry).all()


SLOPES = {
    "fast_sigmoid": lambda v: 1 / (10 * v + 1) ** 2,
    "arctan": lambda v: 1 / (100 * v**2 + 1),
    "triangle": lambda v: np.maximum(1 - 10 * v, 0),
}


@pytest.mark.parametrize("name", SURROGATES.names())
def test_the_table_is_near_the_surrogate(name):
    """Within 2 % of its height; a chord lies above the curve most where the curve bends most, at the threshold."""
    formats, neuron = FINE_FORMATS, LeakyNeuron(surrogate=name)
    u = np.arange(-(1 << 15), 5 << 15, 7)
    distance = np.abs(to_float(u, 15) - 2)
    error = to_float(lif.surrogate(u, formats, neuron), 15) - SLOPES[name](distance / 2) / 2
    assert np.abs(error).max() < 0.01
    assert np.abs(error)[distance > 0.5].max() < 0.0005
    assert lif.surrogate(quantise(np.array([2.0]), FINE), formats, neuron)[0] == quantise(np.array(0.5), FINE)


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


def test_one_step_by_hand():
    """A neuron at the threshold keeps its potential and leaks; one above begins anew."""
    formats = FINE_FORMATS
    two = quantise(np.array([2.0, 2.001]), FINE)
    M = quantise(np.array([0.25, 0.25]), formats.memory)
    after, _, _ = lif.forward(M[None], two[None], formats)
    assert to_float(after[0], 15) == pytest.approx([0.95 * 2 + 0.25, 0.25], abs=1e-4)
