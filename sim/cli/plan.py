"""`deltatrain plan`: which checkpoint policy, before anything is run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import RenderableType

from deltatrain.accel.errors import ConfigError, refuse
from deltatrain.sim.cli import options
from deltatrain.sim.cli.interruption import interruptible

_MOST_SIMULATED = 1_000
"""Steps: some seconds for each policy."""

if TYPE_CHECKING:
    from collections.abc import Callable

    from deltatrain.accel.architecture import Architecture
    from deltatrain.sim.checkpoint_runs import SimulatedPlan
    from deltatrain.workloads.lowering.planning import Plan, PolicyPlan
    from deltatrain.workloads.trace import RecordedStep
    from deltatrain.workloads.workload import Workload


def plan(
    trace: Annotated[Path | None, Parameter(name="TRACE", help="A trace.npz that `train` or `run` wrote.")] = None,
    /,
    *,
    workload: Annotated[
        str | None, Parameter(name=["--workload", "-w"], help="Instead of a trace: a workload, or its TOML file.")
    ] = None,
    on: options.Machine = "edge",
    steps: Annotated[
        int | None, Parameter(name=["--steps", "-t"], help="Steps of a sequence. [default: the longest there is]")
    ] = None,
    occupancy: Annotated[
        float, Parameter(help="Share of deltas that fire, where neither a trace nor statistics tell.")
    ] = 0.2,
    simulate: Annotated[
        bool, Parameter(help="Simulate each policy too; up to 1,000 steps.", show_default=False, negative="")
    ] = False,
    changes: options.Changes = None,
    json: options.Json = False,
) -> None:
    """Predict, for each checkpoint policy, memory, recomputation, time and how far it goes, and recommend one.

    Nothing is trained, nor simulated unless asked for: a step's cycles are those
    of the analytic fidelity, and a schedule's time is predicted from them.

    For example:

      deltatrain plan --workload synthetic --on edge
      deltatrain plan --workload digits --steps 100000
      deltatrain plan --workload synthetic --steps 300 --simulate
      deltatrain plan out/digits-edge/trace.npz --on reneta
    """
    from dataclasses import asdict
    from functools import partial
    from json import dumps

    from deltatrain.accel.architecture import Architecture
    from deltatrain.sim import checkpoint_runs
    from deltatrain.sim.capabilities import against_planning
    from deltatrain.sim.cli.progress import Stages
    from deltatrain.sim.cli.screen import show
    from deltatrain.workloads.lowering import planning
    from deltatrain.workloads.lowering.placement import Shape

    changed = options.overrides(changes)
    if steps is not None and not 1 <= steps <= planning.MOST_STEPS:
        raise ConfigError(f"--steps must be 1 to {planning.MOST_STEPS:,}, not {steps:,}")
    machine = Architecture.named(on, changed.machine)
    against = partial(against_planning, machine, simulated=simulate)
    ran = None
    with interruptible(), Stages() as stages:
        what, step, inputs, classes = _step(trace, workload, occupancy, changed, stages, against)
        shape = Shape.of(what.cell, inputs, what.hidden, classes)
        length = steps if steps is not None else int(step.lengths.max())
        found = planning.plan(
            machine, shape, step, what.readout, length, on_progress=lambda name, share: stages("plan", share, name)
        )
        if simulate:
            if length > _MOST_SIMULATED:
                raise ConfigError(f"--simulate takes up to {_MOST_SIMULATED:,} steps, not {length:,}")
            ran = checkpoint_runs.simulated_plan(
                *(machine, shape, checkpoint_runs.lengthened(step, length), what.readout),
                *([one.policy for one in found.policies], lambda name, share: stages("simulate", share, name)),
            )
    if json:
        chosen = found.recommended
        told = {**asdict(found), "recommended": chosen.policy if chosen else None}
        if ran:
            told["simulated"] = ran._asdict()
        sys.stdout.write(dumps(told, indent=1) + "\n")
        return
    title = f"{what.name} on {machine.name}, T = {length:,}"
    show(*_tables(found, title, what.hidden), *([_simulated(ran)] if ran else []), *_set_aside(machine))


def _set_aside(machine: Architecture) -> list[str]:
    """Return a line that says what of the machine's description a plan does not look at, if it is there."""
    own = machine.checkpoint
    if own.policy is None and own.overlap:
        return []
    return [
        f"Set aside: checkpoint.policy = {own.policy!r}, checkpoint.overlap = {str(own.overlap).lower()}. "
        "A plan compares every policy, both ways."
    ]


def _simulated(ran: SimulatedPlan) -> RenderableType:
    from deltatrain.sim.cli.screen import table

    rows = [
        [policy, *(f"{one / ran.unlimited_cycles:.3f}" for one in cycles)] if cycles else [policy, "-", "-"]
        for policy, cycles in ran.cycles.items()
    ]
    note = (
        "One sample's training step, update included, as a factor of keeping everything in local memory without end; "
        f"that takes {ran.unlimited_cycles:,} cycles."
    )
    return table("Simulated", ["policy", "blocking", "beside compute"], rows, note)


