"""Outputs and gradients against PyTorch: autograd over a second statement of the thresholded network, and torch.nn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is the independent oracle: pip install '.[torch]'")

import torch
from stated_delta_layer import published, stated_layer

from deltatrain.workloads.arrays.packing import Array, unpack
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.network import (
    Network,
    Parameters,
    Sizes,
    forward,
    from_flat,
    initial_parameters,
    input_gradient,
    outputs,
    training_step,
)

Tensor = Any

LENGTHS = np.array([9, 4, 12, 1, 7])
DELTA_CELLS = [name for name in CELLS.names() if name.startswith("delta")]  # spikes: test_spikes_torch.py
FEATURES, CLASSES = 5, 4


def _case(cell: str, hidden: tuple[int, ...], inputs: str) -> tuple[Sizes, Parameters, Array, Array]:
    """Return sizes, parameters, inputs and labels. Where inputs are on a grid, values repeat exactly.

    They begin with silence, and without biases h stays exactly zero for as long. Later a frame comes twice.
    """
    rng = np.random.default_rng(5)
    sizes = Sizes(CELLS.load(cell), FEATURES, hidden, CLASSES)
    parameters = from_flat(2 * initial_parameters(sizes, rng, np.dtype(np.float64)).flat(), sizes)
    x = rng.standard_normal((LENGTHS.max(), len(LENGTHS), FEATURES))
    if inputs == "on a grid":
        x = np.round(2 * x) / 4
        x[:3], x[6] = 0, x[5]
        for layer in parameters.layers:
            layer.bias[...] = 0
    return sizes, parameters, x, rng.integers(0, CLASSES, len(LENGTHS))


def _stated_loss(cell: str, tensors: list[Tensor], x: Tensor, labels: Array, network: Network) -> Tensor:
    assert network.thresholds is not None
    *recurrent, W, b = tensors
    total = torch.zeros((), dtype=torch.float64)
    for sample, length in enumerate(LENGTHS):
        hs = [x[t, sample] for t in range(length)]
        for layer, theta in enumerate(network.thresholds):
            stated = stated_layer(cell, *recurrent[3 * layer : 3 * layer + 3], hs, theta)
            hs, total = stated.h, total + network.beta * stated.spent
        read = hs if network.readout == "every" else hs[-1:]
        logits = torch.stack([W @ h + b for h in read])
        target = torch.full((len(read),), int(labels[sample]))
        total = total + torch.nn.functional.cross_entropy(logits, target)
    return total / len(LENGTHS)


@pytest.mark.parametrize("beta", [0.0, 0.2])
@pytest.mark.parametrize("readout", ["last", "every"])
@pytest.mark.parametrize("hidden", [(7,), (6, 5)])
@pytest.mark.parametrize(
    ("inputs", "thetas"),
    [
        ("drawn", ((0.4, 0.1), (0.05, 0.1))),
        ("on a grid", ((0.5, 0.1), (0.05, 0.1))),  # differences of exactly theta_x
        ("on a grid", ((0.0, 0.1), (0.1, 0.0))),
        ("on a grid", ((0.5, 0.0), (0.0, 0.1))),
    ],
)
@pytest.mark.parametrize("cell", DELTA_CELLS)
def test_gradients_equal_autograd_over_a_second_statement(
    cell: str, hidden: tuple[int, ...], readout: str, beta: float, inputs: str, thetas: tuple[tuple[float, float], ...]
) -> None:
    sizes, parameters, x, labels = _case(cell, hidden, inputs)
    network = Network(sizes, thetas[: len(hidden)], readout, beta)
    step = training_step(network, parameters, x, LENGTHS, labels)
    if inputs == "on a grid":
        tape, theta = step.forward.tapes[0], thetas[0][0]
        assert ((np.abs(tape.delta_x) == theta) & (tape.fired_x if theta else tape.asked_x)).any(), "there are ties"

    tensors = [torch.tensor(array, requires_grad=True) for array in parameters.arrays()]
    inputs = torch.tensor(x, requires_grad=True)
    loss = _stated_loss(cell, tensors, inputs, labels, network)
    loss.backward()
    assert step.loss == pytest.approx(loss.item(), abs=1e-12)
    for found, tensor in zip(step.gradients.arrays(), tensors, strict=True):
        wanted = tensor.grad if len(tensor) else tensor  # no gradient comes to a matrix without rows
        np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(input_gradient(network, parameters, step), inputs.grad.numpy(), rtol=1e-10, atol=1e-12)


TORCH_CELLS = {"delta_rnn": "RNN", "delta_gru": "GRU", "delta_lstm": "LSTM"}


def _torch_network(cell: str, parameters: Parameters, hidden: tuple[int, ...]) -> Any:
    """The same weights in torch.nn, whose second bias matters to the GRU's candidate only."""
    kind, inputs = getattr(torch.nn, TORCH_CELLS[cell]), (FEATURES, *hidden[:-1])
    stacks = [kind(i, h).double() for i, h in zip(inputs, hidden, strict=True)]
    for stack, layer in zip(stacks, parameters.layers, strict=True):
        second = np.zeros(len(layer.W_h))
        first = layer.bias
        if cell == "delta_gru":
            width = layer.W_h.shape[1]
            first, second[2 * width :] = layer.bias[: 3 * width], layer.bias[3 * width :]
        state = {"weight_ih_l0": layer.W_x, "weight_hh_l0": layer.W_h, "bias_ih_l0": first, "bias_hh_l0": second}
        stack.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    return stacks


