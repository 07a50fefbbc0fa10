"""Which checkpoint policy suits a training on a machine: predicted before anything is trained, simulated if asked."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError, refuse
from deltatrain.accel.files import AnyPath
from deltatrain.sim.capabilities import against_planning
from deltatrain.sim.checkpoint_runs import SimulatedPlan, lengthened, simulated_plan
from deltatrain.sim.flow import recordings_of
from deltatrain.sim.programs import fired_on
from deltatrain.sim.progress import Progress, tell_nobody
from deltatrain.sim.run import described, synthetic_trace
from deltatrain.workloads.dataset import SYNTHETIC
from deltatrain.workloads.lowering import planning
from deltatrain.workloads.lowering.planning import MOST_STEPS, Plan, PolicyPlan
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload

__all__ = ["CheckpointPlan", "plan"]

_MOST_SIMULATED = 1_000
"""Steps: some seconds for each policy."""


class CheckpointPlan(NamedTuple):
    """What each checkpoint policy takes.

    Attributes
    ----------
    workload, architecture
        What is trained, and on which machine.
    predicted
        Memory, recomputation and time of each policy, from closed forms.
    simulated
        Cycles of each policy, simulated; None where nobody asked.
    """

    workload: Workload
    architecture: Architecture
    predicted: Plan
    simulated: SimulatedPlan | None

    def __repr__(self) -> str:
        best, ran = self.recommended, self.simulated
        cycles = ran.cycles[best.policy] if best and ran else None
        told = (
            f"\n  simulated: {cycles[1]:,} cycles, keeping everything {ran.unlimited_cycles:,}"
            if cycles and ran
            else ""
        )
        return f"{self.workload.name} on {self.architecture.name}, {self.predicted!r}{told}"

    @property
    def recommended(self) -> PolicyPlan | None:
        """The fastest policy, as predicted; None if none fits."""
        return self.predicted.recommended


def plan(
    architecture: Architecture | AnyPath,
    what: Workload | Trace | AnyPath,
    *,
    steps: int | None = None,
    occupancy: float = 0.2,
    simulate: bool = False,
    on_progress: Progress = tell_nobody,
) -> CheckpointPlan:
    """Predict for each checkpoint policy its memory, recomputation, time and reach, and recommend one.

    Nothing is trained. A column cache that takes what memory is left is set aside.

    Parameters
    ----------
    architecture
        The machine, its preset's name, or its TOML file.
    what
        A trace or its file, or a workload, its preset's name, or its TOML file.
    steps
        T, the steps of a sequence; the longest that there is if left out.
    occupancy
        Share of deltas that fire, 0 to 1, where neither a trace nor statistics tell.
    simulate
        Whether each policy is simulated too, which takes up to 1,000 steps.
    on_progress
        Told the stage, the share of it that is done, and what is being done.

    Raises
    ------
    ConfigError
        If an argument is out of range, or no plan can be made for such a workload.
    FitError
        If weights, gradients and working state alone do not fit.
    """
    if steps is not None and not 1 <= steps <= MOST_STEPS:
        raise ConfigError(f"steps must be 1 to {MOST_STEPS:,}, not {steps:,}")
    if not 0 <= occupancy <= 1:
        raise ConfigError(f"occupancy must be 0 to 1, not {occupancy}")
    machine, wanted = Architecture.of(architecture), described(what)
    refuse(against_planning(machine, wanted.workload if isinstance(wanted, Trace) else wanted, simulated=simulate))
    machine = machine.without_cache()
    trace = _trace(wanted, occupancy, on_progress)
    workload, step = trace.workload, fired_on(machine, trace, trace.recorded[-1])
    shape = Shape.of_workload(workload, trace.inputs, trace.classes)
    length = steps if steps is not None else int(step.lengths.max())
    if simulate and length > _MOST_SIMULATED:
        raise ConfigError(f"up to {_MOST_SIMULATED:,} steps can be simulated, not {length:,}")
    found = planning.plan(machine, shape, step, workload.readout, length, on_progress=_stage("plan", on_progress))
    ran = None
    if simulate:
        policies = [one.policy for one in found.policies]
        longer, tell = lengthened(step, length), _stage("simulate", on_progress)
        ran = simulated_plan(machine, shape, longer, workload.readout, policies, tell)
    return CheckpointPlan(workload, machine, found, ran)


def _trace(what: Workload | Trace, occupancy: float, on_progress: Progress) -> Trace:
    """Return a trace whose last step is planned for. That of a workload with a data set is drawn from statistics."""
    if isinstance(what, Workload):
        return synthetic_trace(what if what.synthetic else _with_statistics(what, occupancy, on_progress))
    if not what.recorded:
        raise ConfigError(f"the trace of workload {what.workload.name!r} has no recorded training step")
    return what


def _with_statistics(workload: Workload, occupancy: float, on_progress: Progress) -> Workload:
    """Return the workload with statistics instead of its data set, of the same sizes and the longest length."""
    recordings = recordings_of(workload.dataset, on_progress)
    statistics = {
        "inputs": recordings.train.features,
        "classes": recordings.classes,
        "steps": int(recordings.train.lengths.max()),
        "occupancy_x": occupancy,
        "occupancy_h": occupancy,
    }
    return workload.with_changes(dataset=SYNTHETIC, synthetic=statistics, training__batch=1)


def _stage(stage: str, on_progress: Progress) -> partial[None]:
    return partial(_tell, stage, on_progress)


def _tell(stage: str, on_progress: Progress, policy: str, share: float) -> None:
    on_progress(stage, share, policy)
