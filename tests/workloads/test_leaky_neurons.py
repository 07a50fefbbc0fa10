"""Spiking layers against leaky neurons stated one at a time: spike for spike, with a cap and without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from stated_neurons import lists_of, most_of, stated_network

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.family import given
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.surrogates import SURROGATES
from deltatrain.workloads.arrays.layer import Layer
from deltatrain.workloads.arrays.packing import Array, unpack
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.fired import fired_in
from deltatrain.workloads.network.network import (
    Forward,
    Network,
    Parameters,
    Sizes,
    forward,
    from_flat,
    initial_parameters,
    outputs,
)
from deltatrain.workloads.workload import Workload

SPIKING = ("lif", "lif_recurrent")
CAPPED = {"listed_share": 0.25}
seeds = st.integers(0, 2**32 - 1)
neurons = st.builds(
    LeakyNeuron,
    decay=st.sampled_from([0.0, 0.5, 0.95, 1.0]),
    threshold=st.sampled_from([0.5, 1.3, 2.0]),
    learns_above=st.sampled_from([0.0, 0.9, 1.0]),
    reset=st.sampled_from(["zero", "subtract"]),
    listed_share=st.sampled_from([0.01, 0.25, 0.5, 1.0]),
    listed_first=st.sampled_from(["lowest", "random"]),
    seed=st.integers(0, 3),
)


def _case(cell: str, neuron: LeakyNeuron, hidden: tuple[int, ...], seed: int) -> tuple[Network, Parameters, Array]:
    rng = np.random.default_rng(seed)
    sizes = Sizes(given(CELLS.load(cell), neuron=neuron), 5, hidden, 3)
    parameters = from_flat(4 * initial_parameters(sizes, rng, np.dtype(np.float64)).flat(), sizes)
    x = (rng.random((9, 4, 5)) < 0.5).astype(np.float64)
    return Network(sizes, ((0.0, 0.0),) * len(hidden), "every", 0.0), parameters, x


LENGTHS = np.array([9, 4, 1, 7])


def _hs(network: Network, ran: Forward, layer: int) -> Array:
    """Return h of a layer, padded, shape (T, B, H)."""
    h: Array = unpack(outputs(network, ran.tapes[layer], ran.packing), ran.packing)
    return h


@pytest.mark.parametrize("cell", SPIKING)
@drawn(neuron=neurons, hidden=st.sampled_from([(1,), (9,), (12, 8)]), seed=seeds)
@settings(max_examples=25)
def test_a_network_spikes_as_its_neurons_stated_one_by_one(
    cell: str, neuron: LeakyNeuron, hidden: tuple[int, ...], seed: int
) -> None:
    network, parameters, x = _case(cell, neuron, hidden, seed)
    ran = forward(network, parameters, x, LENGTHS)
    spikes, cut, steps_cut = ([0] * len(hidden) for _ in range(3))
    for sample, length in enumerate(LENGTHS):
        stated = stated_network(neuron, parameters.layers, x[:length, sample])
        for layer, steps in enumerate(stated):
            h = _hs(network, ran, layer)
            for t, step in enumerate(steps):
                assert np.flatnonzero(h[t, sample]).tolist() == step.spikes
                assert np.flatnonzero(np.signbit(h[t, sample])).tolist() == step.marks
                spikes[layer] += len(step.spikes)
                cut[layer] += len(step.above) - len(step.spikes)
                steps_cut[layer] += len(step.above) > len(step.spikes)
    fired = fired_in(network.sizes.cell, ran)
    assert [list(one) for one in (fired.spikes, fired.spikes_cut, fired.steps_cut)] == [spikes, cut, steps_cut]


@pytest.mark.parametrize("first", ["lowest", "random"])
@pytest.mark.parametrize("cell", SPIKING)
def test_the_cap_binds_in_what_is_compared(cell: str, first: str) -> None:
    found = []
    for seed in range(4):
        network, parameters, x = _case(cell, LeakyNeuron(**CAPPED, listed_first=first), (12, 8), seed)
        found.append(fired_in(network.sizes.cell, forward(network, parameters, x, LENGTHS)))
    assert sum(sum(one.spikes_cut) for one in found) > 20
    assert sum(sum(one.steps_cut) for one in found) > 10
    free, parameters, x = _case(cell, LeakyNeuron(), (12, 8), 0)
    fired = fired_in(free.sizes.cell, forward(free, parameters, x, LENGTHS))
    assert sum(fired.spikes) > 0
    assert fired.spikes_cut == fired.steps_cut == (0, 0)


@drawn(neuron=neurons, width=st.integers(1, 40), seed=seeds)
@settings(max_examples=60)
def test_who_is_listed(neuron: LeakyNeuron, width: int, seed: int) -> None:
    u = np.random.default_rng(seed).normal(neuron.threshold, 0.2, (7, width))
    spiking = u > neuron.threshold
    spikes, near = neuron.listed(spiking, (u > neuron.near) & ~spiking)
    for row, loud, quiet in zip(u, spikes, near, strict=True):
        _, wanted, marks = lists_of(neuron, row.tolist())
        assert np.flatnonzero(loud).tolist() == wanted
        assert np.flatnonzero(quiet).tolist() == marks
        assert loud.sum() + quiet.sum() <= most_of(neuron, width)


def test_a_layer_is_listed_whole_or_up_to_an_even_number_of_at_least_two() -> None:
    assert [LeakyNeuron(**CAPPED).listed_most(width) for width in (1, 8, 12, 100, 128)] == [1, 2, 2, 24, 32]
    assert [LeakyNeuron().listed_most(width) for width in (1, 9, 100)] == [1, 9, 100]


def test_a_random_beginning_is_fair_and_the_lowest_number_is_not() -> None:
    """Of 16 neurons eight spike and four are listed: each in half of the steps in which it spikes, within 3.5 sigma."""
    spiking = np.random.default_rng(5).random((20_000, 16)) < 0.5
    spiking = spiking[spiking.sum(axis=1) == 8]
    quiet = np.zeros_like(spiking)
    kept = LeakyNeuron(**CAPPED, listed_first="random").listed(spiking, quiet)[0]
    share = kept.sum(axis=0) / spiking.sum(axis=0)
    assert np.abs(share - 0.5).max() < 3.5 * np.sqrt(0.25 / spiking.sum(axis=0).min())
    lowest = LeakyNeuron(**CAPPED).listed(spiking, quiet)[0].sum(axis=0) / spiking.sum(axis=0)
    assert lowest[0] == 1 and lowest[-1] == 0


def test_a_random_beginning_depends_on_the_seed_and_on_who_spikes_alone() -> None:
    """So a step that is run again, on its own or in another batch, lists the same."""
    spiking = np.random.default_rng(6).random((50, 40)) < 0.6
    quiet = np.zeros_like(spiking)
    one, other = (LeakyNeuron(**CAPPED, listed_first="random", seed=seed) for seed in (1, 2))
    whole = one.listed(spiking, quiet)[0]
    for t, row in enumerate(spiking):
        np.testing.assert_array_equal(one.listed(row[None], quiet[:1])[0][0], whole[t])
    assert (other.listed(spiking, quiet)[0] != whole).any()


@pytest.mark.parametrize("cell", SPIKING)
def test_the_bias_acts_in_every_step(cell: str) -> None:
    """As `torch.nn.Linear` before a leaky neuron: 0.21 a step reaches 2 in the 13th, 4.2 (1 - 0.95^13) = 2.04."""
    layer = Layer(np.zeros((2, 1)), np.zeros((2 if cell == "lif_recurrent" else 0, 2)), np.array([0.21, 0.0]))
    sizes = Sizes(CELLS.load(cell), 1, (2,), 2)
    network = Network(sizes, ((0.0, 0.0),), "every", 0.0)
    ran = forward(network, Parameters((layer,), np.zeros((2, 2)), np.zeros(2)), np.zeros((30, 1, 1)), np.array([30]))
    h = _hs(network, ran, 0)[:, 0]
    assert np.flatnonzero(h[:, 0]).tolist() == [12, 25]
    assert not h[:, 1].any()


@pytest.mark.parametrize("name", SURROGATES.names())
def test_a_surrogate_is_one_at_the_threshold_and_falls(name: str) -> None:
    slope = SURROGATES.load(name).slope
    distance = np.linspace(0, 2, 41)
    found = slope(distance, 4.0)
    assert found[0] == 1
    assert (np.diff(found) <= 0).all() and found[-1] >= 0
    wanted = {"fast_sigmoid": 1 / 9, "arctan": 1 / 5, "triangle": 0.0}[name]  # at sharpness times distance = 2
    assert slope(np.array([0.5]), 4.0)[0] == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"neuron.decay": 1.5}, "neuron.decay must be at most 1.0, not 1.5"),
        ({"neuron.threshold": 0}, "neuron.threshold must be at least 1e-06, not 0"),
        ({"neuron.learns_above": -1}, "neuron.learns_above must be at least 0.0, not -1"),
        ({"neuron.listed_share": 0}, "neuron.listed_share must be a positive number, not 0"),
        ({"neuron.listed_share": 1.1}, "neuron.listed_share must be at most 1.0, not 1.1"),
        ({"neuron.listed_first": "last"}, "neuron.listed_first must be one of 'lowest' or 'random', not 'last'"),
        ({"neuron.reset": "none"}, "neuron.reset must be one of 'zero' or 'subtract', not 'none'"),
        ({"neuron.surrogate": "arctg"}, "neuron.surrogate: surrogate 'arctg' is not known, did you mean 'arctan'?"),
        ({"neuron.sharpness": float("nan")}, "neuron.sharpness must be a finite number, not nan"),
        ({"neuron.beta": 10}, "neuron.beta is not a field"),
        ({"neuron": 3}, "neuron must be a table, not 3"),
    ],
)
def test_what_no_neuron_is_is_refused_in_one_line(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Workload.named("spikes", changes)
    (line,) = str(caught.value).splitlines()
    assert fault in line


def test_a_cell_that_does_not_spike_has_no_neuron() -> None:
    with pytest.raises(ConfigError, match="the table \"neuron\" belongs to cells that spike, not to 'delta_gru'"):
        Workload.named("vowels", {"neuron.decay": 0.9})
    assert "neuron" not in Workload.named("vowels").model_dump(mode="json")


def test_a_workload_says_what_its_neurons_are() -> None:
    assert Workload.named("spikes").model_dump(mode="json")["neuron"] == {
        "decay": 0.95,
        "threshold": 2.0,
        "learns_above": 0.9,
        "reset": "zero",
        "surrogate": "fast_sigmoid",
        "sharpness": 10.0,
        "listed_share": 1.0,
        "listed_first": "lowest",
        "seed": 0,
    }
