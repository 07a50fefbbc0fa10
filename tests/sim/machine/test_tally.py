"""Conservation: what the units did adds up to the run, phase by phase and byte by byte, in every fidelity."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from programs import programs

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.dram import DramPart
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.program import MODE_NAMES, NO_TENSOR, PHASES, Ops, Program, Tensor
from deltatrain.sim.fidelity import FIDELITIES, cycle
from deltatrain.sim.machine.tally import UnitTally
from deltatrain.workloads.lowering.costs.bounds import bus_cycles
from deltatrain.workloads.lowering.matrix import lower_matrix
from deltatrain.workloads.synthetic import uniform_masks

_SLOW = settings(max_examples=60)
NEEDS_NUMBERS = "rtl"  # whose counters are held to those of `cycle` in tests/agreement
FIDELITY = pytest.mark.parametrize("fidelity", sorted(set(FIDELITIES.names()) - {NEEDS_NUMBERS}))


@FIDELITY
@_SLOW
@given(program=programs())
def test_busy_and_stalled_cycles_add_up_to_the_run(fidelity: str, program: Program) -> None:
    counters = FIDELITIES.load(fidelity).count(program)
    assert set(counters.units) == set(program.units)
    assert set(counters.phases) == set(PHASES)
    for unit in counters.units.values():
        assert unit.busy_cycles + sum(unit.stall_cycles.values()) == counters.cycles
        assert unit.busy_cycles >= 0
        assert all(cycles > 0 for cycles in unit.stall_cycles.values())
    assert sum(p.busy_cycles + sum(p.stall_cycles.values()) for p in counters.phases.values()) == counters.cycles
    assert sum(p.busy_cycles for p in counters.phases.values()) == counters.units["engine"].busy_cycles
    for phase in counters.phases.values():
        assert phase.macs <= phase.busy_cycles * counters.lanes
        assert 0 <= phase.utilisation(counters.lanes) <= 1
        assert all(cycles >= 0 for cycles in phase.stall_cycles.values())


@settings(max_examples=1)
@given(program=programs())
def test_gates_are_not_run_on_a_program_without_numbers(program: Program) -> None:
    with pytest.raises(ConfigError, match="fidelity 'rtl' computes numbers"):
        FIDELITIES.load(NEEDS_NUMBERS).count(program)


@FIDELITY
@_SLOW
@given(program=programs())
def test_bytes_moved_are_the_bytes_asked_for(fidelity: str, program: Program) -> None:
    """Asked for, op by op: columns of remote matrices, each way where the op writes them, inputs and tape."""
    read = written = 0
    ops = program.ops
    for op in range(len(ops)):
        mode, count = MODE_NAMES[ops.mode[op]], int(ops.count[op])
        if mode == "load":
            read += count
        if mode == "store":
            written += count
        if mode not in ("matvec", "matvec_t", "outer", "update"):
            continue
        for index in (int(ops.tensor[op]), int(ops.second_tensor[op])):
            if index != NO_TENSOR and program.tensors[index].remote:
                moved = count * program.tensors[index].words * program.tensors[index].word_bytes
                read += moved
                written += moved * (mode in ("outer", "update"))
    remote = FIDELITIES.load(fidelity).count(program).remote
    assert (remote.read_bytes, remote.write_bytes) == (read, written)
    assert remote.asked_bytes == program.asked_bytes == read + written


@_SLOW
@given(programs())
def test_the_data_bus_is_busy_for_every_byte_and_never_longer_than_the_run(program: Program) -> None:
    counters = FIDELITIES.load("cycle").count(program)
    architecture, remote = program.architecture, counters.remote
    # A row that a refresh closes is opened again; one opened for a request may serve others that came before it.
    assert (remote.activates > 0) == (remote.row_misses + remote.row_conflicts > 0)
    if isinstance(architecture.device, DramPart):
        t, tck_ps, channels = architecture.device.timing, architecture.device.tck_ps, architecture.remote.channels
        assert bus_cycles(program) <= remote.busy_cycles <= counters.cycles + 1
        end_ps = (counters.cycles + architecture.dma.request_cycles + 1) * Fraction(
            10**12, architecture.engine.clock_hz
        )
        assert remote.refreshes <= channels * (end_ps / (t.tREFI * tck_ps) + 1)
    else:
        assert remote.busy_cycles == remote.refreshes == remote.activates == 0


@FIDELITY
@_SLOW
@given(program=programs(most_tiles=4))
def test_phases_together_do_the_work_of_the_run(fidelity: str, program: Program) -> None:
    counters, ops = FIDELITIES.load(fidelity).count(program), program.ops
    moved = counters.work["local_read_bytes"] + counters.work["local_write_bytes"]
    assert sum(phase.local_bytes for phase in counters.phases.values()) == moved > 0
    assert counters.macs == counters.work["macs"]
    for number, name in enumerate(PHASES):
        columns = (ops.tensor != NO_TENSOR) & (ops.phase == number)
        assert counters.phases[name].fired == int((ops.count + ops.other_count)[columns].sum())
        assert counters.phases[name].fired <= counters.phases[name].elements


def test_channels_share_the_bursts_and_all_ranks_of_all_channels_stand_by() -> None:
    """Two channels of two ranks: the data buses' mean is half of all bursts; each rank is open or not at any time."""
    homes = {"placement.weights": "remote", "placement.gradients": "remote"}
    changes = homes | {"remote.channels": 2, "remote.ranks": 2, "remote.device": "ddr3_1600"}
    machine = Architecture.named("edge", changes)
    remote = cycle.count(lower_matrix(machine, "outer", uniform_masks(20, 40, 0.5, 1), 64)).remote
    tick_ps, burst_ticks, period_ps = 1250, 4, Fraction(10**12, machine.engine.clock_hz)
    moved_ps = (remote.read_bursts + remote.write_bursts) * burst_ticks * tick_ps
    assert remote.busy_cycles == -(-moved_ps // (2 * period_ps)) > 0
    clocks, odd = divmod(sum(remote.bus_ticks.values()), 2)
    assert odd == 0 and remote.active_ticks + remote.idle_ticks == 2 * 2 * clocks
    assert remote.bus_ticks["read"] + remote.bus_ticks["write"] == moved_ps // tick_ps
    assert 0 < remote.active_ticks < 2 * 2 * clocks


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_units_that_end_together_the_later_one_is_waited_for(order: tuple[int, int]) -> None:
    """A list of 19 cycles and 9 of drain, a copy of 4 and 24; the lanes wait for both, named in any order."""
    table = Ops.blank(3)
    table["mode"][:] = [MODE_NAMES.index(mode) for mode in ("encode", "copy", "matvec")]
    table["words"][:] = 19, 4, 1
    table["count"][2], table["dense_count"][2], table["rows"][2], table["tensor"][2] = 1, 1, 4, 0
    table["depends"][2, :2] = order
    matrix = Tensor("weights", "h", 0, False, 0, 1, 1, 8)
    program = Program(Architecture.named("tiny"), Ops(**table), (matrix,), np.zeros(1, np.int32), {}, {})
    assert cycle.count(program).units["engine"].stall_cycles["elementwise"] == 28


def test_cycles_without_work_go_to_the_end() -> None:
    tally = UnitTally()
    tally.busy_cycles = 5
    tally.stall("load", 3)
    tally.stall("load", 4)
    tally.stall("store", 0)
    counters = tally.counters(20)
    assert counters.stall_cycles == {"load": 7, "end": 8}
    assert UnitTally().counters(0).stall_cycles == {}
