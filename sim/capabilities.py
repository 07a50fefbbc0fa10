"""What a fidelity, a machine and a workload can do together: asked before anything is trained, lowered or simulated.

Each function returns all reasons at once, a line each; `accel.errors.refuse` makes one error of them. Each limit is
stated where it comes from: what no program does in `workloads.lowering.limits`, what has no gates in `rtl.limits`, what
a fidelity cannot run in its file. What only a trace tells, such as how many bytes a tape takes, is found later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.machine_optimiser import is_plain
from deltatrain.sim.fidelity import FIDELITIES
from deltatrain.sim.machine import dram_trace
from deltatrain.sim.memory import banks
from deltatrain.workloads.dataset import SYNTHETIC
from deltatrain.workloads.lowering.limits import array_limits, forward_limits, stream_limits, workload_limits
from deltatrain.workloads.plain_learning import dense_limits
from deltatrain.workloads.tables import BPTT
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.training.integer_recorded import optimiser_of
from deltatrain.workloads.workload import Workload


def against_simulating(
    architecture: Architecture,
    workload: Workload,
    fidelity: str,
    *,
    engine: str | None = None,
    observed: bool = False,
    requests: bool = False,
    off_chip: Collection[str] = (),
) -> list[str]:
    """Return a line for each reason why a training step of a workload cannot be simulated on a machine.

    Parameters
    ----------
    architecture, workload
        The two descriptions.
    fidelity
        A member of `FIDELITIES`; any other is the only reason.
    engine
        What shall run its gates, if that is chosen.
    observed
        Whether somebody shall be told when everything happens.
    requests
        Whether the requests to off-chip memory shall be written down.
    off_chip
        Those of weights, gradients and tape that are known to live there, beside those that are described to.
    """
    try:
        member = FIDELITIES.load(fidelity)
    except ConfigError as error:
        return [str(error)]
    reasons = member.limits(architecture, workload, architecture.off_chip.union(off_chip))
    if engine is not None and engine not in member.ENGINES:
        known = " or ".join(map(repr, member.ENGINES)) or "none, as it runs no gates"
        reasons.append(f"the engine of fidelity {fidelity!r} must be {known}, not {engine!r}")
    if observed and not member.OBSERVES:
        reasons.append(f"fidelity {fidelity!r} has no timeline, as it does not tell when things happen: use 'cycle'")
    if requests:
        reasons += dram_trace.limits(architecture)
    return reasons


def against_recorded(trace: Trace, recorded: RecordedStep, fidelity: str) -> list[str]:
    """Return why a fidelity cannot simulate a recorded step, if it computes and the step has no numbers.

    A synthetic workload never has any; what is computed of it is drawn (`sim.gates.drawn_step`).
    """
    if recorded.numbers is not None or trace.workload.synthetic is not None or not FIDELITIES.load(fidelity).COMPUTES:
        return []
    return [
        f"fidelity {fidelity!r} computes the step, and the trace has neither weights nor inputs of the one that was "
        f"recorded after update {recorded.update}: take the last step of a trace that this version trained, or 'cycle'"
    ]


def against_optimiser(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> list[str]:
    """Return why a machine's formats do not hold the factors of the optimiser that updates weights after a step."""
    workload = trace.workload
    if not workload.learns or is_plain(workload.training.machine_optimiser):
        return []
    try:
        optimiser_of(workload, trace.sizes.classes, recorded.lengths, architecture.engine)
    except ConfigError as error:
        return str(error).splitlines()
    return []


def against_drawing(workload: Workload) -> list[str]:
    """Return why no training step of a workload can be drawn from statistics, if it has none."""
    if workload.synthetic is not None:
        return []
    if workload.recorded is not None:
        return [f"workload {workload.name!r} was recorded: simulate its trace"]
    return [
        f"workload {workload.name!r} must be trained before it can be simulated: give its trace, "
        f"or a workload whose dataset is {SYNTHETIC!r}, or one with initial_weights"
    ]


def against_running_untrained(workload: Workload) -> list[str]:
    """Return why it is not known what a workload fires before it is trained; it is where its weights are given."""
    return [] if workload.initial_weights is not None else against_drawing(workload)


def against_planning(architecture: Architecture, workload: Workload, *, simulated: bool = False) -> list[str]:
    """Return a line for each reason why checkpoints cannot be planned, and `simulated`, for a workload on a machine."""
    what = "a plan of checkpoints"
    reasons = workload_limits(workload) + forward_limits(workload, what)
    reasons += stream_limits(workload, what) + array_limits(architecture)
    if architecture.column_cache is not None and (size := architecture.column_cache.own_bytes) is not None:
        reasons.append(f"cache.bytes must be 0, or 'auto', for {what}, which predicts no hits, not {size}")
    if workload.training.rule != BPTT:
        reasons.append(f"training.rule must be {BPTT!r} for {what}, not {workload.training.rule!r}")
    if architecture.engine.outer_steps > 1:
        reasons.append(f"engine.outer_steps must be 1 for {what}, whose tapes are freed step by step")
    return reasons + (banks.limits(architecture, architecture.off_chip) if simulated else [])


def against_verifying(architecture: Architecture, cells: Iterable[str]) -> list[str]:
    """Return a line for each reason why the gates of a machine cannot be compared for members of `accel.cells`."""
    from deltatrain.rtl.limits import limits

    of_banks = banks.limits(architecture, architecture.off_chip)
    return [reason for cell in cells for reason in limits(architecture, cell, architecture.off_chip)] + of_banks


def against_exporting(architecture: Architecture, what: Workload | Trace) -> list[str]:
    """Return a line for each reason why a machine's gates and a training step for them cannot be written as Verilog.

    That a trace has no numbers is told alone: what gates cannot compute is recorded without, and another trace as well.
    """
    return _against_gates(architecture, what)


def against_fpga(architecture: Architecture, what: Workload | Trace) -> list[str]:
    """Return a line for each reason why a machine's gates for a workload cannot be drawn, for an FPGA, and not run."""
    from deltatrain.sim.gates.export.limits import limits

    return _against_gates(architecture, what, limits(architecture))


def against_core(architecture: Architecture, what: Workload | Trace) -> list[str]:
    """Return a line for each reason why a machine, with a program for a workload, cannot be written as a core."""
    from deltatrain.rtl.bus.limits import core_limits

    workload = what.workload if isinstance(what, Trace) else what
    spikes = workload.neuron is not None
    limits = core_limits(architecture, workload.training.machine_optimiser.mode, spikes=spikes)
    limits += dense_limits(workload, "a core, whose words are a power of two of bytes, without numbers behind them")
    return _against_gates(architecture, what, limits)


def _against_gates(architecture: Architecture, what: Workload | Trace, limits: Iterable[str] = ()) -> list[str]:
    """Return why there are no gates of a machine for a workload or a trace's last step; and `limits`."""
    workload = what.workload if isinstance(what, Trace) else what
    reasons = [*against_simulating(architecture, workload, "rtl"), *limits]
    if isinstance(what, Trace):
        return reasons or [line for step in what.recorded[-1:] for line in against_recorded(what, step, "rtl")]
    return against_drawing(what) + reasons
