"""A network that was trained in floating point goes on training behind a driver, on recordings of other lengths too."""

from __future__ import annotations

import numpy as np
import pytest
from trained_traces import small_trace

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.driver.driver import Driver
from deltatrain.sim.driver.gates_bus import GatesBus
from deltatrain.sim.driver.model_bus import ModelBus
from deltatrain.sim.driver.program_image import program_image
from deltatrain.sim.driver.training_shape import TrainingShape
from deltatrain.sim.gates.recorded_step import recorded_step
from deltatrain.sim.gates.run import tile_for

BUSES = [
    pytest.param(lambda *images: ModelBus(*images, memory_bytes=1 << 16), id="model"),
    pytest.param(lambda first, _: GatesBus.of(first, memory_bytes=1 << 16), id="gates", marks=pytest.mark.long),
]


@pytest.mark.parametrize("opened", BUSES)
def test_a_trained_network_learns_from_what_its_core_was_not_drawn_from(opened):
    machine = Architecture.named("edge")
    trace = small_trace("delta_lstm", (9,), 5)
    step = recorded_step(machine, trace, trace.recorded[-1], 0)
    image = program_image(TrainingShape.of(step))
    rng = np.random.default_rng(4)
    drawn = [rng.integers(-600, 600, (steps, step.shape.inputs[0])) for steps in (4, 2)]
    other = TrainingShape.of(step).step(step.golden.updated, drawn, (2, 0), step.learning_rate)
    other_image = program_image(TrainingShape.of(other), tile_for(step, image.sizes))
    bus = opened(image, other_image)
    driver = Driver(bus, image)
    driver.load_weights(image.named(step.parameters))
    driver.train_batch(step.samples, step.labels, step.learning_rate)
    again = Driver(bus, other_image)
    again.train_batch(other.samples, other.labels, other.learning_rate)
    for name, values in again.read_weights().items():
        np.testing.assert_array_equal(values, other.matrices[name], err_msg=name)
        assert (values != step.matrices[name]).any()
