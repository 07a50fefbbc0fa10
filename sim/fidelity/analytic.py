"""Closed forms over the op table: a lower bound of the cycle fidelity, at millions of ops a second."""

from __future__ import annotations

from collections.abc import Callable, Collection

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.counters import Counters, RemoteCounters
from deltatrain.accel.program import PHASES, UNITS, Program
from deltatrain.sim import programs
from deltatrain.sim.machine import tally
from deltatrain.sim.machine.tally import UnitTally
from deltatrain.workloads.lowering import limits as lowering
from deltatrain.workloads.lowering.costs.bounds import (
    bus_bytes,
    cycles_on_bus,
    port_cycles,
    recurrence_cycles,
)
from deltatrain.workloads.lowering.costs.dram_commands import least_commands
from deltatrain.workloads.workload import Workload

LABEL = "analytic: a lower bound"
TWIN = "analytic"
ENGINES: tuple[str, ...] = ()
OBSERVES = False
COMPUTES = False

program, dense_program = programs.alike_program, programs.alike_dense_program


def limits(architecture: Architecture, workload: Workload, off_chip: Collection[str]) -> list[str]:
    """Return why there is no program."""
    return lowering.limits(architecture, workload)


def count(program: Program, on_progress: Callable[[float], None] | None = None) -> Counters:
    """Return the counters of `program` as closed forms give them.

    The run takes at least as long as every unit's own work, as the bytes on the port and on the memory's data bus, and
    as the recurrence (`workloads.lowering.costs.bounds.recurrence_cycles`). What is above the engine's own work is one
    stall, "bound". The DRAM's commands and clocks are bounds too (`workloads.lowering.costs.dram_commands`). So is its
    energy, which is priced as at the other fidelities.

    Parameters
    ----------
    program
        What to run.
    on_progress
        Called once, with 1.
    """
    of_unit, of_phase, moved_bytes = program.own.unit_cycles, program.own.engine_cycles, bus_bytes(program)
    on_bus = cycles_on_bus(program.architecture, sum(moved_bytes))
    cycles = max(*of_unit, recurrence_cycles(program), port_cycles(program), on_bus)
    units = [UnitTally() for _ in UNITS]
    phases = [UnitTally() for _ in PHASES]
    for tallies, busy in ((units, of_unit), (phases, of_phase)):
        for one, busy_cycles in zip(tallies, busy, strict=True):
            one.busy_cycles = busy_cycles
    for unit in units:
        unit.stall("bound", cycles - unit.busy_cycles)
    _share_out(cycles - sum(of_phase), phases)
    remote = RemoteCounters(
        asked_bytes=program.asked_bytes,
        read_bytes=program.read_bytes,
        write_bytes=program.write_bytes,
        **{**tally.NO_COMMANDS, "busy_cycles": on_bus, **least_commands(program, cycles, moved_bytes)},
    )
    if on_progress is not None:
        on_progress(1.0)
    named_units = dict(zip(UNITS, units, strict=True))
    return tally.counters(program, cycles, named_units, dict(zip(PHASES, phases, strict=True)), remote)


def _share_out(cycles: int, phases: list[UnitTally]) -> None:
    """Give the phases their part of `cycles` of waiting, in proportion to their work."""
    busy = sum(phase.busy_cycles for phase in phases)
    done, told = 0, 0
    for number, phase in enumerate(phases, start=1):
        done += phase.busy_cycles
        end = round((done / busy if busy else number * (1 / len(phases))) * cycles)
        phase.stall("bound", end - told)
        told = end
