"""Spiking networks against PyTorch: autograd over a second statement with a surrogate; differences of smooth spikes.

The statement is in the published units (u' = k * sum of I, threshold 1), snnTorch-like: a loop over steps, a spike as
a function of its own whose backward is the surrogate. Central differences say nothing about a step function, so they
are taken of the network with the spike replaced by the integral of its surrogate, of which the same backward pass is
the exact gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.workloads.arrays.packing import Array, unpack
from deltatrain.workloads.cells import CELLS, lif
from deltatrain.workloads.network.network import (
    Network,
    Sizes,
    cross_entropy,
    forward,
    from_flat,
    initial_parameters,
    input_gradient,
    outputs,
    training_step,
)

torch = pytest.importorskip("torch", reason="PyTorch is the independent oracle: pip install '.[oracle]'")
Tensor = Any

ALPHA, THRESHOLD, NEAR, BETA = 0.95, 1.0, 0.9, 10.0
K = 10 * (1 - ALPHA)
SPIKING = ("lif", "lif_recurrent")
CLASSES = 4
LENGTHS = np.array([9, 4, 12, 1, 7])


class Spike(torch.autograd.Function):
    """1 above the threshold for at most `most` neurons; backward the surrogate, for whoever is listed."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, most: int) -> Tensor:
        loud = [j for j in range(len(u)) if u[j] > THRESHOLD][:most]
        quiet = [j for j in range(len(u)) if NEAR < u[j] <= THRESHOLD][: most - len(loud)]
        listed = torch.zeros_like(u)
        listed[loud + quiet] = 1.0
        ctx.save_for_backward(u, listed)
        spikes = torch.zeros_like(u)
        spikes[loud] = 1.0
        return spikes

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        u, listed = ctx.saved_tensors
        return g * listed / (BETA * (u - THRESHOLD).abs() + 1) ** 2, None


class Leak(torch.autograd.Function):
    """alpha * u, or 0 after a spike; backward alpha whatever happened: the reset is a constant."""

    @staticmethod
    def forward(ctx: Any, u: Tensor) -> Tensor:
        return torch.where(u > THRESHOLD, torch.zeros_like(u), ALPHA * u)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return ALPHA * g


