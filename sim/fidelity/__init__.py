"""Family: one file for each fidelity; `Fidelity` says what a member has."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.counters import Counters
from deltatrain.accel.family import ModuleFamily
from deltatrain.accel.program import Program
from deltatrain.accel.result import Result
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.workload import Workload


class Fidelity(Protocol):
    """How faithfully a program is run.

    Attributes
    ----------
    LABEL
        What its numbers are, in a few words for pages and pictures.
    TWIN
        The fidelity in which the dense twin is counted.
    ENGINES
        Names of what may run it, where there is a choice: its ``count`` then takes an ``engine``.
    OBSERVES
        Whether it can tell when everything happened: its ``count`` then takes an ``observer`` (`accel.observer`).
    COMPUTES
        Whether it computes the step, and so must know the numbers that the step works on.
    """

    LABEL: str
    TWIN: str
    ENGINES: tuple[str, ...]
    OBSERVES: bool
    COMPUTES: bool

    def limits(self, architecture: Architecture, workload: Workload, off_chip: Collection[str]) -> list[str]:
        """Return a line for each reason why it cannot run such a workload on such a machine.

        `off_chip` has those of weights, gradients and tape that are known to live in off-chip memory.
        """

    def program(self, architecture: Architecture, trace: Trace, recorded: RecordedStep) -> Program:
        """Return the program of a recorded step."""

    def dense_program(self, architecture: Architecture, trace: Trace, recorded: RecordedStep) -> Program:
        """Return the program of the same step with every column worked through."""

    def count(self, program: Program, on_progress: Callable[[float], None] | None = None, **chosen: Any) -> Counters:
        """Return what running a program counted; `on_progress` is told now and then the share that is done."""


FIDELITIES = ModuleFamily[Fidelity]("deltatrain.sim.fidelity", "fidelity", Fidelity)


def label(result: Result) -> str:
    """Return what a result's numbers are, in a few words for pages and pictures."""
    return f"{result.fidelity}: {result.caveat}" if result.caveat else FIDELITIES.load(result.fidelity).LABEL
