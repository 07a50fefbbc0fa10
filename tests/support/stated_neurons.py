"""Leaky neurons stated from their equations, one neuron at a time in Python's numbers: what lists are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.workloads.arrays.layer import Layer
from deltatrain.workloads.arrays.packing import Array


class StatedStep(NamedTuple):
    """Of one step of a layer: potentials, who is above the threshold, who spikes, who is gradient-only."""

    u: list[float]
    above: list[int]
    spikes: list[int]
    marks: list[int]


def most_of(neuron: LeakyNeuron, width: int) -> int:
    """Return how many neurons are listed at most."""
    if neuron.listed_share == 1:
        return width
    pairs = int(neuron.listed_share * width) // 2
    return min(width, 2 * max(1, pairs))


def order_of(neuron: LeakyNeuron, wanted: Sequence[int], width: int) -> list[int]:
    """Return all neurons in the order in which they are listed, if `wanted` want to be."""
    if neuron.listed_first == "lowest":
        return list(range(width))
    numbers = np.random.default_rng([neuron.seed, width]).integers(0, 2**64, width, dtype=np.uint64).tolist()
    first = (sum(numbers[j] for j in wanted) % 2**64 // 2**32) * width // 2**32
    return [*range(first, width), *range(first)]


def lists_of(neuron: LeakyNeuron, u: Sequence[float]) -> tuple[list[int], list[int], list[int]]:
    """Return who is above the threshold, whose spike is listed, and who is listed as gradient-only."""
    above = [j for j, v in enumerate(u) if v > neuron.threshold]
    near = [j for j, v in enumerate(u) if neuron.learns_above * neuron.threshold < v <= neuron.threshold]
    most, order = most_of(neuron, len(u)), order_of(neuron, [*above, *near], len(u))
    spikes = [j for j in order if j in above][:most]
    return above, sorted(spikes), sorted([j for j in order if j in near][: most - len(spikes)])


def stated_layer(neuron: LeakyNeuron, layer: Layer, xs: Sequence[Sequence[float]]) -> list[StatedStep]:
    """Return all steps of a layer over one sample; W_h may be empty."""
    width = len(layer.bias)
    before, steps = StatedStep([0.0] * width, [], [], []), []
    for x in xs:
        u = []
        for j in range(width):
            current = float(layer.bias[j]) + sum(float(layer.W_x[j, i]) * x[i] for i in range(len(x)))
            if len(layer.W_h):
                current += sum(float(layer.W_h[j, i]) for i in before.spikes)
            kept = neuron.decay * before.u[j]
            if j in before.above:
                kept = 0.0 if neuron.reset == "zero" else kept - neuron.threshold
            u.append(kept + current)
        before = StatedStep(u, *lists_of(neuron, u))
        steps.append(before)
    return steps


def stated_network(neuron: LeakyNeuron, layers: Sequence[Layer], x: Array) -> list[list[StatedStep]]:
    """Return all steps of each layer over one sample `x`, shape (T, F)."""
    below, found = [[float(v) for v in row] for row in x], []
    for layer in layers:
        found.append(stated_layer(neuron, layer, below))
        below = [[float(j in step.spikes) for j in range(len(layer.bias))] for step in found[-1]]
    return found
