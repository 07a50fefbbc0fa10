"""Programs in memory: their records, where they say what is wanted, and that handing them out in order ends."""

from __future__ import annotations

import struct
from collections import deque

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.bus.program_format import RECORD_UNITS
from deltatrain.accel.errors import ConfigError
from deltatrain.rtl.bus.words import Kind, forms
from deltatrain.sim.driver.driver import Driver
from deltatrain.sim.driver.model_bus import ModelBus
from deltatrain.sim.driver.program_image import program_image
from deltatrain.sim.driver.training_shape import TrainingShape
from deltatrain.sim.gates.commands import Commands
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.run import StepOnGates

REMOTE = {"placement.weights": "remote", "placement.gradients": "remote", "placement.tape": "remote"}
CASES = {
    "lstm": {},
    "every": {"readout": "every", "lengths": (1, 3)},
    "regression": {"task": "regression", "cell": "gru"},
    "one layer": {"hidden": (5,), "lengths": (2, 1, 3)},
}


def drawn(case: dict, remote: bool, seed: int = 1):
    machine = Architecture.named("tiny", REMOTE if remote else None)
    return random_step(machine, **({"cell": "lstm", "seed": seed} | case))


def records_of(commands: bytes):
    """Yield unit, threshold and payload of each record, parsed by what the format says in words."""
    at = 0
    while at < len(commands):
        unit, words, threshold, *rest = struct.unpack_from("<BBB5B", commands, at)
        assert rest == [0] * 5
        yield RECORD_UNITS[unit], threshold, int.from_bytes(commands[at + 8 : at + 8 + 8 * words], "little")
        at += 8 + 8 * words
    assert at == len(commands)


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_with_its_labels_a_program_holds_the_commands_that_the_gates_are_given(case: dict, remote: bool):
    step = drawn(case, remote)
    on_gates, image = StepOnGates(step), program_image(TrainingShape.of(step))
    bus = ModelBus(image, memory_bytes=image.memory_bytes)
    driver = Driver(bus, image)
    for sample, label in enumerate(step.labels):
        driver.set_label(sample, label)
    found: dict[str, list[int]] = {unit: [] for unit in RECORD_UNITS}
    numbers = []
    for unit, threshold, payload in records_of(bus.read_bytes(image.regions["program"].offset, len(image.commands))):
        found[unit].append(payload)
        if unit == "encoder":
            numbers.append(threshold)
    given = on_gates.commands.packed(on_gates.tile)
    assert {unit: payloads for unit, payloads in found.items() if payloads} == {
        unit: payloads for unit, payloads in given.items() if payloads
    }
    ops = step.program.ops
    encodes = np.flatnonzero(ops.is_mode("encode"))
    assert numbers == [2 * ops.layer[row] + ops.stream[row] for row in encodes]


def handed_out(order: list[str], commands: Commands, units: tuple[str, ...], room: int) -> int:
    """Hand out commands in this order to queues of `room`, run what may run, and return how many were done."""
    told = {unit: iter(commands.of_unit[unit]) for unit in commands.of_unit}
    queues: dict[str, deque] = {unit: deque() for unit in commands.of_unit}
    done, fetched, taken = dict.fromkeys(commands.of_unit, 0), 0, deque(order)
    fetches = bool(commands.of_unit["fetch"])  # then every op of the engine has one
    goes_on = True
    while goes_on:
        goes_on = False
        if taken and len(queues[taken[0]]) < room:
            unit = taken.popleft()
            queues[unit].append(next(told[unit]))
            goes_on = True
        for unit, queue in queues.items():
            if not queue or any(done[of] < least for of, least in zip(units, queue[0]["waits"], strict=True)):
                continue
            if unit == "engine" and fetches and not fetched:
                continue  # its columns have not come
            if unit == "fetch" and fetched == room:
                continue  # there is no room for more columns
            fetched += (unit == "fetch") - (unit == "engine" and fetches)
            queue.popleft()
            done[unit] += 1
            goes_on = True
    return sum(done.values())


@pytest.mark.parametrize("room", [1, 3])
@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_commands_in_the_order_of_the_program_never_wait_for_ever(seed: int, remote: bool, room: int):
    rng = np.random.default_rng([room, remote, seed])
    case = {
        "cell": str(rng.choice(["lstm", "gru", "rnn"])),
        "hidden": tuple(rng.integers(1, 9, rng.integers(1, 4)).tolist()),
        "lengths": tuple(rng.integers(1, 5, rng.integers(1, 4)).tolist()),
        "readout": str(rng.choice(["last", "every"])),
    }
    step = drawn(case, remote, seed)
    commands = StepOnGates(step).commands
    units = step.program.units
    assert handed_out(commands.order, commands, units, room) == len(commands.order)
    late = sorted(commands.order, key=lambda unit: unit == "encoder")  # lists are made when nobody is left to read them
    assert handed_out(late, commands, units, room) < len(late)


def test_a_program_for_a_tile_that_is_too_small_is_refused():
    step = drawn({}, False)
    small = StepOnGates(drawn({"hidden": (3,)}, False)).tile
    with pytest.raises(ValueError, match="the shape needs a tile of at least"):
        program_image(TrainingShape.of(step), small)


def test_more_layers_than_thresholds_are_refused():
    deep = TrainingShape.of(drawn({"hidden": (2,) * 9}, False))
    with pytest.raises(ConfigError, match="a machine on a bus has thresholds for 8 layers, not for 9"):
        program_image(deep)


@pytest.mark.parametrize("home", [{}, REMOTE], ids=["local", "remote"])
def test_regions_begin_with_whole_beats_of_the_widest_bus(home):
    lanes = 64
    wide = dict.fromkeys(("engine.lanes", "engine.encoder_elements", "engine.elementwise_lanes"), lanes)
    machine = Architecture.named("tiny", wide | {"dma.bytes_per_cycle": 128, "dma.buffer_bytes": 16_384} | home)
    image = program_image(TrainingShape.of(random_step(machine, "rnn", seed=1)))
    beat_bytes = forms(machine.engine)[Kind.INPUTS].bytes
    assert beat_bytes == 128
    assert [name for name, region in image.regions.items() if region.base(0) % beat_bytes] == []


def test_a_command_that_is_too_long_for_a_record_is_refused():
    step = random_step(Architecture.named("tiny"), "rnn", seed=1, task="regression", classes=1100, hidden=(3,))
    with pytest.raises(ConfigError, match=r"a command of 255 words .* 'elementwise' are for 1100 outputs"):
        program_image(TrainingShape.of(step))
