"""What a whole training costs a machine: some of its recorded steps are simulated, the others follow from what fired.

Time, energy and off-chip bytes of a training step are, on one machine, close to a sum of three parts: one for each
multiply-accumulate of the matrix products, one for each step of a sample (element-wise work, encoding), and a constant
(the update). The parts are fitted by least squares to recorded steps that are simulated, each whole and with half of
its samples, and read at each epoch's own means, which training counted over all of its steps (`EpochCounts`). So a
recorded mini-batch, whose samples are always the same, does not stand for its epoch, but for how cost follows from what
is done. How far the sums may be off is the standard error of a least-squares prediction (Draper and Smith, Applied
Regression Analysis, 3rd edition, 1998, section 8.1). It does not know how other samples than the recorded ones deviate
from the sum of parts, so it is too low where a mini-batch has few.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.counters import Counters
from deltatrain.accel.errors import ConfigError, refuse, wrong_kind
from deltatrain.accel.files import AnyPath
from deltatrain.accel.pricing.run_energy import energy_j
from deltatrain.sim.capabilities import against_optimiser, against_simulating
from deltatrain.sim.fidelity import FIDELITIES
from deltatrain.workloads.trace import EpochCounts, RecordedStep, Trace
from deltatrain.workloads.training.operations import matrix_macs
from deltatrain.workloads.workload import Workload

LEAST_STEPS = 3
"""Fewer, whole and half, leave nothing by which to tell how far the fit is off."""


class Cost(NamedTuple):
    """What some training steps cost: time in seconds, energy in joules, bytes moved off-chip."""

    seconds: float
    energy_j: float
    remote_bytes: float


class EpochCost(NamedTuple):
    """One epoch: its number from 0, its training steps, the figure after it, and what it costs."""

    epoch: int
    steps: int
    figure: float
    cost: Cost


class TrainingCost(NamedTuple):
    """What a whole training costs.

    Attributes
    ----------
    epochs
        Each epoch.
    simulated_steps
        How many recorded steps, and halves of them, were simulated.
    total
        The sum over the epochs.
    error
        Standard error of each sum, as a share of it.
    """

    epochs: tuple[EpochCost, ...]
    simulated_steps: int
    total: Cost
    error: Cost

    @property
    def steps(self) -> int:
        """Training steps of all epochs."""
        return sum(epoch.steps for epoch in self.epochs)

    def until(self, reached: Callable[[float], bool]) -> Cost | None:
        """Return what is spent until the first epoch whose figure is good enough; None if none is."""
        spent = np.zeros(len(Cost._fields))
        for epoch in self.epochs:
            spent += epoch.cost
            if reached(epoch.figure):
                return Cost(*spent.tolist())
        return None


def whole_training(
    machine: Architecture | AnyPath,
    trace: Trace | AnyPath,
    *,
    fidelity: str = "cycle",
    steps: int = 5,
    on_progress: Callable[[float], None] = lambda share: None,
) -> TrainingCost:
    """Return what the training behind a trace costs a machine as a whole.

    Parameters
    ----------
    machine
        As of `sim.run.simulate`.
    trace
        Of a training that recorded at least three steps (``training.record_every``), or its file.
    fidelity
        One that needs no numbers of a step, whose half has none: "analytic" or "cycle".
    steps
        How many recorded steps are simulated, spread evenly over those that there are; all if there are fewer.
    on_progress
        Told the share of the work that is done.

    Raises
    ------
    ConfigError
        If nothing was trained, fewer than three steps were recorded or asked for, or the machine cannot run them.
    """
    machine, trace = Architecture.of(machine), _given(trace)
    member, costs = FIDELITIES.load(fidelity), []
    if member.COMPUTES:
        laws = [name for name in FIDELITIES.names() if not FIDELITIES.load(name).COMPUTES]
        raise ConfigError(f"fidelity must be one of {', '.join(laws)} for a whole training, not {fidelity!r}")
    refuse(against_simulating(machine, trace.workload, fidelity))
    simulated = chosen_steps(trace, steps)
    refuse(against_optimiser(machine, trace, simulated[-1]))
    for done, step in enumerate(simulated):
        on_progress(done / len(simulated))
        costs.append(cost_of(member.count(member.program(machine, trace, step), None), machine))
    return of_steps(trace, simulated, costs)


def chosen_steps(trace: Trace, steps: int) -> tuple[RecordedStep, ...]:
    """Return so many recorded steps of a training, spread evenly, and of each of them a half; errors as above.

    They are without numbers: a machine would decide by those of the last step alone what fires in it, beside counts of
    the training and a half that know nothing of that.
    """
    there = len(trace.recorded)
    if not trace.epochs:
        raise ConfigError(f"workload {trace.workload.name!r} was not trained: it has no training to add up")
    if type(steps) is not int or steps < LEAST_STEPS:
        raise ConfigError(f"steps must be an integer of {LEAST_STEPS} or more, not {steps!r}")
    refuse(recording_limits(there, trace.workload))
    places = np.linspace(0, there - 1, min(steps, there)).round().astype(int)
    whole = (replace(trace.recorded[place], numbers=None) for place in places)
    return tuple(part for step in whole for part in (step, half(step)))


def recording_limits(recorded: int, workload: Workload) -> list[str]:
    """Return why so many recorded steps tell nothing of a whole training."""
    if recorded >= LEAST_STEPS:
        return []
    training = workload.training
    return [
        f"a whole training is told from {LEAST_STEPS} recorded steps or more, not from {recorded}, which "
        f"training.epochs = {training.epochs} and training.record_every = {training.record_every} leave"
    ]


def cost_of(run: Counters, machine: Architecture) -> Cost:
    """Return what a simulated step costs."""
    moved = sum(phase.remote_bytes for phase in run.phases.values())
    return Cost(run.seconds, sum(energy_j(run, machine).values()), moved)


def of_steps(trace: Trace, steps: Sequence[RecordedStep], costs: Sequence[Cost]) -> TrainingCost:
    """Return what a training costs of which the last recorded step, and others or parts of them, cost as told."""
    a_epoch = trace.recorded[-1].update // (trace.recorded[-1].epoch + 1)
    done = np.array([_work(_counts(step, trace), trace, 1) for step in steps])
    epochs = np.array([_work(counts, trace, a_epoch) for counts in trace.epochs])
    fits = [_Fit.of(done, np.array(of_steps)) for of_steps in zip(*costs, strict=True)]
    each = np.array([a_epoch * fit.at(epochs) for fit in fits]).T  # (epochs, 3)
    total = each.sum(axis=0).tolist()
    errors = [fit.error_of_sum(a_epoch, epochs) for fit in fits]
    return TrainingCost(
        tuple(
            EpochCost(counts.epoch, a_epoch, counts.figure, Cost(*cost))
            for counts, cost in zip(trace.epochs, each.tolist(), strict=True)
        ),
        len(steps),
        Cost(*total),
        Cost(*(error / whole if whole else 0.0 for error, whole in zip(errors, total, strict=True))),
    )


def _given(trace: Trace | AnyPath) -> Trace:
    if isinstance(trace, str | os.PathLike):
        return Trace.load(trace)
    if not isinstance(trace, Trace):
        raise wrong_kind("what was trained", "a Trace or its file", trace)
    return trace


class _Fit(NamedTuple):
    """Parts of a cost, fitted by least squares, and what its errors follow from.

    Attributes
    ----------
    parts
        What a unit of each column costs, shape (3,).
    inverse
        Of the columns' products, shape (3, 3).
    variance
        Of single steps about the fit.
    """

    parts: NDArray[np.float64]
    inverse: NDArray[np.float64]
    variance: float

    @classmethod
    def of(cls, work: NDArray[np.float64], cost: NDArray[np.float64]) -> _Fit:
        """Return the fit to the costs (N,) of steps that did `work` (N, 3)."""
        scale = work.mean(axis=0)  # columns of one size: operations are a million times the constant
        inverse = np.linalg.pinv((work / scale).T @ (work / scale), rcond=1e-12, hermitian=True)
        parts = inverse @ (work / scale).T @ cost
        rest = cost - work / scale @ parts
        free = len(cost) - np.linalg.matrix_rank(work / scale, tol=1e-6)
        return cls(parts / scale, inverse / np.outer(scale, scale), float(rest @ rest) / free)

    def at(self, work: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the costs of steps that do `work` (N, 3)."""
        return work @ self.parts

    def error_of_sum(self, times: int, work: NDArray[np.float64]) -> float:
        """Return the standard error of the sum of costs, each so many times: of the fit, and of single steps."""
        summed = times * work.sum(axis=0)
        return float(np.sqrt(self.variance * (summed @ self.inverse @ summed + times * len(work))))


