"""Tiles that do the same are simulated once: the counters are those of a machine in which every tile is simulated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from every_tile import EveryTile, totals
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_machine import NaiveMachine
from programs import READOUTS, architectures, programs, recorded_step, recordings, shapes

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.program import MODE_NAMES, NO_TENSOR, PHASES, UNITS, Program
from deltatrain.sim.fidelity import analytic, cycle
from deltatrain.sim.machine.machine import Machine
from deltatrain.workloads.lowering.lowering import lower, lower_dense
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.trace import RecordedStep

_SLOW = settings(max_examples=12)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Program, Shape, RecordedStep | None]:
    """Draw a program for two to nine tiles, some of them without a neuron, what fired (None: dense) and the sizes."""
    architecture, shape = draw(architectures(most_tiles=9)), draw(shapes(widest=30))
    step, readout = draw(recordings(shape, most_steps=4)), draw(READOUTS)
    if draw(st.booleans()):
        return lower_dense(architecture, shape, step.lengths, readout), shape, None
    return lower(architecture, shape, step, readout), shape, step


def _busy(stalls: Any) -> dict[str, int]:
    return {cause: cycles for cause, cycles in stalls.items() if cycles}


@_SLOW
@given(cases())
def test_counters_are_those_of_all_tiles_simulated(case: tuple[Program, Shape, RecordedStep | None]) -> None:
    program, shape, step = case
    every = EveryTile(program, shape, step)
    total = every.run()
    counted, machine = cycle.count(program), Machine(program)
    assert counted.cycles == machine.run() == total
    assert list(machine.scoreboard.done_at) == [every.done[op] for op in range(len(program.ops))]
    for name in UNITS:
        assert counted.units[name].busy_cycles == every.units[name].busy
        assert _busy(counted.units[name].stall_cycles) == _busy(every.units[name].stalls)
    for name in PHASES:
        assert counted.phases[name].busy_cycles == every.phase_busy[name]
        assert _busy(counted.phases[name].stall_cycles) == _busy(every.phase_stalls[name])
        macs, words = totals(every, name)
        assert counted.phases[name].macs == macs
        ops = program.ops
        chosen = (ops.phase == PHASES.index(name)) & (ops.tensor != NO_TENSOR)
        assert int((ops.total_count * ops.total_words)[chosen].sum()) == words
    losses = program.ops.mode == MODE_NAMES.index("loss")
    assert (program.ops.total_count[losses] == shape.classes * program.architecture.tiles.count).all()


@_SLOW
@given(programs(most_tiles=6))
def test_memory_and_bound_hold_for_several_tiles_too(program: Program) -> None:
    naive = NaiveMachine(program)
    total = naive.run()
    counted, bound = cycle.count(program), analytic.count(program)
    assert counted.cycles == total >= bound.cycles
    assert bound.work == counted.work
    assert (counted.remote.read_bytes, counted.remote.write_bytes) == (naive.read_bytes, naive.write_bytes)
    assert counted.remote.asked_bytes == naive.read_bytes + naive.write_bytes


def test_uneven_tiles_do_differ() -> None:
    """What the property rests on: tiles have different cycles for the same op, so that it compares something."""
    machine = Architecture.named(
        "tiny",
        {"tiles.count": 3, "tiles.exchange_bytes_per_cycle": 2, "tiles.exchange_latency_cycles": 3}
        | {"engine.encoder_elements": 2, "engine.elementwise_lanes": 1},
    )
    shape = Shape(CELL_ARITHMETIC.load("gru"), (9,), (21,), 5)
    step = recorded_step(shape, np.array([5]), 0.4, 3)
    program = lower(machine, shape, step, "every")
    every = EveryTile(program, shape, step)
    own = [op for op in range(len(program.ops)) if every.mode[op] not in ("load", "store")]
    differing = {every.mode[op] for op in own if len({work.cycles(op) for work in every.works}) > 1}
    assert differing >= {"encode", "matvec", "outer", "matvec_t", "cell_forward", "cell_backward", "update"}


@pytest.mark.parametrize("dense", [False, True])
def test_one_tile_described_is_no_tiles_described(dense: bool) -> None:
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (7, 9), (9, 10), 3)
    step = recorded_step(shape, np.array([4, 3]), 0.3, 1)
    wires = {"tiles.count": 1, "tiles.exchange_bytes_per_cycle": 3, "tiles.exchange_latency_cycles": 50}
    one, same = (
        lower_dense(Architecture.named("edge", changes), shape, step.lengths, "last")
        if dense
        else lower(Architecture.named("edge", changes), shape, step, "last")
        for changes in ({}, wires)
    )
    assert cycle.count(one) == cycle.count(same)
    assert "exchange" not in cycle.count(one).units
    assert one.local_bytes == same.local_bytes
