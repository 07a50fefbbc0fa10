"""Training through the registers and the memory of the gates: the weights are the integer golden model's."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from c_driver import CDriver
from framed_digits import FramedDigits

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.bus.registers import REGISTERS
from deltatrain.sim.driver.driver import Driver
from deltatrain.sim.driver.errors import BusError
from deltatrain.sim.driver.gates_bus import GatesBus
from deltatrain.sim.driver.program_image import program_image
from deltatrain.workloads.training.integer_batch import updated
from deltatrain.workloads.training.integer_training import training_step

MEMORY = 0x1000
STALLS = 40


@pytest.fixture(scope="module")
def digits() -> FramedDigits:
    return FramedDigits(Architecture.named("tiny"))


@pytest.fixture(scope="module")
def image(digits: FramedDigits):
    return program_image(digits.shape)


@pytest.fixture(scope="module")
def bus(image) -> GatesBus:
    return GatesBus.of(image, memory_bytes=MEMORY + image.memory_bytes, stalls=STALLS)


def python_driver(bus, image, tmp_path):
    return Driver(bus, image, memory=MEMORY)


def c_driver(bus, image, tmp_path):
    return CDriver(bus, image, tmp_path, memory=MEMORY)


DRIVERS = {"python": python_driver, "c": c_driver}
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


def assert_weights(driver, image, parameters) -> None:
    found = driver.read_weights()
    for name, expected in image.named(parameters).items():
        np.testing.assert_array_equal(found[name], expected, err_msg=name)


@needs_cc
@pytest.mark.parametrize("opened", DRIVERS.values(), ids=DRIVERS)
def test_each_driver_trains_on_real_digits_as_the_golden_model_does(digits, image, bus, opened, tmp_path: Path):
    driver, parameters = opened(bus, image, tmp_path), digits.first
    driver.load_weights(image.named(parameters))
    for samples, labels in islice(digits.batches(0), 2):
        driver.train_batch(samples, labels, digits.rate)
        golden = training_step(digits.shape.network, parameters, samples, labels, digits.rate)
        parameters = golden.updated
        assert_weights(driver, image, parameters)
    assert all(not dW.any() for dW in driver.read_gradients().values())
    assert not bus.breaks_rule


def test_abort_in_a_run_then_the_same_step_again(digits, image, bus):
    driver = Driver(bus, image, memory=MEMORY)
    driver.load_weights(image.named(digits.first))
    (samples, labels), *_ = islice(digits.batches(0), 1)
    for number, (sample, label) in enumerate(zip(samples, labels, strict=True)):
        driver.send(number, sample)
        driver.set_label(number, label)
    driver.write("control", start=1)
    assert driver.read("status", "running")
    while driver.read("done_engine") < 20:
        pass
    driver.abort()
    assert driver.read("status", "aborted")
    assert 20 <= driver.read("done_engine") < image.finishes["engine"]
    driver.load_weights(image.named(digits.first))
    driver.train_batch(samples, labels, digits.rate)
    golden = training_step(digits.shape.network, digits.first, samples, labels, digits.rate)
    assert_weights(driver, image, golden.updated)


def test_counters_of_a_run_add_up_and_the_interrupt_tells_its_end(digits, image, bus):
    driver = Driver(bus, image, memory=MEMORY)
    driver.load_weights(image.named(digits.first))
    driver.write("interrupt_status", finished=1, aborted=1)
    driver.write("interrupt_enable", finished=1)
    assert not bus.interrupts
    driver.train_batch(*next(digits.batches(0)), digits.rate)
    assert bus.interrupts
    driver.write("interrupt_status", finished=1)
    assert not bus.interrupts
    counters = driver.counters()
    words = sum(len(sample) for sample in image.vectors) * -(-digits.shape.features // 4)
    assert counters["read_bytes"] == len(image.commands) + 8 * words
    assert counters["write_bytes"] == 0
    of_engine = sum(count for name, count in counters.items() if name.startswith("engine_"))
    assert 0 < of_engine <= counters["cycles"]
    assert [driver.read(f"done_{unit}") for unit in image.finishes] == list(image.finishes.values())


def test_memory_that_answers_with_an_error_stops_the_run(digits, image, bus):
    driver = Driver(bus, image, memory=MEMORY)
    driver.write("inputs_base", address=0x4000_0000)
    with pytest.raises(BusError, match=r"memory answered a read of 0x4000\w+ with an error"):
        driver.run()
    driver.load_program()
    driver.run()
    assert bus.read32(REGISTERS["status"].address) & REGISTERS["status"]["finished"].mask


@pytest.mark.parametrize("address", [2, 0x1000, -4])
def test_an_address_without_a_register_is_a_bus_error(bus, address):
    with pytest.raises(BusError, match="there is no register at"):
        bus.read32(address)


@pytest.mark.long
@needs_cc
@pytest.mark.parametrize("opened", DRIVERS.values(), ids=DRIVERS)
def test_an_epoch_through_each_driver_is_the_golden_epoch(digits, image, bus, opened, tmp_path: Path):
    driver, parameters = opened(bus, image, tmp_path), digits.first
    driver.load_weights(image.named(parameters))
    for samples, labels in digits.batches(0):
        driver.train_batch(samples, labels, digits.rate)
        parameters = updated(digits.shape.network, parameters, samples, labels, digits.rate)
    assert_weights(driver, image, parameters)
    assert not bus.breaks_rule
    assert digits.accuracy(parameters) > 0.9


@pytest.mark.long
def test_epochs_until_the_accuracy_of_the_golden_loop(digits, image, bus):
    """Epochs through the Python driver, as many as the golden step takes to tell 19 of 20 recordings right."""
    driver, parameters, epochs = Driver(bus, image, memory=MEMORY), digits.first, 0
    driver.load_weights(image.named(parameters))
    while digits.accuracy(parameters) < 0.95:
        for samples, labels in digits.batches(epochs):
            parameters = updated(digits.shape.network, parameters, samples, labels, digits.rate)
            driver.train_batch(samples, labels, digits.rate)
        epochs += 1
        assert epochs <= 4, "the golden step takes 2 or 3 epochs"
    assert_weights(driver, image, parameters)


@pytest.mark.long
@needs_cc
@pytest.mark.parametrize("opened", DRIVERS.values(), ids=DRIVERS)
def test_with_everything_in_memory_a_step_is_the_golden_step_too(opened, tmp_path: Path):
    remote = {f"placement.{use}": "remote" for use in ("weights", "gradients", "tape")}
    digits = FramedDigits(Architecture.named("tiny", remote))
    image = program_image(digits.shape)
    bus = GatesBus.of(image, memory_bytes=MEMORY + image.memory_bytes, stalls=STALLS)
    driver, parameters = opened(bus, image, tmp_path), digits.first
    driver.load_weights(image.named(parameters))
    for samples, labels in islice(digits.batches(0), 2):
        driver.train_batch(samples, labels, digits.rate)
        parameters = updated(digits.shape.network, parameters, samples, labels, digits.rate)
    assert_weights(driver, image, parameters)
    assert not bus.breaks_rule