def _work(counts: EpochCounts, trace: Trace, training_steps: int) -> tuple[float, float, float]:
    """Return what one of so many training steps did: multiply-accumulates, steps of samples, and 1."""
    macs = matrix_macs(counts, trace.sizes, trace.workload.readout, trace.workload.sparsity).total
    return macs / training_steps, counts.steps_x[0] / trace.sizes.features / training_steps, 1.0


def half(step: RecordedStep) -> RecordedStep:
    """Return every other sample of a recorded step; of a single sample the first half of its steps."""
    samples = slice(None, None, 2)
    lengths = step.lengths[samples] if len(step.lengths) > 1 else np.maximum(step.lengths // 2, 1)
    longest = int(lengths.max())
    part: dict[str, Any] = {
        name: tuple(mask[:longest, samples] for mask in getattr(step, name))
        for name in ("fired_x", "fired_h", "asked_x", "asked_h")
    }
    words = None if step.words is None else step.words[:longest, samples]
    return replace(step, lengths=lengths, numbers=None, words=words, **part)


def _counts(step: RecordedStep, trace: Trace) -> EpochCounts:
    """Return what fired in a recorded step, as training counts it over an epoch."""
    sizes, steps = trace.sizes, int(step.lengths.sum())
    again = steps if step.carried else steps - len(step.lengths)
    carried = [int(mask[0].sum()) for mask in step.fired_h] if step.carried else []
    return EpochCounts(
        epoch=step.epoch,
        dense=False,
        loss=0.0,
        accuracy=None,
        fired_x=_fired(step.fired_x),
        fired_h=_fired(step.fired_h),
        steps_x=tuple(steps * width for width in sizes.inputs),
        steps_h=tuple(again * width for width in sizes.hidden),
        asked_x=_fired(step.asked_x),
        asked_h=_fired(step.asked_h),
        carried_h=tuple(carried),
        carried_steps_h=tuple(len(step.lengths) * width for width in sizes.hidden) if step.carried else (),
    )


def _fired(masks: Sequence[NDArray[np.bool_]]) -> tuple[int, ...]:
    return tuple(int(mask.sum()) for mask in masks)
