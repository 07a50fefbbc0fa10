"""Spiking networks against PyTorch: autograd over a second statement with a surrogate; differences of smooth spikes.

The statement is in units of the threshold (u' = u / threshold, as published), snnTorch-like: a loop over steps, a spike
as a function of its own whose backward is the surrogate. Central differences say nothing about a step function, so they
are taken of the network with the spike replaced by the integral of its surrogate, of which the same backward pass is
the exact gradient.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from stated_neurons import most_of, order_of

from deltatrain.accel.family import given
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.workloads.arrays.packing import Array, unpack
from deltatrain.workloads.cells import CELLS, lif
from deltatrain.workloads.network.fired import fired_in
from deltatrain.workloads.network.network import (
    Network,
    Sizes,
    forward,
    from_flat,
    initial_parameters,
    input_gradient,
    loss_of,
    outputs,
    training_step,
)

torch = pytest.importorskip("torch", reason="PyTorch is the independent oracle: pip install '.[torch]'")
Tensor = Any

SPIKING = ("lif", "lif_recurrent")
CLASSES = 4
LENGTHS = np.array([9, 4, 12, 1, 7])
CAPPED = LeakyNeuron(listed_share=0.25)
NEURONS = (
    CAPPED,
    LeakyNeuron(listed_share=0.25, listed_first="random", seed=3),
    LeakyNeuron(reset="subtract", decay=0.8, threshold=1.3, learns_above=0.7, sharpness=4.0),
    LeakyNeuron(surrogate="arctan"),
    LeakyNeuron(surrogate="triangle", sharpness=0.7),
)
SLOPES = {
    "fast_sigmoid": lambda distance, sharpness: 1 / (sharpness * distance + 1) ** 2,
    "arctan": lambda distance, sharpness: 1 / ((sharpness * distance) ** 2 + 1),
    "triangle": lambda distance, sharpness: torch.clamp(1 - sharpness * distance, min=0),
}


class Spike(torch.autograd.Function):
    """1 above the threshold where the list has room; backward the surrogate, for whoever is listed."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, neuron: LeakyNeuron) -> Tensor:
        loud = [j for j in range(len(u)) if u[j] > 1]
        quiet = [j for j in range(len(u)) if neuron.learns_above < u[j] <= 1]
        most, order = most_of(neuron, len(u)), order_of(neuron, [*loud, *quiet], len(u))
        spiking = [j for j in order if j in loud][:most]
        listed, spikes = torch.zeros_like(u), torch.zeros_like(u)
        listed[spiking + [j for j in order if j in quiet][: most - len(spiking)]] = 1.0
        spikes[spiking] = 1.0
        ctx.save_for_backward(u, listed)
        ctx.neuron = neuron
        return spikes

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        u, listed = ctx.saved_tensors
        return g * listed * SLOPES[ctx.neuron.surrogate]((u - 1).abs(), ctx.neuron.sharpness), None


