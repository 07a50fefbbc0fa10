"""Cycle by cycle: SimPy runs the units with their queues, the modes' laws and the memories' timing give the cycles."""

from __future__ import annotations

from collections.abc import Callable

from accel.observer import Observer
from accel.program import PHASES, UNITS, Program
from accel.result import Counters
from sim import lowered, tally
from sim.machine import Machine

LABEL = "cycle: simulated cycle by cycle"
TWIN = "cycle"
ENGINES: tuple[str, ...] = ()
OBSERVES = True

programs = lowered.programs


def count(
    program: Program, on_progress: Callable[[float], None] | None = None, observer: Observer | None = None
) -> Counters:
    """Run `program` and return its counters.

    Parameters
    ----------
    program
        What to run.
    on_progress
        Called now and then with the share of ops that are done.
    observer
        Told what every unit does when.
    """
    machine = Machine(program, on_progress, observer)
    cycles = machine.run()
    remote = tally.remote_counters(program, machine.port)
    units = dict(zip(UNITS, machine.units, strict=True))
    phases = dict(zip(PHASES, machine.engine_phases, strict=True))
    return tally.counters(program, cycles, units, phases, remote)
