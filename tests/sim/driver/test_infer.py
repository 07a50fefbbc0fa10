"""Sequences through either driver, run forward alone: what the network puts out is the golden model's."""

from __future__ import annotations

import numpy as np
import pytest
from driven_steps import CASES, MEMORY, REMOTE, TINY, assert_equal, driven, train, weights_of

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.bus.registers import REGISTERS
from deltatrain.sim.driver.errors import BusError
from deltatrain.sim.driver.model_bus import ModelBus
from deltatrain.sim.driver.program_image import program_image
from deltatrain.sim.driver.training_shape import TrainingShape
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.step import NumberedStep
from deltatrain.workloads.training.integer_training import classify, forward


def inferring(step: NumberedStep, drives, bus_kind=ModelBus):
    """Return a driver of a step's first sample, run forward alone, with the step's weights."""
    image = program_image(TrainingShape.of(step).forward(len(step.samples[0])))
    bus = bus_kind(image, memory_bytes=MEMORY + image.memory_bytes)
    driver = drives(bus, image)
    driver.load_weights(weights_of(step))
    return driver, bus


def golden_results(step: NumberedStep, sample) -> np.ndarray:
    return classify(step.network, step.parameters, forward(step.network, step.parameters, sample)[-1].h)


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_sequence_goes_in_and_what_the_network_says_comes_out(drives, case: dict, remote: bool):
    machine = Architecture.named("tiny", REMOTE if remote else None)
    step = random_step(machine, **({"cell": "lstm", "seed": 3, "scale": 1.0} | case))
    driver, bus = inferring(step, drives)
    results = bus.read_packet
    for sample in (step.samples[0], 1 + step.samples[0]):
        np.testing.assert_array_equal(driver.infer(sample), golden_results(step, sample))
        with pytest.raises(BusError, match="no packet"):
            results()
    assert_equal(driver.read_weights(), weights_of(step))
    assert all(not dW.any() for dW in driver.read_gradients().values())


def test_results_of_a_run_that_was_stopped_are_not_taken_for_those_of_the_next(drives):
    step = random_step(TINY, "lstm", seed=3)
    driver, bus = inferring(step, drives)
    bus._packets.append(bytes(12))
    np.testing.assert_array_equal(driver.infer(step.samples[0]), golden_results(step, step.samples[0]))


def test_a_run_forward_that_fails_is_told_and_lets_nothing_leave_any_more(drives):
    step = random_step(TINY, "lstm", seed=3)
    driver, bus = inferring(step, drives)
    base = bus.read32(REGISTERS["inputs_base"].address)
    bus.write32(REGISTERS["inputs_base"].address, MEMORY + 0x100000)
    with pytest.raises(BusError):
        driver.infer(step.samples[0])
    assert not bus.read32(REGISTERS["streams"].address)
    bus.write32(REGISTERS["inputs_base"].address, base)
    np.testing.assert_array_equal(driver.infer(step.samples[0]), golden_results(step, step.samples[0]))


@pytest.mark.parametrize("packets", [[], [bytes(8)]], ids=["none", "short"])
def test_packets_that_are_not_all_there_are_a_bus_error(drives, packets: list[bytes]):
    class Loses(ModelBus):
        def _give(self, image, logits) -> None:
            self._made += len(packets)
            self._packets += packets

    step = random_step(TINY, "lstm", seed=3)
    driver, _ = inferring(step, drives, Loses)
    with pytest.raises(BusError):
        driver.infer(step.samples[0])


def test_results_leave_while_a_batch_is_trained_if_they_are_to(drives):
    step = random_step(TINY, "lstm", seed=3)
    driver, bus = driven(step, drives)
    bus.write32(REGISTERS["streams"].address, REGISTERS["streams"].packed(results=1))
    train(driver, step)
    for sample in step.samples:
        (expected,) = golden_results(step, sample)
        np.testing.assert_array_equal(np.frombuffer(bus.read_packet(), dtype="<i8"), expected)


def test_a_program_either_trains_or_infers(drives):
    step = random_step(TINY, "lstm", seed=1)
    for driver, does in (
        (driven(step, drives)[0], lambda driver: driver.infer(step.samples[0])),
        (inferring(step, drives)[0], lambda driver: driver.train_batch(step.samples[:1], step.labels[:1], 1)),
    ):
        with pytest.raises(ValueError):
            does(driver)
