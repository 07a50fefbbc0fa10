"""The driver on the model of the bus: what it must do to a machine, and how it tells errors."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from c_driver import CDriver
from driven_steps import (
    CASES,
    MEMORY,
    REMOTE,
    TINY,
    assert_equal,
    driven,
    golden_weights,
    python_driver,
    train,
    weights_of,
)

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.bus.registers import REGISTERS
from deltatrain.rtl.bus.core import Core
from deltatrain.sim.driver.driver import Driver
from deltatrain.sim.driver.errors import (
    AbortedError,
    BusError,
    BusyError,
    DriverTimeoutError,
    IdentityError,
    ProgramError,
)
from deltatrain.sim.driver.model_bus import ModelBus
from deltatrain.sim.driver.program_image import program_image
from deltatrain.sim.driver.training_shape import TrainingShape
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.run import tile_for
from deltatrain.sim.gates.step import NumberedStep

LANES = ("engine.lanes", "engine.encoder_elements", "engine.elementwise_lanes")


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


def test_a_run_that_was_aborted_has_an_error_of_its_own(drives):
    class Ends(ModelBus):
        def _run_program(self) -> str:
            return "aborted"

    driver, _ = driven(random_step(TINY, "lstm", seed=12), drives, Ends)
    with pytest.raises(AbortedError):
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


def test_nothing_is_written_where_a_machine_works(drives):
    step = random_step(TINY, "lstm", seed=13)
    driver, bus = driven(step, drives, Hangs)
    with pytest.raises(DriverTimeoutError):
        driver.run()
    before = bus.read_bytes(0, MEMORY + 0x1000)
    other = TrainingShape.of(step).step(step.parameters, [1 + x for x in step.samples], step.labels, 1)
    for touches in (
        driver.clear_gradients,
        lambda: driver.load_weights(weights_of(step)),
        lambda: driver.train_batch(other.samples, other.labels, other.learning_rate),
        lambda: drives(bus, program_image(TrainingShape.of(step))),
    ):
        with pytest.raises(BusyError):
            touches()
    assert bus.read_bytes(0, MEMORY + 0x1000) == before


WRONG = {
    "fewer samples": (lambda d, s: d.train_batch(s.samples[:1], s.labels[:1], 1), "takes 2 samples and labels, not 1"),
    "more samples": (lambda d, s: d.train_batch(3 * s.samples, 3 * s.labels, 1), "takes 2 samples and labels, not 6"),
    "fewer labels": (lambda d, s: d.train_batch(s.samples, s.labels[:1], 1), "labels, not 2 and 1"),
    "a real rate": (lambda d, s: d.train_batch(s.samples, s.labels, 0.01), "learning_rate is in the machine's"),
    "a large rate": (lambda d, s: d.train_batch(s.samples, s.labels, 1 << 20), "learning_rate holds -32768 to 32767"),
    "a real input": (lambda d, s: d.send(0, s.samples[0] / 2), "sample 0 is in the machine's integers, not in float64"),
    "a large input": (lambda d, s: d.send(0, 0 * s.samples[0] + (1 << 40)), "sample 0 holds -32768 to 32767, not 1099"),
    "a sample before the first": (lambda d, s: d.send(-1, s.samples[-1]), "sample must be 0 to 1, not -1"),
    "a sample too many": (lambda d, s: d.set_label(2, 0), "sample must be 0 to 1, not 2"),
    "a class too many": (lambda d, s: d.set_label(0, 3), "the label of sample 0 holds 0 to 2, not 3"),
    "a class below zero": (lambda d, s: d.set_label(0, -1), "the label of sample 0 holds 0 to 2, not -1"),
    "several classes": (lambda d, s: d.set_label(0, [1, 2]), r"of shape \(1,\), not \(2,\)"),
    "no weights": (lambda d, s: d.load_weights({}), r"missing or not known: W_h\[0\]"),
    "other weights": (lambda d, s: d.load_weights(weights_of(s) | {"W": 1}), "missing or not known: W$"),
    "real weights": (lambda d, s: d.load_weights({n: W / 2 for n, W in weights_of(s).items()}), "not in float64"),
    "few thresholds": (lambda d, s: d.set_thresholds([(1, 2)]), r"is of shape \(4,\), not \(2,\)"),
    "real thresholds": (lambda d, s: d.set_thresholds([(0.5, 0.5)] * 2), "thresholds, two for each layer, is in"),
}


@pytest.mark.parametrize(("does", "message"), WRONG.values(), ids=WRONG)
def test_what_a_program_does_not_take_is_refused_and_nothing_runs(does, message: str):
    step = random_step(TINY, "lstm", seed=1)
    driver, _ = driven(step, python_driver)
    with pytest.raises(ValueError, match=message):
        does(driver, step)
    assert driver.read("done_engine") == 0


REFUSED_IN_C = {
    "fewer samples": lambda d, s: d.train(s.samples[:1], s.labels[:1], 1),
    "more samples": lambda d, s: d.train(3 * s.samples, 3 * s.labels, 1),
    "a large rate": lambda d, s: d.train(s.samples, s.labels, 1 << 20),
    "a short sample": lambda d, s: d.train([s.samples[0][:-1], s.samples[1]], s.labels, 1),
    "a long sample": lambda d, s: d.send(1, s.samples[0]),
    "a large input": lambda d, s: d.send(0, 0 * s.samples[0] + (1 << 20)),
    "a sample before the first": lambda d, s: d.send(-1, s.samples[-1]),
    "a sample too many": lambda d, s: d.set_label(2, 0),
    "a class too many": lambda d, s: d.set_label(0, 3),
    "a class below zero": lambda d, s: d.set_label(0, -1),
    "several classes": lambda d, s: d.set_label(0, [1, 2]),
    "large weights": lambda d, s: d.load_weights({name: 0 * W + (1 << 20) for name, W in weights_of(s).items()}),
    "small weights": lambda d, s: d.load_weights({name: W[:, :-1] for name, W in weights_of(s).items()}),
    "a threshold too many": lambda d, s: d.set_threshold(4, 1),
    "a large threshold": lambda d, s: d.set_threshold(0, (1 << 16) + 1),
    "no counter": lambda d, s: d.counter(REGISTERS["identity_low"].address),
}


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_what_a_program_does_not_take_is_an_error_in_c_too_and_nothing_is_written(tmp_path: Path):
    step = random_step(TINY, "lstm", seed=1)
    driver, bus = driven(step, lambda bus, image: CDriver(bus, image, tmp_path, memory=MEMORY))
    driver.load_weights(weights_of(step))
    before = bus.read_bytes(0, MEMORY + 0x1000)
    for name, does in REFUSED_IN_C.items():
        with pytest.raises(ValueError):
            does(driver, step)
        assert bus.read_bytes(0, MEMORY + 0x1000) == before, name
    assert not bus.read32(REGISTERS["done_engine"].address)
    driver.train_batch(step.samples, step.labels, step.learning_rate)
    assert_equal(driver.read_weights(), golden_weights(step))


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("memory", [3, 64, (1 << 32) - 128])
def test_the_memory_begins_where_the_machine_can_address_it_in_c_too(tmp_path: Path, memory: int):
    image = program_image(TrainingShape.of(random_step(TINY, "lstm", seed=1)))
    with pytest.raises(ValueError, match="open"):
        CDriver(ModelBus(image, memory_bytes=1 << 16), image, tmp_path, memory=memory)


@pytest.mark.parametrize("memory", [3, 64, -128, (1 << 32) - 128])
def test_the_memory_begins_where_the_machine_can_address_it(memory: int):
    image = program_image(TrainingShape.of(random_step(TINY, "lstm", seed=1)))
    with pytest.raises(ValueError, match=f"memory must be a multiple of 128, 0 to 0xffff.*, not {memory:#x}"):
        Driver(ModelBus(image, memory_bytes=1 << 16), image, memory=memory)


def test_targets_have_the_range_of_their_bits():
    step = random_step(TINY, "lstm", seed=1, task="regression")
    driver, _ = driven(step, python_driver)
    wanted = np.zeros(np.shape(step.labels[0]), dtype=np.int64)
    lowest, highest = driver._image.labels_range
    for target in (lowest, highest):
        driver.set_label(0, wanted + target)
    with pytest.raises(ValueError, match=f"holds {lowest} to {highest}, not {highest + 1}"):
        driver.set_label(0, wanted + highest + 1)


def test_a_tape_outside_of_the_memory_is_an_error():
    step = random_step(Architecture.named("tiny", REMOTE), "lstm", seed=1)
    image = program_image(TrainingShape.of(step))
    driver = python_driver(ModelBus(image, memory_bytes=MEMORY + image.regions["tape"].offset), image)
    with pytest.raises(BusError, match="memory answered a write of"):
        train(driver, step)


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


@pytest.mark.parametrize("lanes", [4, 16])
def test_the_model_tells_the_facts_of_the_core(lanes: int):
    machine = Architecture.named("tiny", dict.fromkeys(LANES, lanes) | {"dma.bytes_per_cycle": 2 * lanes})
    image = program_image(TrainingShape.of(random_step(machine, "rnn", seed=1)))
    driver = Driver(ModelBus(image, memory_bytes=image.memory_bytes), image)
    core = Core(architecture=machine, cell="rnn", sizes=image.sizes)
    differ = {"counters", "stream_in"}  # the model counts no cycles, and has no stream
    for register, fact in core.facts.items():
        for field in REGISTERS[register].fields:
            if field.name not in differ:
                assert driver.read(register, field.name) == field.value(fact), field


def test_of_commands_in_one_write_abort_counts_and_else_the_lowest():
    driver, bus = driven(random_step(TINY, "lstm", seed=14), python_driver)
    before = bus.read_bytes(0, MEMORY)
    driver.write("control", abort=1, start=1, save_weights=1)
    assert driver.read("done_engine") == 0
    assert bus.read_bytes(0, MEMORY) == before
    driver.write("control", start=1, save_weights=1)
    assert driver.read("done_engine") > 0
    assert bus.read_bytes(0, MEMORY) == before


@pytest.mark.parametrize("address", [2, 0x1000, -4])
def test_an_address_without_a_register_is_a_bus_error(address: int):
    _, bus = driven(random_step(TINY, "lstm", seed=15), python_driver)
    with pytest.raises(BusError, match="there is no register at"):
        bus.read32(address)
