"""One core runs program after program without a reset: after their end, an abort, or an error of the memory."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from components import unelaborated
from core_on_bus import bus_of, check_matrices, core_for, driver_on, image_of, train, weights_before
from gate_steps import compiled
from two_lanes import a_step

from deltatrain.accel.bus.registers import REGISTERS
from deltatrain.rtl.bus.machine import MOVES
from deltatrain.rtl.bus.results import PACKETS
from deltatrain.sim.driver.errors import BusError, ProgramError
from deltatrain.sim.driver.program_image import program_image
from deltatrain.sim.driver.training_shape import TrainingShape
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.images import to_bytes
from deltatrain.sim.gates.run import tile_for
from deltatrain.workloads.training.integer_training import classify, forward

pytestmark = compiled


WORD_BYTES = 4
"""A word of activations: a beat, and an item of the stream."""


@pytest.fixture(scope="module")
def machine():
    """A core with room for read-outs of every step, its bus and a driver of a program of the shape of `a_step`."""
    step, most = a_step(0), a_step(0, readout="every")
    whole = image_of(most)
    core = core_for(most, whole)
    with unelaborated():
        image = image_of(step, tile_for(step, whole.sizes))
    with bus_of(core, whole, seed=7, simulation_of=CompiledSimulation) as bus:
        yield bus, driver_on(bus, image), image


def run_golden(driver, step):
    driver.set_thresholds(step.network.thresholds)
    train(driver, step)
    check_matrices(driver, step)


def test_a_program_follows_another_on_its_weights(machine):
    _, driver, _ = machine
    first = a_step(1)
    run_golden(driver, first)
    second = replace(a_step(2), network=first.network, parameters=first.golden.updated)
    driver.train_batch(second.samples, second.labels, second.learning_rate)
    check_matrices(driver, second)


@pytest.mark.parametrize("thresholds", [(0, 0), (1 << 16, 1 << 16), (1, 1 << 16)])
def test_the_program_of_a_shape_runs_whatever_fires(machine, thresholds):
    _, driver, _ = machine
    step = a_step(3, thresholds=thresholds)
    fired = [sample.any() for sample in step.samples]
    assert any(fired)
    run_golden(driver, step)
    counters = driver.counters()
    everything = 3 * sum(map(len, step.samples))
    assert counters["engine_fp_busy"] > everything if thresholds == (0, 0) else counters["engine_fp_busy"] > 0


def test_sequences_come_over_the_stream(machine):
    bus, driver, image = machine
    step = a_step(9)
    driver.load_weights(weights_before(step))
    driver.set_thresholds(step.network.thresholds)
    driver.train_batch([0 * sample for sample in step.samples], step.labels, step.learning_rate)
    driver.load_weights(weights_before(step))
    vectors = [to_bytes(vector, step.architecture.engine.formats.activation) for one in step.samples for vector in one]
    padded = b"".join(vector + bytes(-len(vector) % WORD_BYTES) for vector in vectors)
    words = [padded[start : start + WORD_BYTES] for start in range(0, len(padded), WORD_BYTES)]
    items = [int.from_bytes(word, "little") for word in words]
    driver.write("streams", inputs=1)
    bus.items.append(items[0])
    driver.write("control", start=1)  # a load that never gets its second word
    for _ in range(300):
        bus.tick()
    assert not bus.items
    driver.abort()
    bus.items.extend(items)
    for _ in range(50):
        bus.tick()
    driver.run()  # the memory holds zeros
    driver.write("streams", inputs=0)
    assert not bus.items
    check_matrices(driver, step)
    assert image.regions["inputs"].size_bytes == len(padded)


def check_waits_are_counted(bus, driver):
    """While a loss waits for room every cycle is one of the stream's; where nothing waits no cycle is."""
    cycles, waited = driver.counters()["cycles"], driver.counters()["elementwise_stall_stream"]
    for _ in range(100):
        bus.tick()
    more = driver.counters()["elementwise_stall_stream"] - waited
    if driver.read("status", "running"):
        assert 100 <= more <= driver.counters()["cycles"] - cycles
        assert waited > 1000
    else:
        assert (waited, more) == (0, 0)


