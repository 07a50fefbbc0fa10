"""Loss and gradients of distillation against central differences, and against PyTorch's losses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from deltatrain.workloads.arrays.packing import pack, packing_of
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.data.recordings import Sequences
from deltatrain.workloads.incremental.distillation import Teacher, binary_loss, chances_of
from deltatrain.workloads.network.network import Network, Parameters, Sizes, forward, from_flat, initial_parameters
from deltatrain.workloads.training.streams import WHOLE, Window, windows

OLD, CLASSES = 2, 4
LENGTHS = np.array([5, 2, 7, 4])
LABELS = np.array([0, 3, 1, 2])  # the first and the third are of old classes


class _Case(NamedTuple):
    network: Network
    parameters: Parameters
    teacher: Teacher
    window: Window


def _case(thresholds: tuple[tuple[float, float], ...] | None = ((0.2, 0.05),)) -> _Case:
    rng = np.random.default_rng(3)
    sizes = Sizes(CELLS.load("delta_lstm"), 3, (4,), CLASSES)
    parameters = from_flat(2 * initial_parameters(sizes, rng, np.dtype(np.float64)).flat(), sizes)
    values = rng.standard_normal((LENGTHS.sum(), 3)).astype(np.float32)
    said = rng.random((LENGTHS.sum(), OLD)).astype(np.float32)
    teacher = Teacher(Sequences(values, LENGTHS, said, stepwise=True), weight=0.7)
    (window,) = windows(Sequences(values, LENGTHS, LABELS), np.array([2, 0, 3, 1]), WHOLE)
    return _Case(Network(sizes, thresholds, "every", 0.0), parameters, teacher, window)


@pytest.mark.parametrize("thresholds", [None, ((0.2, 0.05),)])
def test_gradients_are_central_differences(thresholds: tuple[tuple[float, float], ...] | None) -> None:
    network, parameters, teacher, window = _case(thresholds)
    vector, off = parameters.flat(), 1e-6
    found = teacher.step(network, parameters, window, ()).gradients.flat()
    steps = np.eye(len(vector)) * off
    losses = [
        [teacher.step(network, from_flat(vector + sign * step, network.sizes), window, ()).loss for sign in (1, -1)]
        for step in steps
    ]
    expected = np.array([(above - below) / (2 * off) for above, below in losses])
    assert_allclose(found, expected, atol=1e-8)
    assert np.abs(expected).max() > 0.01


def test_loss_and_gradients_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    network, parameters, teacher, window = _case()
    ran = forward(network, parameters, window.x, window.lengths)
    W, b = (torch.tensor(array, requires_grad=True) for array in (parameters.W_out, parameters.bias_out))
    h = torch.tensor(ran.tapes[0].values[network.sizes.cell.VALUES.index("h"), len(LENGTHS) :])
    logits, packing = h @ W.T + b, packing_of(window.lengths)
    said = torch.tensor(pack(teacher.chances.wanted(window.samples), packing), dtype=torch.float64)
    loss, row = 0.0, 0
    for n in packing.active:
        for sample in packing.order[:n]:
            label, share = int(window.labels[sample]), 1 / (int(window.lengths[sample]) * len(LENGTHS))
            loss += share * torch.nn.functional.cross_entropy(logits[row : row + 1], torch.tensor([label]))
            if label < OLD:
                both = logits[row, :OLD], said[row]
                loss += 0.7 * share * torch.nn.functional.binary_cross_entropy_with_logits(*both, reduction="sum")
            row += 1
    loss.backward()
    step = teacher.step(network, parameters, window, ())
    assert_allclose(step.loss, loss.item())
    assert_allclose(step.gradients.W_out, W.grad, atol=1e-12)
    assert_allclose(step.gradients.bias_out, b.grad, atol=1e-12)


def test_recordings_of_new_classes_are_not_distilled() -> None:
    network, parameters, teacher, window = _case()
    other = teacher.chances.labels.copy()
    begins = np.cumsum(LENGTHS) - LENGTHS
    for new in np.flatnonzero(LABELS >= OLD):
        other[begins[new] : begins[new] + LENGTHS[new]] = 0.123
    changed = teacher._replace(chances=Sequences(teacher.chances.values, LENGTHS, other, stepwise=True))
    one, two = (said.step(network, parameters, window, ()) for said in (teacher, changed))
    assert one.loss == two.loss
    assert_array_equal(one.gradients.flat(), two.gradients.flat())


def test_chances_are_sigmoids_and_the_gradient_ends_at_them() -> None:
    logits = np.array([[-800.0, -2.0, 0.0, 3.0, 800.0]])
    chances = chances_of(logits)
    assert_allclose(chances, [[0, 1 / (1 + np.exp(2)), 0.5, 1 / (1 + np.exp(-3)), 1]])
    loss, gradient = binary_loss(logits, chances, np.ones(1))
    assert np.isfinite(loss)
    assert_array_equal(gradient, np.zeros((1, 5)))