def _stated_layer(W_x: Tensor, W_h: Tensor, bias: Tensor, xs: list[Tensor]) -> list[Tensor]:
    width = len(bias)
    most = max(2, int(0.25 * width) // 2 * 2)
    u = s = torch.zeros(width, dtype=torch.float64)
    spikes = []
    for t, x in enumerate(xs):
        current = W_x @ x + (W_h @ s if len(W_h) else 0) + (bias if t == 0 else 0)
        u = Leak.apply(u) + K * current
        s = Spike.apply(u, most)
        spikes.append(s)
    return spikes


def _stated_loss(tensors: list[Tensor], x: Tensor, labels: Array, network: Network) -> tuple[Tensor, list[Tensor]]:
    *recurrent, W, b = tensors
    total, tops = torch.zeros((), dtype=torch.float64), []
    for sample, length in enumerate(LENGTHS):
        hs = [x[t, sample] for t in range(length)]
        for layer in range(len(network.sizes.hidden)):
            total = total + network.beta * sum(h.abs().sum() for h in hs)
            hs = _stated_layer(*recurrent[3 * layer : 3 * layer + 3], hs)
            if len(recurrent[3 * layer + 1]):
                total = total + network.beta * sum(h.abs().sum() for h in hs[:-1])
        read = hs if network.readout == "every" else hs[-1:]
        logits = torch.stack([W @ h + b for h in read])
        total = total + torch.nn.functional.cross_entropy(logits, torch.full((len(read),), int(labels[sample])))
        tops.append(torch.stack(hs))
    return total / len(LENGTHS), tops


def _case(cell: str, hidden: tuple[int, ...], readout: str, beta: float, seed: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    sizes = Sizes(CELLS.load(cell), 6, hidden, CLASSES)
    network = Network(sizes, ((0.0, 0.0),) * len(hidden), readout, beta)
    parameters = from_flat(4 * initial_parameters(sizes, rng, np.dtype(np.float64)).flat(), sizes)
    x = (rng.random((LENGTHS.max(), len(LENGTHS), 6)) < 0.5).astype(np.float64)
    return network, parameters, x, rng.integers(0, CLASSES, len(LENGTHS))


@pytest.mark.parametrize("beta", [0.0, 0.2])
@pytest.mark.parametrize("readout", ["last", "every"])
@pytest.mark.parametrize("hidden", [(9,), (12, 8)])
@pytest.mark.parametrize("cell", SPIKING)
def test_spikes_and_gradients_equal_autograd_over_a_second_statement(
    cell: str, hidden: tuple[int, ...], readout: str, beta: float
) -> None:
    listed = 0.0
    for seed in range(3):
        network, parameters, x, labels = _case(cell, hidden, readout, beta, seed)
        step = training_step(network, parameters, x, LENGTHS, labels)
        tensors = [torch.tensor(array, requires_grad=True) for array in parameters.arrays()]
        inputs = torch.tensor(x, requires_grad=True)
        loss, tops = _stated_loss(tensors, inputs, labels, network)
        loss.backward()
        assert step.loss == pytest.approx(loss.item(), abs=1e-12)
        found = unpack(outputs(network, step.forward.tapes[-1], step.forward.packing), step.forward.packing)
        for sample, top in enumerate(tops):
            np.testing.assert_array_equal(found[: len(top), sample], top.detach().numpy())
        for gradient, tensor in zip(step.gradients.arrays(), tensors, strict=True):
            if gradient.size:  # without a recurrent matrix there is none
                np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-10, atol=1e-12)
        if len(hidden) == 1:  # of the data itself every element that is not zero has a gradient
            wanted = inputs.grad.numpy() * (x != 0)
            np.testing.assert_allclose(input_gradient(network, parameters, step), wanted, rtol=1e-10, atol=1e-12)
        listed += sum(float(np.abs(array).sum()) for array in step.gradients.layers[0])
    assert listed > 0.01  # spikes and gradients there were


def test_gradient_only_neurons_say_nothing_and_learn() -> None:
    network, parameters, x, labels = _case("lif", (12, 8), "every", 0.0, 1)
    step = training_step(network, parameters, x, LENGTHS, labels)
    tape = step.forward.tapes[1]
    silent = tape.asked_x & ~tape.fired_x
    assert silent.any()
    assert not tape.delta_x[silent].any()
    below = step.g_memory[0]
    own = below[silent]
    assert np.abs(own).max() > 0


@given(seed=st.integers(0, 2**32 - 1), width=st.integers(1, 40))
@settings(max_examples=50)
def test_no_more_neurons_are_listed_than_there_is_room_for_and_spikes_come_first(seed: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    u = rng.normal(2.0, 0.3, (7, width))
    most = max(2, int(0.25 * width) // 2 * 2)
    spikes, near = lif._listed_at(u)
    for row, loud, quiet in zip(u, spikes, near, strict=True):
        above = np.flatnonzero(row > lif.SPIKES_ABOVE)
        between = np.flatnonzero((row > lif.GRADIENT_ABOVE) & (row <= lif.SPIKES_ABOVE))
        assert np.flatnonzero(loud).tolist() == above[:most].tolist()
        assert np.flatnonzero(quiet).tolist() == between[: max(0, most - len(above))].tolist()


def _smooth(u: Array) -> Array:
    """The integral of the surrogate: rises from 0 to 1 / beta at the threshold and on to 2 / beta."""
    distance = BETA * np.abs(K * u - THRESHOLD)
    half = distance / (distance + 1) / BETA
    smooth: Array = 1 / BETA + np.where(K * u > THRESHOLD, half, -half)
    return smooth


@pytest.mark.parametrize("readout", ["last", "every"])
@pytest.mark.parametrize("cell", SPIKING)
def test_gradients_of_smooth_spikes_equal_central_differences(
    cell: str, readout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Smooth spikes, nobody reset and everybody listed: then the backward pass is the exact gradient."""

    def forward_smooth(M: Array, before: Array, now: Array) -> None:
        now[0] = ALPHA * before[0] + M
        now[1] = _smooth(now[0])
        M[...] = 0

    def all_of(u: Array) -> tuple[Array, Array]:
        return np.ones(u.shape, np.bool_), np.zeros(u.shape, np.bool_)

    module = CELLS.load(cell)
    monkeypatch.setattr(module, "forward", forward_smooth)
    monkeypatch.setattr(lif, "_listed_at", all_of)
    network, parameters, x, labels = _case(cell, (5, 4), readout, 0.0, 3)
    x = x + 0.5

    def loss(vector: Array) -> float:
        return cross_entropy(network, forward(network, from_flat(vector, network.sizes), x, LENGTHS), labels)[0]

    at, step = parameters.flat(), 1e-6
    wanted = np.empty_like(at)
    for j in range(len(at)):
        one = np.zeros_like(at)
        one[j] = step
        wanted[j] = (loss(at + one) - loss(at - one)) / (2 * step)
    found = training_step(network, parameters, x, LENGTHS, labels).gradients.flat()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)
    assert np.abs(found).max() > 1e-3
