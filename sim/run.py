"""Simulates a training step: the one entry, from a machine and a trace to a result."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.counters import Counters
from deltatrain.accel.errors import ConfigError, refuse, wrong_kind
from deltatrain.accel.files import AnyPath
from deltatrain.accel.latency import Latency
from deltatrain.accel.observer import Observer, Observers
from deltatrain.accel.origin import ANOTHER_MACHINE, ANOTHER_WORKLOAD, AS_RECORDED, BY_STATISTICS, IN_INTEGERS
from deltatrain.accel.pricing.area import area
from deltatrain.accel.pricing.identity import prices_digest
from deltatrain.accel.pricing.nodes import mixed_nodes
from deltatrain.accel.pricing.run_energy import energy_j, not_priced
from deltatrain.accel.program import Program
from deltatrain.accel.result import Result
from deltatrain.accel.version import VERSION
from deltatrain.sim.capabilities import (
    against_drawing,
    against_optimiser,
    against_recorded,
    against_running_untrained,
    against_simulating,
)
from deltatrain.sim.dense_twin import DenseTwin
from deltatrain.sim.fidelity import FIDELITIES
from deltatrain.sim.fitting import check_described, check_twin
from deltatrain.sim.machine.kept_bytes import KeptBytes
from deltatrain.sim.machine.starved_lanes import StarvedLanes
from deltatrain.sim.machine.step_latency import StepLatency
from deltatrain.sim.weight_moves import weight_moves
from deltatrain.workloads import training_summary
from deltatrain.workloads.dataset import recordings_of
from deltatrain.workloads.lowering.step_programs import shape_of
from deltatrain.workloads.synthetic import synthetic_step
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.workload import Workload


def simulate(
    architecture: Architecture | AnyPath,
    what: Workload | Trace | AnyPath,
    *,
    fidelity: str = "cycle",
    dense: bool = True,
    recorded: int = -1,
    engine: str | None = None,
    observe: Callable[[Program], AbstractContextManager[Observer]] | None = None,
    command: str = "",
    on_progress: Callable[[float], None] | None = None,
) -> Result:
    """Return what one training step costs on a machine, beside the same step with every delta fired, its dense twin.

    Parameters
    ----------
    architecture
        The machine, its preset's name, or its TOML file.
    what
        A trace or its file, which ends in ``.npz``; or a workload, its preset's name, or its TOML file. Of a synthetic
        workload a trace is drawn; of one with `initial_weights` the network in that file runs on its recordings. What
        fires in a step whose numbers a trace has is decided by the machine's integers (`sim.programs`); the result's
        ``provenance["fired"]`` says so.
    fidelity
        A name in ``sim/fidelity``.
    dense
        Whether the dense twin is simulated too. Without it the result has no speed-up.
    recorded
        Which of the trace's recorded training steps; the last by default.
    engine
        What runs the gates of fidelity "rtl": "amaranth", or "compiled", which is taken where tools for it are there.
    observe
        Returns an observer for the program of the recorded step. The observer is told what every unit does and when
        (`sim.machine.timeline_files`).
    command
        The command line that asked for this, for the result's provenance.
    on_progress
        Told now and then the share of the work that is done.

    Raises
    ------
    ConfigError
        If workload, machine and fidelity cannot do it together (`sim.capabilities`), with a line for each reason, gates
        shall run a step whose weights and inputs the trace has not, or something does not fit a memory.
    """
    started = time.process_time()
    architecture, what = Architecture.of(architecture), described(what)
    _refuse(architecture, what, fidelity, engine, observed=observe is not None)
    if isinstance(what, Workload):
        check_described(architecture, what, dense=dense)
    member, trace = FIDELITIES.load(fidelity), what if isinstance(what, Trace) else untrained_trace(what)
    step = chosen(trace, recorded)
    refuse(against_recorded(trace, step, fidelity) + against_optimiser(architecture, trace, step))
    program = member.program(architecture, trace, step)
    twin = DenseTwin(member.TWIN, architecture, trace, step) if dense else None
    if twin is not None and twin.kept is None:
        check_twin(architecture, shape_of(trace), step.lengths, trace.workload.readout)
    tell = _shared(program, twin, on_progress)
    update_modes, moves = program.own.update_modes, weight_moves(program, trace, fidelity)
    counted = _counted(member, program, engine, observe, tell.delta, learns=trace.workload.learns)
    del program  # it may be as large as the twin's
    dense_counters = twin.counted(tell.dense) if twin is not None else None
    provenance = _provenance(trace, architecture, recorded % len(trace.recorded), time.process_time() - started)
    provenance["fired"] = _fired(trace, step, member)
    return Result(
        workload=trace.workload.model_dump(mode="json"),
        architecture=architecture.model_dump(mode="json"),
        fidelity=fidelity,
        counters=counted.delta,
        dense=dense_counters,
        **_prices(architecture, counted.delta, dense_counters, update_modes),
        held_bytes=counted.held.over_time(),
        starved_cycles=dict(counted.starved.cycles),
        latency=counted.latency,
        weight_moves=moves,
        training=_training(trace, architecture),
        provenance=provenance | ({"command": command} if command else {}),
    )


def _training(trace: Trace, architecture: Architecture) -> dict[str, Any]:
    """Return what training showed, and whose numbers it was in, if in a machine's."""
    found, numbers = training_summary.summary(trace), trace.workload.training.machine_numbers
    if numbers is not None and numbers != architecture.engine.numbers:
        found["numbers"] = ANOTHER_MACHINE
    return found


