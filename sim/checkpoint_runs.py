"""Simulates one training step under each checkpoint policy, and once with unlimited local memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.description import with_overrides
from deltatrain.accel.errors import FitError
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.programs import program_of
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.step_programs import existing_alone
from deltatrain.workloads.trace import RecordedStep

_WITHOUT_END = 2**50
"""More bytes than any training step fills."""


class Simulated(NamedTuple):
    """One simulated training step.

    Attributes
    ----------
    cycles
        Cycles of the whole step, update included.
    local_bytes, remote_bytes
        The most that tapes and states take in each memory.
    again_steps
        Steps that are run forward again or undone, summed over all samples.
    held
        How local memory fills with tapes and states, as `accel.program.Program.kept_bytes`.
    """

    cycles: int
    local_bytes: int
    remote_bytes: int
    again_steps: int
    held: NDArray[np.int64]


def simulated(architecture: Architecture, shape: Shape, step: RecordedStep, readout: str) -> Simulated:
    """Simulate a training step on the machine, under the checkpoint policy that the machine names.

    Raises
    ------
    FitError
        If it does not fit.
    """
    program = existing_alone(program_of(architecture, shape, step, readout), shape, step)
    ops = program.ops
    again = ops.is_mode("cell_forward") & ops.is_phase("RF") & (ops.layer == 0)
    return Simulated(
        cycles=cycle.count(program).cycles,
        local_bytes=_kept(program.local_bytes),
        remote_bytes=_kept(program.remote_bytes),
        again_steps=int(again.sum()),
        held=program.kept_bytes,
    )


def under(architecture: Architecture, policy: str, *, overlap: bool) -> Architecture:
    """Return the machine with a policy. Its transfers overlap with other work, or block it."""
    return changed(architecture, {"checkpoint.policy": policy, "checkpoint.overlap": overlap})


class SimulatedPlan(NamedTuple):
    """Every policy simulated.

    Attributes
    ----------
    unlimited_cycles
        Cycles of a run that keeps everything in unlimited local memory.
    cycles
        For each policy the cycles with blocking transfers, and with overlapping ones. None where it does not fit.
    """

    unlimited_cycles: int
    cycles: dict[str, tuple[int, int] | None]


def simulated_plan(
    architecture: Architecture,
    shape: Shape,
    step: RecordedStep,
    readout: str,
    policies: Sequence[str],
    on_progress: Callable[[str, float], None] | None = None,
) -> SimulatedPlan:
    """Simulate the step under each of `policies`."""
    base = simulated(without_end(architecture, shape, step, readout), shape, step, readout)
    cycles: dict[str, tuple[int, int] | None] = {}
    for number, policy in enumerate(policies):
        if on_progress:
            on_progress(policy, number / len(policies))
        machines = (under(architecture, policy, overlap=overlap) for overlap in (False, True))
        try:
            blocking, beside = (simulated(machine, shape, step, readout).cycles for machine in machines)
            cycles[policy] = blocking, beside
        except FitError:
            cycles[policy] = None
    return SimulatedPlan(base.cycles, cycles)


def without_end(architecture: Architecture, shape: Shape, step: RecordedStep, readout: str) -> Architecture:
    """Return the machine with unlimited local memory for tapes. The matrices keep the homes they have without it."""
    unbounded = architecture.checkpoint.model_copy(update={"local_bytes": None})
    architecture = architecture.model_copy(update={"checkpoint": unbounded})
    tensors = program_of(under(architecture, "tape_to_dram", overlap=True), shape, step, readout).tensors
    weights, gradients = ("remote" if tensor.remote else "local" for tensor in (tensors[0], tensors[-1]))
    homes = {"placement.weights": weights, "placement.gradients": gradients}
    return changed(under(architecture, "store_all", overlap=True), homes | {"local.bytes": _WITHOUT_END})


def changed(architecture: Architecture, changes: dict[str, Any]) -> Architecture:
    """Return the machine with other values, by dotted path."""
    table = with_overrides(architecture.model_dump(mode="json", exclude_none=True), changes)
    return Architecture.from_table(table, architecture.name)


def lengthened(step: RecordedStep, steps: int) -> RecordedStep:
    """Return one sample of `steps` steps that fires as the longest sample of `step` does, over and over."""
    sample = int(np.argmax(step.lengths))
    length = int(step.lengths[sample])
    # The first step is taken once only: x-hat starts at zero there, and h has nothing to fire yet.
    later = np.arange(1, length) if length > 1 else np.zeros(1, dtype=np.int64)
    order = np.concatenate([[0], np.resize(later, steps - 1)]).astype(np.int64)
    x, h = (tuple(mask[order, sample][:, None] for mask in masks) for masks in (step.fired_x, step.fired_h))
    return RecordedStep(step.epoch, step.update, np.array([steps]), x, h, weights=step.weights)


def _kept(by_use: dict[str, int]) -> int:
    return sum(size for use, size in by_use.items() if use in ("tape", "tape buffer", "checkpoints"))