def _step(
    path: Path | None,
    name: str | None,
    occupancy: float,
    changed: options.Overrides,
    stages: object,
    against: Callable[[Workload], list[str]],
) -> tuple[Workload, RecordedStep, int, int]:
    """Return the workload, a training step of it, and the widths of input and read-out."""
    from deltatrain.sim.run import synthetic_trace
    from deltatrain.workloads.trace import Trace
    from deltatrain.workloads.workload import Workload

    if (path is None) == (name is None):
        raise ConfigError("plan takes either a trace file or --workload")
    if not 0 <= occupancy <= 1:
        raise ConfigError(f"--occupancy must be 0 to 1, not {occupancy}")
    if path is not None:
        if changed.workload:
            raise ConfigError("--set workload.… has no meaning here: the trace has its workload")
        kept = Trace.load(path)
        if not kept.recorded:
            raise ConfigError(f"{path} has no recorded training step")
        refuse(against(kept.workload))
        return kept.workload, kept.recorded[-1], kept.inputs, kept.classes
    wanted = Workload.named(str(name), changed.workload)
    refuse(against(wanted))
    if wanted.synthetic is None:
        wanted = _with_statistics(wanted, occupancy, stages)
    drawn = synthetic_trace(wanted)
    return drawn.workload, drawn.recorded[-1], drawn.inputs, drawn.classes


def _with_statistics(workload: Workload, occupancy: float, stages: object) -> Workload:
    """Return the workload with statistics in the place of its data set, whose sizes and longest sample they take."""
    from deltatrain.sim.flow import recordings_of
    from deltatrain.workloads.workload import SYNTHETIC

    recordings = recordings_of(workload.dataset, stages)  # type: ignore[arg-type]
    statistics = {
        "inputs": recordings.train.features,
        "classes": recordings.classes,
        "steps": int(recordings.train.lengths.max()),
        "occupancy_x": occupancy,
        "occupancy_h": occupancy,
    }
    return workload.with_changes(dataset=SYNTHETIC, synthetic=statistics, training__batch=1)


def _tables(found: Plan, title: str, hidden: tuple[int, ...]) -> list[RenderableType]:
    from deltatrain.sim.cli.screen import fields, table

    rows = [_row(one, found, hidden) for one in found.policies]
    each = "" if found.budget.moved_tape_bytes is None else ", each tile"
    columns = [
        "policy",
        f"local bytes{each}",
        f"remote bytes{each}",
        "extra forward",
        "blocking",
        "beside compute",
        "longest T",
        "H up to",
    ]
    note = (
        "Predicted, not simulated. Times are those of keeping everything in a memory without end, as a factor; "
        f"that takes {found.unlimited_cycles:,} cycles a sample."
    )
    sizes, costs = found.budget, found.costs
    about = [
        ("a state, a tape", f"{sizes.state_bytes:,} and {sizes.tape_bytes:,} bytes{each}"),
        ("a residue", "none" if sizes.residue_bytes is None else f"{sizes.residue_bytes:,} bytes"),
        ("room for them", f"{sizes.local_bytes:,} bytes local, {sizes.remote_bytes:,} bytes remote{each}"),
        ("a step", f"{costs.forward_cycles:,} cycles forward, {costs.backward_cycles:,} backward"),
        ("of them the port", f"{costs.forward_port_cycles:,} and {costs.backward_port_cycles:,} cycles"),
        ("moving", f"{costs.save_state_cycles:,} cycles a state, {costs.save_tape_cycles:,} a tape, each way"),
    ]
    parts: list[RenderableType] = [fields("Sizes and times of a step", about), table(title, columns, rows, note)]
    reasons = [one.reason for one in found.policies if one.reason]
    chosen = found.recommended
    advice = f"Recommended: {chosen.policy}" if chosen else "No policy fits."
    return [*parts, *reasons, *([""] if reasons else []), advice]


def _row(one: PolicyPlan, found: Plan, hidden: tuple[int, ...]) -> list[str]:
    from deltatrain.workloads.lowering.planning import MOST_STEPS

    longest = "any" if one.longest >= MOST_STEPS else f"{one.longest:,}" if one.longest else "-"
    width = f"{int(max(hidden) * one.widest):,}" if one.widest else "-"
    if one.demand is None:
        return [one.policy, *["-"] * 5, longest, width]
    times = (f"{cycles / found.unlimited_cycles:.3f}" for cycles in (one.blocking_cycles, one.overlapped_cycles))
    extra = one.demand.forward_steps - found.steps
    return [
        one.policy,
        f"{one.demand.local_bytes:,}",
        f"{one.demand.remote_bytes:,}",
        f"{extra:,}",
        *times,
        longest,
        width,
    ]
