"""A trained network learns and infers behind a driver, on data that its core was not drawn from."""

from __future__ import annotations

from pathlib import Path

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
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.training.integer_training import classify, forward

MACHINE = Architecture.named("edge")
LONGEST = 5
PAIRS = 200

BUSES = [
    pytest.param(lambda *images: ModelBus(*images, memory_bytes=1 << 16), id="model"),
    pytest.param(lambda first, *_: GatesBus.of(first, memory_bytes=1 << 16), id="gates", marks=pytest.mark.long),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    """Return the last step of a training, in the machine's integers, from the file that it left."""
    file: Path = tmp_path_factory.mktemp("run") / "trace.npz"
    small_trace("delta_lstm", (9,), LONGEST).save(file)
    trace = Trace.load(file)
    return recorded_step(MACHINE, trace, trace.recorded[-1], 0)


def inputs(rng, step, steps: int):
    """Return a sequence: sparse or dense, small or as large as the format holds, or of nothing at all."""
    number, features = MACHINE.engine.formats.activation, step.shape.inputs[0]
    size = rng.choice([0, 3, 600, number.highest])
    drawn = rng.integers(-size - 1, size, (steps, features), endpoint=True)
    return np.where(rng.random(drawn.shape) < rng.choice([0.05, 0.5, 1.0]), drawn, 0)


@pytest.mark.parametrize("opened", BUSES)
def test_a_trained_network_learns_from_what_its_core_was_not_drawn_from(opened, trained):
    image = program_image(TrainingShape.of(trained))
    rng = np.random.default_rng(4)
    drawn = [rng.integers(-600, 600, (steps, trained.shape.inputs[0])) for steps in (4, 2)]
    other = TrainingShape.of(trained).step(trained.golden.updated, drawn, (2, 0), trained.learning_rate)
    other_image = program_image(TrainingShape.of(other), tile_for(trained, image.sizes))
    bus = opened(image, other_image)
    driver = Driver(bus, image)
    driver.load_weights(image.named(trained.parameters))
    driver.train_batch(trained.samples, trained.labels, trained.learning_rate)
    again = Driver(bus, other_image)
    again.train_batch(other.samples, other.labels, other.learning_rate)
    for name, values in again.read_weights().items():
        np.testing.assert_array_equal(values, other.matrices[name], err_msg=name)
        assert (values != trained.matrices[name]).any()


def infers(opened, trained, pairs: int) -> None:
    """Let a core of the training's last step, with its weights, run new sequences of any length it has room for."""
    image, rng = program_image(TrainingShape.of(trained)), np.random.default_rng(8)
    shape, most = TrainingShape.of(trained), max(map(len, trained.samples))
    alone = [program_image(shape.forward(steps), tile_for(trained, image.sizes)) for steps in range(1, most + 1)]
    bus = opened(*alone)
    Driver(bus, alone[0]).load_weights(image.named(trained.parameters))
    classes = set()
    for _ in range(pairs):
        steps = int(rng.integers(1, most, endpoint=True))
        sequence = inputs(rng, trained, steps)
        expected = classify(
            trained.network, trained.parameters, forward(trained.network, trained.parameters, sequence)[-1].h
        )
        found = Driver(bus, alone[steps - 1]).infer(sequence)
        np.testing.assert_array_equal(found, expected)
        classes.add(int(found[-1].argmax()))
    assert len(classes) > 1, "the sequences must be told apart"


@pytest.mark.parametrize("opened", BUSES)
def test_a_trained_network_tells_sequences_that_its_core_was_not_drawn_from(opened, trained):
    infers(opened, trained, 20)


@pytest.mark.long
def test_two_hundred_pairs_of_what_a_core_was_drawn_from_and_what_it_runs(trained):
    """Whatever the core was drawn from, it is the same core; so each sequence is one more pair."""
    images = []
    for seed in range(2):
        drawn = [
            inputs(np.random.default_rng([seed, number]), trained, len(one))
            for number, one in enumerate(trained.samples)
        ]
        step = TrainingShape.of(trained).step(trained.parameters, drawn, trained.labels, 1)
        images.append(program_image(TrainingShape.of(step)))
    assert len({image.made_from for image in images} | {program_image(TrainingShape.of(trained)).made_from}) == 1
    assert images[0].commands == images[1].commands
    infers(lambda first, *_: GatesBus.of(first, memory_bytes=1 << 16, stalls=40), trained, PAIRS)
