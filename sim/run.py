"""Simulating a training step: the one entry, from a machine and what fired to a result."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib import metadata
from typing import Any

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.observer import Observer, Observers
from deltatrain.accel.pricing.area import area
from deltatrain.accel.pricing.run_energy import energy_j, not_priced
from deltatrain.accel.program import Program
from deltatrain.accel.result import Result
from deltatrain.sim.fidelity import FIDELITIES
from deltatrain.sim.machine.kept_bytes import KeptBytes
from deltatrain.sim.machine.starved_lanes import StarvedLanes
from deltatrain.workloads import training_summary
from deltatrain.workloads.synthetic import synthetic_step
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.workload import SYNTHETIC, Workload


def simulate(
    architecture: Architecture,
    what: Workload | Trace,
    *,
    fidelity: str = "cycle",
    recorded: int = -1,
    engine: str | None = None,
    observe: Callable[[Program], AbstractContextManager[Observer]] | None = None,
    command: str = "",
    on_progress: Callable[[float], None] | None = None,
) -> Result:
    """Return what one training step costs on a machine, beside the same step with every delta fired.

    Parameters
    ----------
    architecture
        The machine.
    what
        A trace, or a synthetic workload, of which a trace is drawn.
    fidelity
        A name in ``sim/fidelity``.
    recorded
        Which of the trace's recorded training steps; the last by default.
    engine
        What runs the gates of fidelity "rtl": "amaranth", or "compiled", which is taken where tools for it are there.
    observe
        Gives, for the program of the recorded step, whom to tell what every unit does when
        (`sim.machine.timeline_files`).
    command
        The command line that asked for this, for the result's provenance.
    on_progress
        Told now and then the share of the work that is done.

    Raises
    ------
    ConfigError
        If the workload has no trace yet, the fidelity is unknown or cannot be observed, or something does not fit a
        memory.
    """
    started = time.process_time()
    member = _fidelity(fidelity, engine, observed=observe is not None)
    member.check(what.workload if isinstance(what, Trace) else what)
    trace = what if isinstance(what, Trace) else synthetic_trace(what)
    workload, step = trace.workload, _chosen(trace, recorded)
    delta, dense = member.programs(architecture, trace, step)
    tell = on_progress or (lambda share: None)
    boundary = _host_work(delta) / (_host_work(delta) + _host_work(dense))
    chosen: dict[str, Any] = {} if engine is None else {"engine": engine}
    with nullcontext() if observe is None else observe(delta) as observer:
        held, starved = KeptBytes(), StarvedLanes()
        if member.OBSERVES:
            chosen["observer"] = Observers([held, starved] if observer is None else [held, starved, observer])
        delta_counters = member.count(delta, lambda share: tell(share * boundary), **chosen)
    dense_counters = FIDELITIES.load(member.TWIN).count(dense, lambda share: tell(boundary + share * (1 - boundary)))
    known_area = area(architecture)
    return Result(
        workload=workload.model_dump(mode="json"),
        architecture=architecture.model_dump(mode="json"),
        fidelity=fidelity,
        counters=delta_counters,
        dense=dense_counters,
        energy_j=energy_j(delta_counters, architecture),
        dense_energy_j=energy_j(dense_counters, architecture),
        area_mm2=known_area.mm2,
        not_priced={"energy": not_priced(architecture), "area": known_area.not_priced},
        held_bytes=held.over_time(),
        starved_cycles=dict(starved.cycles),
        training=training_summary.summary(trace),
        provenance=_provenance(trace, architecture, recorded % len(trace.recorded), time.process_time() - started)
        | ({"command": command} if command else {}),
    )


def _fidelity(name: str, engine: str | None, *, observed: bool) -> Any:
    """Return the member of `FIDELITIES`; a `ConfigError` if it has no such engine, or cannot be observed and shall."""
    member = FIDELITIES.load(name)
    if engine is not None and engine not in member.ENGINES:
        known = " or ".join(map(repr, member.ENGINES)) or "none, as it runs no gates"
        raise ConfigError(f"the engine of fidelity {name!r} must be {known}, not {engine!r}")
    if observed and not member.OBSERVES:
        raise ConfigError(f"fidelity {name!r} has no timeline, as it does not tell when things happen: use 'cycle'")
    return member


def synthetic_trace(workload: Workload) -> Trace:
    """Return the trace of a synthetic workload: one recorded training step, no epochs.

    Raises
    ------
    ConfigError
        If the workload must be trained to know what fires.
    """
    if workload.synthetic is None:
        raise ConfigError(
            f"workload {workload.name!r} must be trained before it can be simulated: give its trace, "
            f"or a workload whose dataset is {SYNTHETIC!r}"
        )
    statistics = workload.synthetic
    return Trace(workload, statistics.inputs, statistics.classes, (synthetic_step(workload),), ())


def _chosen(trace: Trace, recorded: int) -> RecordedStep:
    try:
        return trace.recorded[recorded]
    except IndexError:
        raise ConfigError(
            f"the trace has {len(trace.recorded)} recorded training steps, so there is none with number {recorded}"
        ) from None


def _host_work(program: Program) -> int:
    """Return a measure of how long the host will be busy: ops, and columns that come from off-chip memory."""
    streamed = program.column_bytes > 0
    return len(program.ops) + int(program.ops.count[streamed].sum())


def _provenance(trace: Trace, architecture: Architecture, recorded: int, cpu_seconds: float) -> dict[str, Any]:
    return {
        "deltatrain": metadata.version("deltatrain"),
        "python": platform.python_version(),
        "workload_digest": trace.workload.digest(),
        "architecture_digest": architecture.digest(),
        "seed": trace.workload.training.seed,
        "recorded_step": recorded,
        "recorded_epoch": trace.recorded[recorded].epoch,
        "samples": len(trace.recorded[recorded].lengths),
        "host_cpu_seconds": round(cpu_seconds, 3),
    }