class Leak(torch.autograd.Function):
    """What a step leaves of u; backward the decay whatever happened: the reset is a constant."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, neuron: LeakyNeuron) -> Tensor:
        ctx.decay = neuron.decay
        left = neuron.decay * u
        return torch.where(u > 1, torch.zeros_like(u) if neuron.reset == "zero" else left - 1, left)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return ctx.decay * g, None


def _stated_layer(neuron: LeakyNeuron, W_x: Tensor, W_h: Tensor, bias: Tensor, xs: list[Tensor]) -> list[Tensor]:
    u = s = torch.zeros(len(bias), dtype=torch.float64)
    spikes = []
    for x in xs:
        current = W_x @ x + (W_h @ s if len(W_h) else 0) + bias
        u = Leak.apply(u, neuron) + current / neuron.threshold
        s = Spike.apply(u, neuron)
        spikes.append(s)
    return spikes


def _stated_loss(tensors: list[Tensor], x: Tensor, labels: Array, network: Network) -> tuple[Tensor, list[Tensor]]:
    *recurrent, W, b = tensors
    total, tops = torch.zeros((), dtype=torch.float64), []
    for sample, length in enumerate(LENGTHS):
        hs = [x[t, sample] for t in range(length)]
        for layer in range(len(network.sizes.hidden)):
            total = total + network.beta * sum(h.abs().sum() for h in hs)
            hs = _stated_layer(network.sizes.cell.NEURON, *recurrent[3 * layer : 3 * layer + 3], hs)
            if len(recurrent[3 * layer + 1]):
                total = total + network.beta * sum(h.abs().sum() for h in hs[:-1])
        read = hs if network.readout == "every" else hs[-1:]
        logits = torch.stack([W @ h + b for h in read])
        total = total + torch.nn.functional.cross_entropy(logits, torch.full((len(read),), int(labels[sample])))
        tops.append(torch.stack(hs))
    return total / len(LENGTHS), tops


def _case(
    cell: str, hidden: tuple[int, ...], readout: str, beta: float, seed: int, neuron: LeakyNeuron = CAPPED
) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    sizes = Sizes(given(CELLS.load(cell), neuron=neuron), 6, hidden, CLASSES)
    network = Network(sizes, ((0.0, 0.0),) * len(hidden), readout, beta)
    parameters = from_flat(4 * initial_parameters(sizes, rng, np.dtype(np.float64)).flat(), sizes)
    x = (rng.random((LENGTHS.max(), len(LENGTHS), 6)) < 0.5).astype(np.float64)
    return network, parameters, x, rng.integers(0, CLASSES, len(LENGTHS))


@pytest.mark.parametrize(
    ("hidden", "readout", "beta", "neuron"),
    [
        *itertools.product([(9,), (12, 8)], ["last", "every"], [0.0, 0.2], [LeakyNeuron()]),
        *(((12, 8), "every", 0.2, neuron) for neuron in NEURONS),
    ],
)
@pytest.mark.parametrize("cell", SPIKING)
def test_spikes_and_gradients_equal_autograd_over_a_second_statement(
    cell: str, hidden: tuple[int, ...], readout: str, beta: float, neuron: LeakyNeuron
) -> None:
    listed = cut = 0.0
    for seed in range(3):
        network, parameters, x, labels = _case(cell, hidden, readout, beta, seed, neuron)
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
        cut += sum(fired_in(network.sizes.cell, step.forward).spikes_cut)
    assert listed > 0.01  # spikes and gradients there were
    assert (cut > 0) == (neuron.listed_share < 1)


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


def _smooth(u: Array) -> Array:
    """The integral of the surrogate: rises from 0 to 1 / 10 at the threshold and on to 2 / 10."""
    distance = 10 * np.abs(u / 2 - 1)
    half = distance / (distance + 1) / 10
    smooth: Array = 1 / 10 + np.where(u > 2, half, -half)
    return smooth


@pytest.mark.parametrize("readout", ["last", "every"])
@pytest.mark.parametrize("cell", SPIKING)
def test_gradients_of_smooth_spikes_equal_central_differences(
    cell: str, readout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Smooth spikes, nobody reset and everybody listed: then the backward pass is the exact gradient."""

    def forward_smooth(M: Array, before: Array, now: Array) -> None:
        now[0] = 0.95 * before[0] + M
        now[1] = _smooth(now[0])

    def all_of(u: Array, neuron: LeakyNeuron) -> tuple[Array, Array]:
        return np.ones(u.shape, np.bool_), np.zeros(u.shape, np.bool_)

    module = CELLS.load(cell)
    monkeypatch.setattr(module, "forward", forward_smooth)
    monkeypatch.setattr(lif, "_listed_at", all_of)
    network, parameters, x, labels = _case(cell, (5, 4), readout, 0.0, 3, LeakyNeuron())
    x = x + 0.5

    def loss(vector: Array) -> float:
        return loss_of(network, forward(network, from_flat(vector, network.sizes), x, LENGTHS), labels)[0]

    at, step = parameters.flat(), 1e-6
    wanted = np.empty_like(at)
    for j in range(len(at)):
        one = np.zeros_like(at)
        one[j] = step
        wanted[j] = (loss(at + one) - loss(at - one)) / (2 * step)
    found = training_step(network, parameters, x, LENGTHS, labels).gradients.flat()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)
    assert np.abs(found).max() > 1e-3
