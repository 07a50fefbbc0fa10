"""Where a value repeats exactly, a network without thresholds is the dense one: closed forms, and what is counted."""

from __future__ import annotations

import math

import numpy as np
import pytest

from deltatrain.workloads.arrays.layer import Layer
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.fired import fired_in
from deltatrain.workloads.network.network import Network, Parameters, Sizes, training_step
from deltatrain.workloads.trace import EpochCounts
from deltatrain.workloads.training.evaluation import recorded_step
from deltatrain.workloads.training.operations import matrix_macs

ONE_NEURON = Parameters((Layer(*np.ones((2, 1, 1)), np.zeros(1)),), np.array([[1.0], [0.0]]), np.zeros(2))


@pytest.mark.parametrize("thresholds", [((0.0, 0.0),), None])
def test_a_silent_first_frame_gives_the_bias_its_whole_gradient(
    thresholds: tuple[tuple[float, float], ...] | None,
) -> None:
    """Issue 14: h[0] = tanh(0) = 0 was taken for what did not fire, and half of the gradient was lost (-0.133678).

    h[1] = tanh(1 + tanh(b) + b), so dh[1]/db = 2 (1 - h[1]^2) at b = 0; dL/dh[1] = sigmoid(h[1]) - 1.
    """
    network = Network(Sizes(CELLS.load("delta_rnn"), 1, (1,), 2), thresholds, "last", 0.0)
    step = training_step(network, ONE_NEURON, np.array([[[0.0]], [[1.0]]]), np.array([2]), np.array([0]))
    h = math.tanh(1)
    wanted = 2 * (1 - h * h) * (1 / (1 + math.exp(-h)) - 1)
    assert wanted == pytest.approx(-0.267356, abs=1e-6)
    assert step.gradients.layers[0].bias[0] == pytest.approx(wanted, rel=1e-12)
    assert step.gradients.layers[0].W_x[0, 0] == pytest.approx(wanted / 2, rel=1e-12)


def test_what_is_asked_without_having_fired_is_recorded_and_counted() -> None:
    """Two layers of one neuron, inputs 0, 0, 1: in layer 1 both streams repeat zeros, and BP works through all."""
    sizes = Sizes(CELLS.load("delta_rnn"), 1, (1, 1), 2)
    parameters = ONE_NEURON._replace(layers=ONE_NEURON.layers * 2)
    x, lengths = np.array([[[0.0]], [[0.0]], [[1.0]]]), np.array([3])
    step = training_step(Network(sizes, ((0.0, 0.0),) * 2, "last", 0.0), parameters, x, lengths, np.array([0]))
    recorded = recorded_step(step.forward, 0, 0)
    assert [mask.ravel().tolist() for mask in recorded.fired_x] == [[False, False, True]] * 2
    assert [mask.ravel().tolist() for mask in recorded.fired_h] == [[False] * 3] * 2
    assert [mask.ravel().tolist() for mask in recorded.asked_x] == [[False, False, True], [True] * 3]
    assert [mask.ravel().tolist() for mask in recorded.asked_h] == [[False, True, True]] * 2
    macs = matrix_macs(EpochCounts(0, False, 0.0, 0.0, *fired_in(sizes.cell, step.forward)), sizes, "last")
    assert (macs.fp, macs.bp, macs.wg) == (2 + 2, 3 + 2 + 2 + 2, 2 + 2)  # the last two are the read-out's
    assert (macs.dense_fp, macs.dense_bp, macs.dense_wg) == (10 + 2 - 0, 7 + 2, 10 + 2)


def test_where_nothing_repeats_nothing_more_is_recorded() -> None:
    network = Network(Sizes(CELLS.load("delta_rnn"), 1, (1,), 2), ((0.0, 0.0),), "last", 0.0)
    step = training_step(network, ONE_NEURON, np.array([[[2.0]], [[1.0]]]), np.array([2]), np.array([0]))
    recorded = recorded_step(step.forward, 0, 0)
    assert recorded.asked_x == recorded.asked_h == ()