def _bias_gradient(cell: str, stack: Any) -> Array:
    first, second = stack.bias_ih_l0.grad.numpy(), stack.bias_hh_l0.grad.numpy()
    if cell != "delta_gru":
        np.testing.assert_allclose(first, second, rtol=1e-12)
        return first
    return np.concatenate([first, second[2 * stack.hidden_size :]])


@pytest.mark.parametrize("inputs", ["drawn", "on a grid"])
@pytest.mark.parametrize("thresholds", [None, 0.0])
@pytest.mark.parametrize("hidden", [(7,), (6, 5)])
@pytest.mark.parametrize("cell", TORCH_CELLS)
def test_without_thresholds_it_is_the_network_of_torch(
    cell: str, hidden: tuple[int, ...], thresholds: float | None, inputs: str
) -> None:
    sizes, parameters, x, labels = _case(cell, hidden, inputs)
    network = Network(sizes, None if thresholds is None else ((0.0, 0.0),) * len(hidden), "last", 0.0)
    ran = forward(network, parameters, x, LENGTHS)
    step = training_step(network, parameters, x, LENGTHS, labels)
    if inputs == "on a grid" and thresholds is not None:
        for tape in ran.tapes:
            assert (tape.asked_x & ~tape.fired_x).any() and (tape.asked_h & ~tape.fired_h).any(), "there are ties"

    inputs = torch.tensor(x, requires_grad=True)
    h = torch.nn.utils.rnn.pack_padded_sequence(inputs, torch.tensor(LENGTHS), enforce_sorted=False)
    stacks = _torch_network(cell, parameters, hidden)
    for stack in stacks:
        h, last = stack(h)
    every, _ = torch.nn.utils.rnn.pad_packed_sequence(h)
    found = unpack(outputs(network, ran.tapes[-1], ran.packing), ran.packing)
    np.testing.assert_allclose(found, every.detach().numpy(), rtol=0, atol=1e-12)

    W, b = (torch.tensor(array, requires_grad=True) for array in (parameters.W_out, parameters.bias_out))
    final = (last[0] if cell == "delta_lstm" else last)[0]
    loss = torch.nn.functional.cross_entropy(final @ W.T + b, torch.tensor(labels))
    loss.backward()
    assert step.loss == pytest.approx(loss.item(), abs=1e-12)
    for gradient, stack in zip(step.gradients.layers, stacks, strict=True):
        np.testing.assert_allclose(gradient.W_x, stack.weight_ih_l0.grad.numpy(), rtol=0, atol=1e-12)
        np.testing.assert_allclose(gradient.W_h, stack.weight_hh_l0.grad.numpy(), rtol=0, atol=1e-12)
        np.testing.assert_allclose(gradient.bias, _bias_gradient(cell, stack), rtol=0, atol=1e-12)
    np.testing.assert_allclose(step.gradients.W_out, W.grad.numpy(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(input_gradient(network, parameters, step), inputs.grad.numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("theta", [0.25, 0.1, 0.3])
@pytest.mark.parametrize("cell", DELTA_CELLS)
def test_at_exact_ties_the_published_rule_and_ours_fire_the_same(cell: str, theta: float, dtype: type) -> None:
    """Inputs on a grid of theta / 2 as the format holds it; theta_h is what an element of h moves by at first.

    The last of the packed samples ends there, so its h is never listed.
    """
    sizes, parameters, x, _ = _case(cell, (6,), "drawn")
    parameters = from_flat(parameters.flat().astype(dtype), sizes)
    x = (np.round(2 * x) * (dtype(theta) / 2)).astype(dtype)
    h_first = np.abs(forward(Network(sizes, ((theta, 1.0),), "last", 0.0), parameters, x, LENGTHS).tapes[0].values[-1])
    theta_h = float(np.sort(h_first[len(LENGTHS) : 2 * len(LENGTHS) - 1].ravel())[-8])
    ran = forward(Network(sizes, ((theta, theta_h),), "last", 0.0), parameters, x, LENGTHS)
    tape, h = ran.tapes[0], unpack(outputs(Network(sizes, None, "last", 0.0), ran.tapes[0], ran.packing), ran.packing)
    h_before = np.concatenate([np.zeros_like(h[:1]), h[:-1]])
    streams = [(x, tape.fired_x, theta), (h_before, tape.fired_h, theta_h)]
    for values, found, least in streams if sizes.cell.TARGETS_H else streams[:1]:
        ties, fired = 0, unpack(found, ran.packing)
        for sample, length in enumerate(LENGTHS):
            held = torch.zeros(values.shape[-1], dtype=torch.from_numpy(values).dtype)
            for t, value in enumerate(torch.from_numpy(values[:length, sample])):
                wanted = published(value, held, least)
                np.testing.assert_array_equal(fired[t, sample], wanted.numpy())
                ties += int(((value - held).abs() == torch.tensor(least, dtype=value.dtype)).sum())
                held = torch.where(wanted, value, held)
        assert ties, "some differences are exactly the threshold"