def _refuse(
    architecture: Architecture, what: Workload | Trace, fidelity: str, engine: str | None, *, observed: bool
) -> None:
    """Refuse, with all reasons at once, what workload, machine and fidelity cannot do together."""
    workload, drawing = (what.workload, []) if isinstance(what, Trace) else (what, against_running_untrained(what))
    refuse(drawing + against_simulating(architecture, workload, fidelity, engine=engine, observed=observed))


class _Counted(NamedTuple):
    """What running the recorded step's program counted, and what was watched of it."""

    delta: Counters
    held: KeptBytes
    starved: StarvedLanes
    latency: Latency | None


def _counted(
    member: Any,
    program: Program,
    engine: str | None,
    observe: Callable[[Program], AbstractContextManager[Observer]] | None,
    on_progress: Callable[[float], None],
    *,
    learns: bool,
) -> _Counted:
    """Run the recorded step's program, and watch it."""
    chosen: dict[str, Any] = {} if engine is None else {"engine": engine}
    held, starved = KeptBytes(), StarvedLanes()
    steps = StepLatency(program) if member.OBSERVES and not learns else None
    with nullcontext() if observe is None else observe(program) as observer:
        if member.OBSERVES:
            chosen["observer"] = Observers([one for one in (held, starved, steps, observer) if one is not None])
        counters = member.count(program, on_progress, **chosen)
    return _Counted(counters, held, starved, steps.found() if steps else None)


class _Tell(NamedTuple):
    """What each of the two runs tells the share of its work that is done."""

    delta: Callable[[float], None]
    dense: Callable[[float], None]


def _shared(program: Program, twin: DenseTwin | None, on_progress: Callable[[float], None] | None) -> _Tell:
    """Return what tells `on_progress` the share of the work of both runs; a twin that is kept is no work."""
    tell = on_progress or (lambda share: None)
    if twin is None or twin.kept is not None:
        return _Tell(tell, tell)
    ops, dense = _host_work(program, program.ops.count), _host_work(program, program.ops.dense_count)
    boundary = ops / (ops + dense)
    return _Tell(lambda share: tell(share * boundary), lambda share: tell(boundary + share * (1 - boundary)))


def _prices(
    architecture: Architecture, delta: Counters, dense: Counters | None, update_modes: tuple[str, ...]
) -> dict[str, Any]:
    """Return the energy of both runs and the area of the machine, and what neither includes, as fields of a result."""
    known_area = area(architecture, update_modes)
    return {
        "energy_j": energy_j(delta, architecture, update_modes),
        "dense_energy_j": energy_j(dense, architecture, update_modes) if dense is not None else {},
        "area_mm2": known_area.mm2,
        "not_priced": {"energy": not_priced(architecture), "area": known_area.not_priced},
        "mixed_nodes": mixed_nodes(architecture),
    }


def described(what: Workload | Trace | AnyPath) -> Workload | Trace:
    """Return the workload or trace given, or the one of that name or in that file; errors as for its own reader."""
    if isinstance(what, Workload | Trace):
        return what
    if not isinstance(what, str | os.PathLike):
        raise wrong_kind("what is simulated", "a Trace, a Workload, a preset's name or a file", what)
    return Trace.load(what) if os.fspath(what).endswith(".npz") else Workload.named(what)


def untrained_trace(workload: Workload) -> Trace:
    """Return the trace of a workload that needs no training: a synthetic one, or one that begins with given weights.

    Raises
    ------
    ConfigError
        If the workload must be trained to know what fires, or its recordings or its weights cannot be had.
    """
    if workload.initial_weights is None:
        return synthetic_trace(workload)
    from deltatrain.workloads.training.training import recorded_untrained

    recordings = recordings_of(workload.dataset)
    step = recorded_untrained(workload, recordings)
    return Trace(workload, recordings.train.features, recordings.classes, (step,), (), recordings.digest)


def synthetic_trace(workload: Workload) -> Trace:
    """Return the trace of a synthetic workload: one recorded training step, no epochs.

    Raises
    ------
    ConfigError
        If the workload must be trained to know what fires.
    """
    refuse(against_drawing(workload))
    statistics = workload.synthetic
    assert statistics is not None, "refused otherwise"
    return Trace(workload, statistics.inputs, statistics.classes, (synthetic_step(workload),), ())


def chosen(trace: Trace, recorded: int) -> RecordedStep:
    """Return one of a trace's recorded steps by its number; a `ConfigError` if there is none."""
    try:
        return trace.recorded[recorded]
    except IndexError:
        raise ConfigError(
            f"the trace has {len(trace.recorded)} recorded training steps, so there is none with number {recorded}"
        ) from None


def _fired(trace: Trace, step: RecordedStep, member: Any) -> str:
    """Return what decided which deltas fired."""
    if step.numbers is not None:
        return IN_INTEGERS
    if trace.workload.synthetic is None:
        return AS_RECORDED
    return ANOTHER_WORKLOAD if member.COMPUTES else BY_STATISTICS


def _host_work(program: Program, columns: NDArray[np.int64]) -> int:
    """Return how much work a program of so many columns is for the host: its ops, and columns from off-chip memory."""
    return len(program.ops) + int(columns[program.remote_word_bytes > 0].sum())


def _provenance(trace: Trace, architecture: Architecture, recorded: int, cpu_seconds: float) -> dict[str, Any]:
    return {
        "deltatrain": VERSION,
        "python": platform.python_version(),
        "workload_digest": trace.workload.digest(),
        **({"data_digest": trace.data_digest} if trace.data_digest else {}),
        "architecture_digest": architecture.digest(),
        "prices_digest": prices_digest(),
        "seed": trace.workload.training.seed,
        "recorded_step": recorded,
        "recorded_epoch": trace.recorded[recorded].epoch,
        "samples": len(trace.recorded[recorded].lengths),
        "host_cpu_seconds": round(cpu_seconds, 3),
    }
