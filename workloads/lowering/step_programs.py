"""The two programs of every simulation: a recorded training step, and the same step with every column listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import refuse
from deltatrain.accel.memory import NEVER_AGAIN
from deltatrain.accel.program import Program
from deltatrain.workloads.lowering.alike_ops import program_of_alike
from deltatrain.workloads.lowering.alike_steps import AlikeSteps, dense_alike, fired_alike
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES, Policy
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, CheckpointSchedule, Costs
from deltatrain.workloads.lowering.checkpoint.timing import overlapped
from deltatrain.workloads.lowering.costs.step_costs import keeping_all, step_costs
from deltatrain.workloads.lowering.fastest_policy import CyclesOf, fastest, fitting, followed, seldom_again
from deltatrain.workloads.lowering.keeping import ScheduleOf
from deltatrain.workloads.lowering.limits import limits, workload_limits
from deltatrain.workloads.lowering.lists import Begun
from deltatrain.workloads.lowering.lowering import check_dense_fits, check_idle_fits, lower, lower_dense
from deltatrain.workloads.lowering.online.lowering import lower_online, lower_online_dense
from deltatrain.workloads.lowering.recent import Recent
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.sparse_columns import compressed
from deltatrain.workloads.lowering.windows import in_windows, window_lengths
from deltatrain.workloads.trace import RecordedStep, Trace

_COSTED_STEPS = 64
"""What a step costs is found from so many first steps of the samples."""

OPTIMAL = "optimal"
"""The policy that is to be as fast as any."""

_ALIKE: WeakKeyDictionary[RecordedStep, Recent[AlikeSteps]] = WeakKeyDictionary()
"""A sweep asks for one step on many machines, some of which have the same engine."""

_MOST_STANDING = 100_000  # steps


def recorded_program(
    architecture: Architecture, trace: Trace, recorded: RecordedStep, cycles_of: CyclesOf = followed
) -> Program:
    """Return the program of one of a trace's recorded steps, checkpointed as the machine says.

    Sparse weights are in compressed columns. Policy `optimal` takes the program that takes the fewest `cycles_of`.

    Raises
    ------
    ConfigError
        If there is no such checkpoint policy, or no program does what was trained on this machine.
    FitError
        If something does not fit the memory it must live in.
    """
    refuse(limits(architecture, trace.workload))
    shape = shape_of(trace)
    recorded = in_windows(recorded, shape.gradient_steps)
    program = program_of(architecture, shape, recorded, trace.workload.readout, cycles_of)
    return existing_alone(program, shape, recorded)


def existing_alone(program: Program, shape: Shape, recorded: RecordedStep) -> Program:
    """Return a program of a recorded step on the weights that exist: in compressed columns, if not all do."""
    return compressed(program, shape, recorded.weights) if recorded.weights else program


def program_of(
    architecture: Architecture, shape: Shape, recorded: RecordedStep, readout: str, cycles_of: CyclesOf = followed
) -> Program:
    """Return the same of a network's shape and what fired, all weights being there."""
    if shape.online:
        return lower_online(architecture, shape, recorded, readout)
    if _policy_that_runs_again(architecture) is None or not shape.learns:
        return lower(architecture, shape, recorded, readout)
    costed = lower(keeping_all(architecture), shape, _first_steps(recorded), readout)
    return _checkpointed(
        architecture, costed, lambda machine, of: lower(machine, shape, recorded, readout, of), cycles_of
    )


def dense_program(
    architecture: Architecture, trace: Trace, recorded: RecordedStep, cycles_of: CyclesOf = followed
) -> Program:
    """Return the program of the same step with every column worked through; errors as for `recorded_program`."""
    shape, readout = shape_of(trace), trace.workload.readout
    recorded = in_windows(recorded, shape.gradient_steps)
    lengths = recorded.lengths
    if shape.online:
        return lower_online_dense(architecture, shape, lengths, readout)
    begun = Begun(recorded.carried, recorded.words)
    if not shape.learns or _policy_that_runs_again(architecture) is None:
        return lower_dense(architecture, shape, lengths, readout, None, begun)
    costed = _costed_dense(architecture, shape, lengths, readout)
    return _checkpointed(
        architecture, costed, lambda machine, of: lower_dense(machine, shape, lengths, readout, of, begun), cycles_of
    )


def alike_program(
    architecture: Architecture, trace: Trace, recorded: RecordedStep, cycles_of: CyclesOf = followed
) -> Program:
    """Return the program of `recorded_program` for laws that add up ops: those alike in one row, where that can be.

    It cannot where steps are run again, weights are sparse, whose columns differ, words are looked up, a state is
    carried, each step learns at once, or samples are cut into windows; nor with a column cache, where an op's bytes
    depend on those before it; nor where weight gradients are grouped, whose bytes depend on how many steps a column
    fired in.
    """
    shape = shape_of(trace)
    if recorded.weights or not _are_alike(architecture, shape, recorded):
        return recorded_program(architecture, trace, recorded, cycles_of)
    refuse(limits(architecture, trace.workload))
    steps = _steps_alike(architecture, shape, recorded, fired_alike, recorded)
    return program_of_alike(architecture, shape, steps, trace.workload.readout)


def alike_dense_program(
    architecture: Architecture, trace: Trace, recorded: RecordedStep, cycles_of: CyclesOf = followed
) -> Program:
    """Return the program of `dense_program` for laws that add up ops: those alike in one row, where that can be."""
    shape = shape_of(trace)
    if not _are_alike(architecture, shape, recorded):
        return dense_program(architecture, trace, recorded, cycles_of)
    steps = _steps_alike(architecture, shape, recorded, dense_alike, recorded.lengths)
    return program_of_alike(architecture, shape, steps, trace.workload.readout)


