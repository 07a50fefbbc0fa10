"""A core in a simulator, with a host and a memory that `axi_bus` makes, and a driver that knows a program."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
from axi_bus import AxiBus

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cell_arithmetic import name_of
from deltatrain.rtl.bus.core import Core
from deltatrain.sim.driver.driver import Driver
from deltatrain.sim.driver.program_image import program_image
from deltatrain.sim.driver.training_shape import TrainingShape
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation

LOCAL = {"placement.weights": "local", "placement.gradients": "local", "placement.tape": "local"}
REMOTE = {"placement.weights": "remote", "placement.gradients": "remote", "placement.tape": "local"}
TAPE = REMOTE | {"placement.tape": "remote"}


def tiny(home):
    return Architecture.named("tiny", home)


def image_of(step, tile=None):
    """Return the program of a step's shape."""
    return program_image(TrainingShape.of(step), tile)


def core_for(step, image):
    """Return a core of the size of a program."""
    return Core(architecture=step.architecture, cell=name_of(step.shape.arithmetic), sizes=image.sizes)


@contextmanager
def bus_of(core, image, *, seed=None, simulation_of=AmaranthSimulation):
    """Simulate a core; the memory is as large as the program needs, in whole pages."""
    simulation = simulation_of(core)
    try:
        yield AxiBus(
            simulation,
            beat_bytes=core.beat_bytes,
            result_bytes=core.result_bytes,
            seed=seed,
            memory_bytes=-(-image.memory_bytes // 4096) * 4096,
        )
    finally:
        simulation.close()


def driver_on(bus, image):
    return Driver(bus, image, timeout_seconds=600)


def weights_before(step):
    """Return all W before the step, by name."""
    names = [tensor.name for tensor in step.program.tensors if tensor.kind == "weights"]
    return dict(zip(names, step.parameters.matrices(), strict=True))


def train(driver, step):
    """Load the weights of a step and run it."""
    driver.load_weights(weights_before(step))
    driver.train_batch(step.samples, step.labels, step.learning_rate)


def check_matrices(driver, step):
    """Check that every matrix is the golden model's."""
    found = driver.read_weights() | driver.read_gradients()
    assert list(found) == list(step.matrices)
    for name, expected in step.matrices.items():
        np.testing.assert_array_equal(found[name], expected, err_msg=name)
