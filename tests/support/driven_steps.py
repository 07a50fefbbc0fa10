"""A training step through a driver, in Python or in C, on a bus: what the tests of drivers begin with."""

from __future__ import annotations

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.driver.driver import Driver
from deltatrain.sim.driver.model_bus import ModelBus
from deltatrain.sim.driver.program_image import program_image
from deltatrain.sim.driver.training_shape import TrainingShape
from deltatrain.sim.gates.step import NumberedStep

TINY = Architecture.named("tiny")
REMOTE = {"placement.weights": "remote", "placement.gradients": "remote", "placement.tape": "remote"}
MEMORY = 0x1000


def weights_of(step: NumberedStep) -> dict:
    names = [tensor.name for tensor in step.program.tensors]
    return dict(zip(names, step.parameters.matrices(), strict=False))


def golden_weights(step: NumberedStep) -> dict:
    return {name: step.matrices[name] for name in weights_of(step)}


def driven(step: NumberedStep, drives, bus_kind=ModelBus):
    image = program_image(TrainingShape.of(step))
    bus = bus_kind(image, memory_bytes=MEMORY + image.memory_bytes)
    return drives(bus, image), bus


def python_driver(bus, image):
    return Driver(bus, image, memory=MEMORY, timeout_seconds=0.1)


def train(driver: Driver, step: NumberedStep) -> None:
    driver.load_weights(weights_of(step))
    driver.train_batch(step.samples, step.labels, step.learning_rate)


def assert_equal(found: dict, expected: dict) -> None:
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


CASES = {
    "lstm": {},
    "gru": {"cell": "gru"},
    "every": {"readout": "every"},
    "regression": {"task": "regression"},
    "one layer": {"hidden": (5,), "lengths": (1, 4, 2)},
}
