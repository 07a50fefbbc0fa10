"""`deltatrain plan`: which checkpoint policy, before anything is run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import RenderableType

from deltatrain.sim.cli import options
from deltatrain.sim.cli.interruption import interruptible
from deltatrain.sim.cli.output import TEXT, Output
from deltatrain.sim.cli.step_source import step_source

if TYPE_CHECKING:
    from deltatrain.accel.architecture import Architecture
    from deltatrain.sim.checkpoint_runs import SimulatedPlan
    from deltatrain.workloads.lowering.planning import Plan, PolicyPlan


def command(
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
    output: Output = TEXT,
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
    from json import dumps

    from deltatrain.accel.architecture import Architecture
    from deltatrain.sim.checkpoint_plan import plan

    changed = options.overrides(changes)
    machine = Architecture.named(on, changed.machine)
    with interruptible(), output.stages() as stages:
        what = step_source(trace, workload, changed)
        made = plan(machine, what, steps=steps, occupancy=occupancy, simulate=simulate, on_progress=stages)
    found, ran, hidden = made.predicted, made.simulated, made.workload.hidden
    title = f"{made.workload.name} on {machine.name}, T = {found.steps:,}"
    chosen = found.recommended
    told = {**asdict(found), "recommended": chosen.policy if chosen else None}
    if ran:
        told["simulated"] = ran._asdict()
    output.give(
        *_tables(found, title, hidden),
        *([_simulated(ran)] if ran else []),
        *_set_aside(machine),
        json=lambda: dumps(told, indent=1),
        rows=lambda: list(map(_unrounded, found.policies)),
    )


def _unrounded(one: PolicyPlan) -> dict[str, object]:
    """Return what a policy takes under the names of its fields; empty where it does not fit."""
    from dataclasses import fields

    from deltatrain.workloads.lowering.checkpoint.schedule import Demand

    own = {field.name: getattr(one, field.name) for field in fields(one) if field.name != "demand"}
    return own | {name: getattr(one.demand, name, "") for name in Demand._fields}


def _set_aside(machine: Architecture) -> list[str]:
    """Return a line about the machine's fields that a plan ignores; no line if none of them is set."""
    own, lines = machine.checkpoint, []
    if own.policy is not None or not own.overlap:
        lines.append(
            f"Set aside: checkpoint.policy = {own.policy!r}, checkpoint.overlap = {str(own.overlap).lower()}. "
            "A plan compares every policy, both ways."
        )
    if machine.column_cache:
        lines.append("Set aside: the column cache. A plan predicts no hits; `simulate` has them beside every policy.")
    return lines


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
