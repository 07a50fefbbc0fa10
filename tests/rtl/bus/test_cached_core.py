"""A core with a column cache runs program after program: what was in the cache of one is nothing to the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from components import unelaborated
from core_on_bus import bus_of, check_matrices, core_for, driver_on, image_of, tiny, train
from gate_steps import compiled
from two_lanes import TWO_LANES

from deltatrain.sim.driver.program_image import program_image
from deltatrain.sim.driver.training_shape import TrainingShape
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.run import tile_for
from deltatrain.workloads.training.integer_training import classify, forward

pytestmark = compiled

CACHED = TWO_LANES | {"cache.bytes": 64, "cache.ways": 2, "cache.line_bytes": 16}


def a_step(seed, **changes):
    given = {"features": 3, "hidden": (3,), "lengths": (3, 2), "thresholds": (0, 0)} | changes
    return random_step(tiny(CACHED), "rnn", seed=seed, **given)


@pytest.fixture(scope="module")
def machine():
    """A core with a cache, its bus, and programs that train and that run forward alone."""
    step = a_step(0)
    image = image_of(step)
    core = core_for(step, image)
    with unelaborated():
        alone = program_image(TrainingShape.of(step).forward(3), tile_for(step, image.sizes))
    with bus_of(core, image, seed=5, simulation_of=CompiledSimulation) as bus:
        bus.memory.extend(bytes(max(0, alone.memory_bytes - len(bus.memory))))
        yield bus, image, alone


def test_a_trained_network_infers_and_trains_on(machine):
    bus, image, alone = machine
    first = a_step(1)
    train(driver_on(bus, image), first)
    weights = driver_on(bus, image).read_weights()
    inferring = driver_on(bus, alone)
    inferring.load_weights(weights)
    inferring.set_thresholds(first.network.thresholds)
    for sample in (first.samples[0], 1 + first.samples[0]):
        states = forward(first.network, first.golden.updated, sample)
        np.testing.assert_array_equal(
            inferring.infer(sample), classify(first.network, first.golden.updated, states[-1].h)
        )
    second = replace(a_step(2), network=first.network, parameters=first.golden.updated)
    driver = driver_on(bus, image)
    train(driver, second)
    check_matrices(driver, second)


@pytest.mark.parametrize("cycles", [150, 300, 450])
def test_lines_of_a_run_that_was_aborted_are_forgotten(machine, cycles):
    bus, image, _ = machine
    step = a_step(3)
    driver = driver_on(bus, image)
    train(driver, step)
    driver.write("control", start=1)
    for _ in range(cycles):
        bus.tick()
    assert driver.read("status", "running")
    driver.abort()
    train(driver, step)
    check_matrices(driver, step)
