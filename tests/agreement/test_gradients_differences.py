"""The analytic gradients against central differences of the loss: every parameter and every input, float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.network import (
    Network,
    Sizes,
    forward,
    from_flat,
    initial_parameters,
    input_gradient,
    loss_of,
    regulariser,
    training_step,
)

LENGTHS = np.array([2, 5, 1, 4])
DELTA_CELLS = [name for name in CELLS.names() if name.startswith("delta")]  # spikes: test_spikes_torch.py
FEATURES, CLASSES = 2, 3
STEP = 1e-5


def _central_differences(loss: Callable[[Array], float], at: Array) -> Array:
    gradient = np.empty_like(at)
    for index in np.ndindex(at.shape):
        above, below = at.copy(), at.copy()
        above[index] += STEP
        below[index] -= STEP
        gradient[index] = (loss(above) - loss(below)) / (2 * STEP)
    return gradient


def _relative_error(found: Array, wanted: Array) -> float:
    """Largest error relative to the element, or to the array's typical size for elements much smaller than that."""
    if not wanted.size:
        return 0.0
    typical = np.sqrt(np.mean(wanted**2))
    return float(np.max(np.abs(found - wanted) / np.maximum(np.abs(wanted), typical)))


@pytest.mark.parametrize("readout", ["last", "every"])
@pytest.mark.parametrize("hidden", [(4,), (3, 2)])
@pytest.mark.parametrize("cell", DELTA_CELLS)
@pytest.mark.parametrize(("theta", "beta"), [(None, 0.0), (0.0, 0.0), (0.0, 0.3), (0.15, 0.0), (0.15, 0.3)])
def test_gradients_equal_central_differences(
    cell: str, hidden: tuple[int, ...], readout: str, beta: float, theta: float | None
) -> None:
    rng = np.random.default_rng(7)
    sizes = Sizes(CELLS.load(cell), FEATURES, hidden, CLASSES)
    thresholds = None if theta is None else tuple((2 * theta, theta / (1 + layer)) for layer in range(len(hidden)))
    network = Network(sizes, thresholds, readout, beta)
    weights = 2 * initial_parameters(sizes, rng, np.dtype(np.float64)).flat()
    x = rng.standard_normal((LENGTHS.max(), len(LENGTHS), FEATURES))
    labels = rng.integers(0, CLASSES, len(LENGTHS))

    def loss(vector: Array, inputs: Array) -> float:
        ran = forward(network, from_flat(vector, sizes), inputs, LENGTHS)
        return loss_of(network, ran, labels)[0] + regulariser(network, ran)

    step = training_step(network, from_flat(weights, sizes), x, LENGTHS, labels)
    assert step.loss == pytest.approx(loss(weights, x), rel=1e-14)
    if theta:
        streams = [tape.fired_h if sizes.cell.TARGETS_H else tape.fired_x for tape in step.forward.tapes]
        fired = np.concatenate([stream.ravel() for stream in streams])
        assert 0.1 < fired.mean() < 0.9  # both branches of the threshold are at work
    wanted = _central_differences(lambda vector: loss(vector, x), weights)
    for found, expected in zip(step.gradients.arrays(), from_flat(wanted, sizes).arrays(), strict=True):
        assert _relative_error(found, expected) < 1e-6
    wanted_x = _central_differences(lambda inputs: loss(weights, inputs), x)
    assert _relative_error(input_gradient(network, from_flat(weights, sizes), step), wanted_x) < 1e-6
