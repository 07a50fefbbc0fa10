"""Cycle by cycle: SimPy runs the units with their queues, the modes' laws and the memories' timing give the cycles."""

from __future__ import annotations

from collections.abc import Callable, Collection

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.counters import Counters
from deltatrain.accel.observer import Observer
from deltatrain.accel.program import PHASES, UNITS, Program
from deltatrain.sim import programs
from deltatrain.sim.machine import tally
from deltatrain.sim.machine.machine import Machine
from deltatrain.sim.memory import banks
from deltatrain.workloads.lowering import limits as lowering
from deltatrain.workloads.workload import Workload

LABEL = "cycle: simulated cycle by cycle"
TWIN = "cycle"
ENGINES: tuple[str, ...] = ()
OBSERVES = True
COMPUTES = False

program, dense_program = programs.recorded_program, programs.dense_program


def limits(architecture: Architecture, workload: Workload, off_chip: Collection[str]) -> list[str]:
    """Return why there is no program, or no law for the banks that it runs on."""
    return lowering.limits(architecture, workload) + banks.limits(architecture, off_chip)


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
    remote = tally.remote_counters(program, machine.memory.port)
    units = dict(zip(UNITS, machine.record.units, strict=True))
    phases = dict(zip(PHASES, machine.record.engine_phases, strict=True))
    return tally.counters(program, cycles, units, phases, remote)
