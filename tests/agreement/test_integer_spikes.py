"""The integer training step of spiking networks against the float one, whose equations PyTorch checks.

In formats so fine that rounding is small beside every number, and with the table of the surrogate and the loss replaced
by the functions themselves: then what fires is the same, and gradients agree to the rounding of some hundred sums.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.cells import CELL_ARITHMETIC, lif
from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.family import given as given_neuron
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.modes import loss
from deltatrain.accel.number import quantise, to_float
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.network import Network, Sizes, from_flat, initial_parameters
from deltatrain.workloads.network.network import training_step as float_training_step
from deltatrain.workloads.training.integer_parameters import dequantised, quantised
from deltatrain.workloads.training.integer_training import IntegerNetwork, recorded_step, training_step

WIDE = Formats(
    weight={"bits": 20, "fraction_bits": 16},
    activation={"bits": 24, "fraction_bits": 20},
    gate={"bits": 24, "fraction_bits": 22},
    state={"bits": 26, "fraction_bits": 20},
    gradient={"bits": 24, "fraction_bits": 18},
    learning_rate={"bits": 16, "fraction_bits": 15},
    memory_bits=48,
    weight_gradient_bits=48,
)
FEATURES, CLASSES = 6, 4


NEURONS = (LeakyNeuron(), LeakyNeuron(reset="subtract", listed_share=0.25, listed_first="random"))


def _exact_slope(u, formats, neuron):
    distance = np.abs(to_float(u, formats.state.fraction_bits) / neuron.threshold - 1)
    return quantise(1 / (neuron.sharpness * distance + 1) ** 2 / neuron.threshold, formats.gate)


def _exact_loss(logits, label, formats):
    power = np.exp(to_float(logits - logits.max(), formats.memory.fraction_bits))
    return quantise(power / power.sum() - (np.arange(len(power)) == label), formats.gradient)


@pytest.mark.parametrize("readout", ["last", "every"])
@pytest.mark.parametrize("cell", ["lif", "lif_recurrent"])
@pytest.mark.parametrize("neuron", NEURONS)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1))
def test_integers_are_the_equations_but_for_rounding(cell, readout, neuron, seed):
    rng = np.random.default_rng(seed)
    hidden, steps = (12, 8), int(rng.integers(2, 12))
    arithmetic, floating = (given_neuron(family.load(cell), neuron=neuron) for family in (CELL_ARITHMETIC, CELLS))
    sizes = Sizes(floating, FEATURES, hidden, CLASSES)
    drawn = from_flat(4 * initial_parameters(sizes, rng, np.dtype(np.float64)).flat(), sizes)
    integers = quantised(drawn, arithmetic, WIDE)
    engine = Engine(clock_hz=10**8, lanes=4, encoder_elements=4, elementwise_lanes=4, formats=WIDE)
    x, label = (rng.random((steps, FEATURES)) < 0.5).astype(np.int64), int(rng.integers(CLASSES))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lif, "surrogate", _exact_slope)
        patch.setattr(loss, "result", _exact_loss)
        one = 1 << WIDE.activation.fraction_bits
        step = training_step(
            IntegerNetwork(arithmetic, engine, ((0, 0),) * 2, readout), integers, [x * one], [label], 1
        )
    floats = dequantised(integers, arithmetic, WIDE)
    network = Network(sizes, ((0.0, 0.0),) * 2, readout, 0.0)
    wanted = float_training_step(network, floats, x[:, None].astype(float), np.array([steps]), np.array([label]))
    recorded = recorded_step(step, (FEATURES, *hidden))
    for layer, tape in enumerate(wanted.forward.tapes):
        for name in ("fired_x", "fired_h"):
            np.testing.assert_array_equal(getattr(recorded, name)[layer][:, 0], getattr(tape, name))
        if recorded.asked_x:
            np.testing.assert_array_equal(recorded.asked_x[layer][:, 0], tape.asked_x)
    fraction, times = WIDE.weight_gradient.fraction_bits, 1 if readout == "last" else steps
    for dW, gradient in zip(step.gradients.layers, wanted.gradients.layers, strict=True):
        found = to_float(dW.W_x, fraction)
        np.testing.assert_allclose(found[:, :-1], gradient.W_x * times, atol=1e-4)
        np.testing.assert_allclose(found[:, -1], gradient.bias * times, atol=1e-4)
        np.testing.assert_allclose(to_float(dW.W_h, fraction), gradient.W_h * times, atol=1e-4)
    found = to_float(step.gradients.readout, fraction)
    np.testing.assert_allclose(found[:, :-1], wanted.gradients.W_out * times, atol=1e-4)
    np.testing.assert_allclose(found[:, -1], wanted.gradients.bias_out * times, atol=1e-4)


def test_the_tolerance_is_small_beside_the_gradients():
    rng = np.random.default_rng(1)
    sizes = Sizes(CELLS.load("lif_recurrent"), FEATURES, (12, 8), CLASSES)
    drawn = from_flat(4 * initial_parameters(sizes, rng, np.dtype(np.float64)).flat(), sizes)
    x = (rng.random((9, 1, FEATURES)) < 0.5).astype(float)
    network = Network(sizes, ((0.0, 0.0),) * 2, "every", 0.0)
    step = float_training_step(network, drawn, x, np.array([9]), np.array([1]))
    assert np.abs(step.gradients.layers[0].W_x).max() * 9 > 0.02
