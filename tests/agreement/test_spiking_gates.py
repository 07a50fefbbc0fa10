"""Spiking networks on gates against the golden model and the law: every number and every cycle."""

from __future__ import annotations

import numpy as np
import pytest
from gate_steps import check, compiled, large_tile, steps
from hypothesis import given, settings

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.random_step import random_step

CELLS = ("lif", "lif_recurrent")
REMOTE = {"placement.weights": "remote", "placement.gradients": "remote"}
LEARNS = LeakyNeuron(threshold=0.6, learns_above=0.2, decay=0.8)
"""Some spike, some are gradient-only, some are silent, on weights as `SMALL` draws them."""
SUBTRACTS = LeakyNeuron(threshold=0.5, learns_above=0.2, reset="subtract", surrogate="triangle", sharpness=2)
SMALL = {"scale": 0.05, "features": 3, "lengths": (3, 2)}


@pytest.mark.parametrize(
    ("cell", "hidden", "home", "neuron"),
    [("lif", (3, 5), {}, SUBTRACTS), ("lif_recurrent", (5,), REMOTE, LEARNS)],
)
def test_a_step_of_spiking_neurons(cell, hidden, home, neuron):
    step = random_step(Architecture.named("tiny", home), cell, seed=4, hidden=hidden, neuron=neuron, **SMALL)
    listed = [layer.h for sample in step.golden.samples for layer in sample.forward]
    assert {value for h in listed for value in h.ravel().tolist()} == {-1, 0, 1 << 8}
    check(step, AmaranthSimulation)


TWO_LANES = {
    **{"engine.lanes": 2, "engine.encoder_elements": 2, "engine.elementwise_lanes": 2},
    "dma.bytes_per_cycle": 4,
}
TAPE = {"placement.tape": "remote"}
AGAIN = {"checkpoint.policy": "revolve", "checkpoint.local_bytes": 120}
LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("cell", "hidden", "described", "density"),
    [
        ("lif_recurrent", (9,), TAPE, 0.2),
        pytest.param("lif", (6,), TAPE, 1, marks=LONG),
        pytest.param("lif_recurrent", (9, 5), TAPE | {"dma.in_flight": 2, "dma.bytes_per_cycle": 5}, 1, marks=LONG),
        pytest.param("lif_recurrent", (9, 5), TAPE | REMOTE | {"cache.bytes": 256}, 1, marks=LONG),
        pytest.param("lif", (6,), TWO_LANES, 0.3, marks=LONG),
        pytest.param("lif_recurrent", (7,), TWO_LANES | REMOTE, 0.3, marks=LONG),
        pytest.param("lif", (5, 4), TWO_LANES | REMOTE, 0.3, marks=LONG),
    ],
)
def test_spikes_whose_tape_is_off_chip_and_spikes_on_the_weights_that_exist(cell, hidden, described, density):
    neuron = LeakyNeuron(threshold=0.3, learns_above=0.2, decay=0.8)
    machine = Architecture.named("tiny", {"placement.tape": "local"} | described)
    step = random_step(machine, cell, seed=0, hidden=hidden, density=density, neuron=neuron, **SMALL)
    listed = [layer.h for sample in step.golden.samples for layer in sample.forward]
    assert {value for h in listed for value in h.ravel().tolist()} == {-1, 0, 1 << 8}
    assert step.program.ops.is_mode("store").any() == (machine.homes["tape"] == "remote")
    check(step, AmaranthSimulation)


ALL_LOCAL = {"placement.weights": "local", "placement.gradients": "local", "placement.tape": "local"}


@pytest.mark.parametrize(
    ("cell", "hidden", "described"),
    [
        ("lif_recurrent", (5,), TWO_LANES | {"engine.arrays": 2}),
        pytest.param("lif_recurrent", (9,), {"engine.arrays": 2}, marks=LONG),
        pytest.param("lif", (5, 7), {"engine.arrays": 4}, marks=LONG),
        pytest.param("lif_recurrent", (5,), TWO_LANES | REMOTE | {"engine.arrays": 2}, marks=LONG),
    ],
)
def test_spikes_on_several_arrays(cell, hidden, described):
    neuron = LeakyNeuron(threshold=0.3, learns_above=0.2, decay=0.8)
    machine = Architecture.named("tiny", ALL_LOCAL | described)
    step = random_step(machine, cell, seed=4, hidden=hidden, neuron=neuron, **SMALL)
    listed = [layer.h for sample in step.golden.samples for layer in sample.forward]
    assert {value for h in listed for value in h.ravel().tolist()} == {-1, 0, 1 << 8}
    check(step, AmaranthSimulation)


@pytest.mark.parametrize(
    ("cell", "share", "described", "sizes"),
    [
        ("lif_recurrent", 0.6, TWO_LANES, {"seed": 1, "hidden": (7,), "lengths": (3,), "classes": 2}),
        pytest.param("lif", 0.25, {}, {"seed": 2, "hidden": (9, 8), "readout": "every"}, marks=LONG),
        pytest.param("lif_recurrent", 0.4, TAPE | REMOTE, {"seed": 0, "hidden": (10,)}, marks=LONG),
        pytest.param("lif_recurrent", 0.5, {"engine.arrays": 2}, {"seed": 1, "hidden": (9, 6)}, marks=LONG),
        pytest.param("lif", 0.5, AGAIN, {"seed": 4, "hidden": (9, 6), "lengths": (4, 2)}, marks=LONG),
    ],
)
def test_lists_that_have_a_cap(cell, share, described, sizes):
    """Spikes are cut, and gradient-only neurons: all of those or some."""
    machine = Architecture.named("tiny", ALL_LOCAL | described)
    neuron = LeakyNeuron(threshold=0.25, learns_above=0, decay=0.8, listed_share=share)
    told = SMALL | {"scale": 0.15} | sizes
    step, whole = (
        random_step(machine, cell, neuron=neuron.model_copy(update=free), **told) for free in ({}, {"listed_share": 1})
    )
    listed, wanted = ([h for one in numbers.golden.samples[0].forward[:1] for h in one.h] for numbers in (step, whole))
    spikes, learns = ([(np.sign(h) == sign).sum() for h in listed] for sign in (1, -1))
    assert any(count < (h > 0).sum() for count, h in zip(spikes, wanted, strict=True))
    assert any(count < (h < 0).sum() for count, h in zip(learns, wanted, strict=True))
    check(step, AmaranthSimulation)


MOST = {"features": 9, "hidden": (9, 10), "classes": 5, "lengths": (5, 5, 5)}


@pytest.mark.long
@compiled
@pytest.mark.parametrize("home", [{}, REMOTE | {"cache.bytes": 0}, REMOTE | {"cache.bytes": 2048, "cache.ways": 8}])
@pytest.mark.parametrize("cell", CELLS)
def test_any_step_of_spiking_neurons_on_compiled_gates(cell, home):
    architecture = Architecture.named("edge" if home else "tiny", home)
    tile = large_tile(architecture, cell, "every", MOST, neuron=LEARNS)

    @settings(max_examples=40)
    @given(steps(architecture, cell, "every", MOST, neuron=LEARNS, updates=True if home else None))
    def run(step):
        check(step, CompiledSimulation, tile)

    run()