def _are_alike(architecture: Architecture, shape: Shape, recorded: RecordedStep) -> bool:
    """Tell whether ops with as many columns take the same, and the step is no more than its masks."""
    runs_again = shape.learns and _policy_that_runs_again(architecture) is not None
    on_lists = architecture.column_cache is not None or architecture.engine.outer_steps > 1
    by_rule = shape.online or shape.gradient_steps is not None
    return not (recorded.carried or recorded.words is not None or runs_again or on_lists or by_rule)


def _steps_alike(
    architecture: Architecture, shape: Shape, recorded: RecordedStep, find: Callable[..., AlikeSteps], what: Any
) -> AlikeSteps:
    """Return the steps alike of a recorded step, which `find` finds in `what` it is, once for machines alike."""
    if recorded not in _ALIKE:
        _ALIKE[recorded] = Recent(64, _MOST_STANDING, lambda steps: int(steps.standing.sum()))
    machine = architecture.engine, architecture.tiles.count
    return _ALIKE[recorded].of((find, shape, *machine), lambda: find(what, shape, *machine))


def check_idle(architecture: Architecture, shape: Shape, lengths: NDArray[np.int64], readout: str) -> None:
    """Raise a `FitError` if a step of such lengths does not fit even if nothing fires in it.

    A checkpoint policy that may run steps again makes room, so then nothing is said.
    """
    if _policy_that_runs_again(architecture) is None or not shape.learns:
        check_idle_fits(architecture, shape, window_lengths(lengths, shape.gradient_steps), readout)


def check_dense(architecture: Architecture, shape: Shape, lengths: NDArray[np.int64], readout: str) -> None:
    """Raise the `FitError` of `dense_program`, if there is one, without making the program."""
    lengths = window_lengths(lengths, shape.gradient_steps)
    if _policy_that_runs_again(architecture) is None or not shape.learns:
        check_dense_fits(architecture, shape, lengths, readout, None)
        return
    candidates = _candidates(architecture, _costed_dense(architecture, shape, lengths, readout))
    next(fitting(partial(check_dense_fits, machine, shape, lengths, readout, of) for machine, of in candidates))


def _costed_dense(architecture: Architecture, shape: Shape, lengths: NDArray[np.int64], readout: str) -> Program:
    return lower_dense(keeping_all(architecture), shape, np.minimum(lengths, _COSTED_STEPS), readout)


def _candidates(architecture: Architecture, costed: Program) -> list[tuple[Architecture, ScheduleOf | None]]:
    """Return by what the step's program may be made: the schedules of the machine's policy, first, or the only ones.

    `optimal` is held against all others: against their schedules, and against machines that run nothing again, of which
    there are none. `costed` is a program of the first steps that keeps every tape.
    """
    checkpoint, costs = architecture.checkpoint, cache(partial(step_costs, costed))
    of = {name: _schedules(POLICIES.load(name), costs, overlap=checkpoint.overlap) for name in POLICIES.names()}
    own = of.pop(f"{checkpoint.policy}")
    if checkpoint.policy != OPTIMAL:
        return [(architecture, own)]
    plain = [checkpoint.model_copy(update={"policy": name}) for name in NEVER_AGAIN]
    return [
        *((architecture, one) for one in (own, *(seldom_again(other, own) for other in of.values()))),
        *((architecture.model_copy(update={"checkpoint": one}), None) for one in plain),
    ]


def _checkpointed(
    architecture: Architecture,
    costed: Program,
    lowered: Callable[[Architecture, ScheduleOf | None], Program],
    cycles_of: CyclesOf,
) -> Program:
    """Return the program of a step that `lowered` makes of the fastest of its candidates."""
    made = [partial(lowered, *candidate) for candidate in _candidates(architecture, costed)]
    return replace(fastest(made, cycles_of), architecture=architecture) if len(made) > 1 else made[0]()


def _schedules(policy: Policy, costs: Callable[[Budget], Costs], *, overlap: bool) -> ScheduleOf:
    """Return the schedules that a policy makes for the samples of a training step.

    What a step costs is found from a program of the first steps that keeps every tape, because no closed law tells how
    long ops wait for each other (`workloads.lowering.costs.pace`). With `overlap` transfers run beside other work.
    """

    def of(steps: int, budget: Budget) -> CheckpointSchedule:
        if not overlap:
            return policy.blocking_schedule(steps, budget, costs(budget))
        return overlapped(policy.schedule(steps, budget, costs(budget)), budget)

    return of


def shape_of(trace: Trace) -> Shape:
    """Return the sizes of a trace's network; a `ConfigError` where no program does what was trained."""
    refuse(workload_limits(trace.workload))
    workload = trace.workload
    return Shape.of_workload(workload, trace.inputs, trace.classes, trace.sizes.words)


def _policy_that_runs_again(architecture: Architecture) -> Policy | None:
    """Return the machine's checkpoint policy if it may run steps again; a `ConfigError` if there is no such policy."""
    name = architecture.checkpoint.policy
    if name is None or not architecture.checkpoint.runs_again:
        return None
    return POLICIES.load(name)


def _first_steps(recorded: RecordedStep) -> RecordedStep:
    lengths = np.minimum(recorded.lengths, _COSTED_STEPS)
    streams = (recorded.fired_x, recorded.fired_h, recorded.asked_x, recorded.asked_h)
    x, h, asked_x, asked_h = (tuple(mask[:_COSTED_STEPS] for mask in masks) for masks in streams)
    words = None if recorded.words is None else recorded.words[:_COSTED_STEPS]
    masks = lengths, x, h, asked_x, asked_h
    return RecordedStep(recorded.epoch, recorded.update, *masks, words=words, carried=recorded.carried)
