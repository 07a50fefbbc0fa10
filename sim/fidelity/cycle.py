"""Cycle by cycle: SimPy runs the units with their queues, the modes' laws and the memories' timing give the cycles."""

from __future__ import annotations

from collections.abc import Callable

from accel.program import PHASES, UNITS, Program
from accel.result import Counters, RemoteCounters
from sim import lowered, tally
from sim.machine import Machine

LABEL = "cycle: simulated cycle by cycle"
TWIN = "cycle"
ENGINES: tuple[str, ...] = ()

programs = lowered.programs


def count(program: Program, on_progress: Callable[[float], None] | None = None) -> Counters:
    """Run `program` and return its counters.

    Parameters
    ----------
    program
        What to run.
    on_progress
        Called now and then with the share of ops that are done.
    """
    machine = Machine(program, on_progress)
    cycles = machine.run()
    rows, port = machine.port.memory.counts, machine.port
    remote = RemoteCounters(
        asked_bytes=tally.asked_bytes(program),
        read_bytes=port.read_bytes,
        write_bytes=port.write_bytes,
        row_hits=rows.hits,
        row_misses=rows.misses,
        row_conflicts=rows.conflicts,
        activates=rows.activates,
        refreshes=rows.refreshes,
        busy_cycles=-(-rows.busy_ps // program.architecture.engine.period_ps),
    )
    units = dict(zip(UNITS, machine.units, strict=True))
    phases = dict(zip(PHASES, machine.engine_phases, strict=True))
    return tally.counters(program, cycles, units, phases, remote)