@pytest.mark.parametrize("takes", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("readout", ["last", "every"])
def test_results_leave_whenever_they_are_taken(machine, readout, takes):
    bus, first, _ = machine
    step = a_step(11, readout=readout, thresholds=(0, 8))
    with unelaborated():
        core = tile_for(step, first._image.sizes)
        image = image_of(step, core)
    bus.memory.extend(bytes(max(0, image.memory_bytes - len(bus.memory))))
    driver, bus.takes_results = driver_on(bus, image), takes
    driver.load_weights(weights_before(step))
    driver.write("streams", results=1)
    for number, (sample, label) in enumerate(zip(step.samples, step.labels, strict=True)):
        driver.send(number, sample)
        driver.set_label(number, label)
    driver.write("learning_rate", rate=step.learning_rate)
    driver.write("control", start=1)
    for _ in range(3000):
        bus.tick()
    check_waits_are_counted(bus, driver)
    expected = [row for sample in step.golden.samples for row in sample.logits]
    assert driver.read("results", "waiting") == min(len(expected), PACKETS)
    assert driver.read("status", "running") == (len(expected) > PACKETS), "it waits until there is room"
    for row in expected:
        np.testing.assert_array_equal(np.frombuffer(bus.read_packet(), dtype=f"<i{image.result_bytes}"), row)
    driver._check(driver._wait())
    assert driver.read("results", "made") == len(expected)
    driver.write("streams", results=0)
    check_matrices(driver, step)
    driver.train_batch(step.samples, step.labels, 0)
    assert not driver.read("results", "waiting")
    first.load_program()


@pytest.mark.parametrize("readout", ["last", "every"])
def test_sequences_run_forward_alone_between_trainings(machine, readout):
    bus, first, _ = machine
    step = a_step(12, readout=readout, thresholds=(0, 8))
    with unelaborated():
        core = tile_for(step, first._image.sizes)
        image, alone = (
            program_image(shape, core) for shape in (TrainingShape.of(step), TrainingShape.of(step).forward(2))
        )
    trains = driver_on(bus, image)
    run_golden(trains, step)
    infers, network, parameters = driver_on(bus, alone), step.network, step.golden.updated
    for sample in (step.samples[0], -step.samples[0]):
        expected = classify(network, parameters, forward(network, parameters, sample)[-1].h)
        np.testing.assert_array_equal(infers.infer(sample), expected)
    check_matrices(trains, step)
    first.load_program()


def test_an_abort_leaves_no_part_of_a_packet(machine):
    bus, driver, image = machine
    step, rng, seen = a_step(13), random.Random(6), set()
    for _ in range(24):
        driver.load_weights(weights_before(step))
        driver.write("streams", results=1)
        driver.write("control", start=1)
        for _ in range(rng.randrange(100, 700)):
            bus.tick()
        driver.abort()
        driver.write("streams", results=0)
        driver.clear_gradients()
        waiting = driver.read("results", "waiting")
        seen.add(waiting)
        sizes = [len(bus.read_packet()) for _ in range(waiting)]
        assert sizes == [image.packets[1] * image.result_bytes] * waiting
        assert not driver.read("results", "waiting")
    assert len(seen) > 1
    run_golden(driver, step)


def test_a_program_of_nothing_ends(machine):
    _, driver, _ = machine
    driver.write("program_bytes", bytes=0)
    for unit in ("encoder", "engine", "elementwise", "load"):
        driver.write(f"finishes_{unit}", ops=0)
    driver.run()
    assert driver.read("status", "finished")
    driver.load_program()


@pytest.mark.parametrize("move", MOVES)
def test_a_move_of_a_matrix_that_is_not_in_the_tile_ends_and_moves_nothing(machine, move):
    bus, driver, _ = machine
    driver.load_weights(weights_before(a_step(5)))
    before = bytes(bus.memory)
    driver.write("control", **{move: 1})
    for _ in range(100):
        bus.tick()
    assert driver.read("status", "finished")
    assert bytes(bus.memory) == before


@pytest.mark.parametrize("other", ["start", "reset_counters", *MOVES])
def test_nothing_starts_in_a_write_that_aborts(machine, other):
    bus, driver, _ = machine
    run_golden(driver, a_step(4))
    before, counters = driver.read("status"), driver.counters()
    driver.write("control", abort=1, **{other: 1})
    for _ in range(40):
        bus.tick()
        assert bus.read32(REGISTERS["status"].address) == before
    assert driver.counters() == counters


def test_of_commands_in_one_write_the_lowest_runs(machine):
    _, driver, _ = machine
    driver.write("control", start=1, **dict.fromkeys(MOVES, 1))
    while driver.read("status", "running"):
        pass
    assert driver.read("done_load") == sum(map(len, a_step(0).samples))


def test_an_aborted_program_leaves_nothing_behind(machine):
    bus, driver, _ = machine
    rng, stopped = random.Random(5), 0
    for seed in range(16):
        driver.load_weights(weights_before(a_step(seed, thresholds=(0, 0))))
        driver.set_thresholds(((0, 0),))
        driver.write("control", start=1)
        for _ in range(rng.randrange(20, 900)):
            bus.tick()
        driver.abort()
        stopped += driver.read("status", "aborted")
        run_golden(driver, a_step(10 + seed, thresholds=(0, 8)))
    assert stopped > 8


def test_errors_of_the_memory_stop_the_run_and_say_where(machine):
    bus, driver, image = machine
    step = a_step(4)
    for bad, name in ((bus.bad_reads, "read_error"), (bus.bad_writes, "write_error")):
        region = image.regions["gradients" if name == "write_error" else "weights"]
        bad.update(range(region.offset, region.offset + region.size_bytes))
        driver.write("interrupt_enable", **{name: 1})
        with pytest.raises(BusError):
            train(driver, step)
        where = driver.read("error_address")
        assert driver.read("status", name)
        assert driver.read("status", "idle")
        assert region.offset // 4096 * 4096 <= where < region.offset + region.size_bytes
        assert bus.simulation.value("irq")
        bus.write32(REGISTERS["interrupt_status"].address, 0xFFFF_FFFF)
        assert not bus.simulation.value("irq")
        bad.clear()
        run_golden(driver, step)


@pytest.mark.parametrize(
    ("where", "header"), [(0, 0x00FF_0107), (0, 0x00FF_0100), (1, None)], ids=["no unit", "no length", "cut short"]
)
def test_a_wrong_record_stops_the_run(machine, where, header):
    bus, driver, image = machine
    program = image.regions["program"].offset
    if header is None:
        driver.write("program_bytes", bytes=16)
    else:
        bus.write_bytes(program + 8 * where, header.to_bytes(8, "little"))
    with pytest.raises(ProgramError):
        driver.run()
    assert driver.read("error_address") == program
    driver.load_program()
    run_golden(driver, a_step(6))


def test_the_counters_are_those_of_the_last_start(machine):
    _, driver, _ = machine
    step = a_step(8)
    run_golden(driver, step)
    first = driver.counters()
    run_golden(driver, step)
    again = driver.counters()
    busy = [name for name in first if name.endswith("_busy")]
    assert [again[name] for name in busy] == [first[name] for name in busy]
    assert driver.read("done_load") == sum(map(len, step.samples))
    driver.write("control", reset_counters=1)
    assert not any(driver.counters().values())
    assert np.any(list(first.values()))
