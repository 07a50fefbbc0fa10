"""The driver on the model of the bus: what it must do to a machine, and how it tells errors."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from c_driver import CDriver

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.bus.registers import REGISTERS
from deltatrain.sim.driver.driver import Driver
from deltatrain.sim.driver.errors import (
    AbortedError,
    BusError,
    BusyError,
    DriverTimeoutError,
    IdentityError,
    OverflowedError,
    ProgramError,
)
from deltatrain.sim.driver.model_bus import ModelBus
from deltatrain.sim.driver.program_image import program_image
from deltatrain.sim.driver.training_shape import TrainingShape
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.run import tile_for
from deltatrain.sim.gates.step import NumberedStep

TINY = Architecture.named("tiny")
REMOTE = {"placement.weights": "remote", "placement.gradients": "remote", "placement.tape": "remote"}
MEMORY = 0x1000


def weights_of(step: NumberedStep) -> dict:
    names = [tensor.name for tensor in step.program.tensors]
    return dict(zip(names, step.parameters.matrices(), strict=False))


def golden_weights(step: NumberedStep) -> dict:
    return {name: step.matrices[name] for name in weights_of(step)}


@pytest.fixture(params=["python", "c"])
def drives(request: pytest.FixtureRequest, tmp_path: Path):
    """Return what opens a driver, in either language, on a bus."""
    if request.param == "c" and shutil.which("cc") is None:
        pytest.skip("no C compiler")

    def opened(bus, image):
        if request.param == "python":
            return Driver(bus, image, memory=MEMORY, timeout_seconds=0.1)
        return CDriver(bus, image, tmp_path, memory=MEMORY, most_polls=10)

    return opened


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


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_step_through_the_driver_is_the_golden_step(drives, case: dict, remote: bool):
    machine = Architecture.named("tiny", REMOTE if remote else None)
    step = random_step(machine, **({"cell": "lstm", "seed": 3} | case))
    driver, _ = driven(step, drives)
    train(driver, step)
    assert_equal(driver.read_weights(), golden_weights(step))
    assert all(not dW.any() for dW in driver.read_gradients().values())


def test_a_program_does_not_depend_on_the_numbers():
    for remote in (None, REMOTE):
        machine = Architecture.named("tiny", remote)
        images = [
            program_image(TrainingShape.of(random_step(machine, "lstm", seed=seed, scale=scale)))
            for seed, scale in ((1, 0.5), (2, 1.0))
        ]
        assert images[0].commands == images[1].commands
        assert images[0].regions == images[1].regions


def test_steps_follow_each_other_on_new_data(drives):
    step = random_step(TINY, "lstm", seed=5)
    driver, _ = driven(step, drives)
    train(driver, step)
    other = random_step(TINY, "lstm", seed=6)
    second = TrainingShape.of(step).step(step.golden.updated, other.samples, other.labels, other.learning_rate)
    driver.train_batch(second.samples, second.labels, second.learning_rate)
    assert_equal(driver.read_weights(), golden_weights(second))


@pytest.mark.parametrize("remote", [False, True])
def test_programs_of_other_lengths_go_on_from_the_same_weights(drives, remote: bool):
    machine = Architecture.named("tiny", REMOTE if remote else None)
    long, short = (random_step(machine, "lstm", seed=6, lengths=lengths, scale=0.4) for lengths in ((3, 4), (2,)))
    images = [program_image(TrainingShape.of(long))]
    tile = tile_for(long, images[0].sizes)
    images.append(program_image(TrainingShape.of(short), tile))
    bus = ModelBus(*images, memory_bytes=MEMORY + max(image.memory_bytes for image in images))
    first = drives(bus, images[0])
    train(first, long)
    second = drives(bus, images[1])
    second.train_batch(short.samples, short.labels, short.learning_rate)
    expected = TrainingShape.of(short).step(long.golden.updated, short.samples, short.labels, short.learning_rate)
    assert_equal(second.read_weights(), golden_weights(expected))


def test_thresholds_come_from_registers(drives):
    step = random_step(TINY, "lstm", seed=7)
    driver, _ = driven(step, drives)
    thresholds = ((100, 60), (1 << 20, 40))
    driver.set_thresholds(thresholds)
    train(driver, step)
    changed = NumberedStep(
        TINY,
        step.network._replace(thresholds=thresholds),
        step.parameters,
        step.samples,
        step.labels,
        step.learning_rate,
    )
    assert_equal(driver.read_weights(), golden_weights(changed))
    assert any((golden_weights(changed)[name] != golden_weights(step)[name]).any() for name in golden_weights(step))


def test_gradients_are_left_without_an_update_and_cleared_by_command(drives):
    step = random_step(TINY, "lstm", seed=8, updates=False)
    driver, _ = driven(step, drives)
    train(driver, step)
    gradients = {name: step.matrices[name] for name in driver.read_gradients()}
    assert_equal(driver.read_gradients(), gradients)
    assert_equal(driver.read_weights(), weights_of(step))
    driver.clear_gradients()
    driver.run()
    assert_equal(driver.read_gradients(), gradients)
    driver.run()
    assert any((driver.read_gradients()[name] != dW).any() for name, dW in gradients.items())


def test_another_machine_is_refused(drives):
    _, bus = driven(random_step(TINY, "lstm", seed=9), drives)
    other = program_image(TrainingShape.of(random_step(TINY, "gru", seed=9)))
    with pytest.raises(IdentityError):
        drives(bus, other)


def test_memory_that_answers_with_an_error_is_a_bus_error(drives):
    driver, bus = driven(random_step(TINY, "lstm", seed=10), drives)
    bus.write32(REGISTERS["inputs_base"].address, MEMORY + 0x100000)
    with pytest.raises(BusError):
        driver.run()


def test_a_program_that_is_none_is_told(drives):
    driver, bus = driven(random_step(TINY, "lstm", seed=11), drives)
    program = bus.read32(REGISTERS["program_address"].address)
    header = bus.read_bytes(program, 1)
    bus.write_bytes(program, b"\xff")
    with pytest.raises(ProgramError):
        driver.run()
    bus.write_bytes(program, header)
    driver.run()


@pytest.mark.parametrize(("end", "error"), [("overflow", OverflowedError), ("aborted", AbortedError)])
def test_each_end_of_a_run_has_an_error_of_its_own(drives, end: str, error: type[Exception]):
    class Ends(ModelBus):
        def _run_program(self) -> str:
            return end

    driver, _ = driven(random_step(TINY, "lstm", seed=12), drives, Ends)
    with pytest.raises(error):
        driver.run()


class Hangs(ModelBus):
    """Runs until it is aborted."""

    def _obey(self, command: int) -> None:
        self._values["status"] = REGISTERS["status"].packed(running=1)
        if REGISTERS["control"]["abort"].value(command):
            self._end("aborted", 0)


def test_a_machine_that_hangs_is_told_and_aborted(drives):
    driver, bus = driven(random_step(TINY, "lstm", seed=13), drives, Hangs)
    with pytest.raises(DriverTimeoutError):
        driver.run()
    with pytest.raises(BusyError):
        driver.run()
    driver.abort()
    assert REGISTERS["status"]["aborted"].value(bus.read32(REGISTERS["status"].address))


def test_what_python_says_of_errors_names_what_is_wrong():
    step = random_step(TINY, "lstm", seed=13)
    driver, bus = driven(step, python_driver)
    other = program_image(TrainingShape.of(random_step(TINY, "gru", seed=9)))
    with pytest.raises(
        IdentityError, match=f"the program is for machine {other.identity:#018x}, not {driver.identity:#018x}"
    ):
        Driver(bus, other)
    with pytest.raises(BusError, match="there is no memory at 0x100000"):
        bus.read_bytes(0x100000, 1)
    driver.write("inputs_base", address=0x100000)
    with pytest.raises(BusError, match=r"memory answered a read of 0x\w+ with an error"):
        driver.run()
    with pytest.raises(ValueError, match=r"sample 1 is of shape \(2, 4\), not \(3, 4\)"):
        driver.send(1, step.samples[0])
    hangs, _ = driven(step, python_driver, Hangs)
    with pytest.raises(DriverTimeoutError, match=r"has not come to an end in 0\.1 seconds"):
        hangs.run()
    with pytest.raises(BusyError, match="cannot start: it is running"):
        hangs.run()


def test_counters_and_interrupts_are_read_by_name():
    step = random_step(TINY, "lstm", seed=14)
    driver, bus = driven(step, python_driver)
    driver.write("interrupt_enable", finished=1)
    train(driver, step)
    assert bus.interrupts
    driver.write("interrupt_status", finished=1)
    assert not bus.interrupts
    assert set(driver.counters()) >= {"cycles", "read_bytes", "engine_wg_busy", "encoder_stall_stream"}
    assert driver.read("done_engine") == len(step.program.unit[step.program.unit == 1])


@pytest.mark.parametrize("address", [2, 0x1000, -4])
def test_an_address_without_a_register_is_a_bus_error(address: int):
    _, bus = driven(random_step(TINY, "lstm", seed=15), python_driver)
    with pytest.raises(BusError, match="there is no register at"):
        bus.read32(address)
