"""The bottleneck of a run in one sentence, with its figures."""

from __future__ import annotations

from deltatrain.accel.counters import Cause
from deltatrain.accel.quantity import share
from deltatrain.accel.result import Result
from deltatrain.reports.palette import CAUSE_LABELS, PHASE_NAMES

_LEAST = 0.005
"""Share of a phase below which a wait is not worth a word."""


def bottleneck(result: Result) -> str:
    """Return what takes most of the step: the longest phase, what its lanes do, and how busy the off-chip bus is.

    What the lanes do is told in shares of the phase's own cycles, the data bus in those of the whole run. Of
    a forward pass alone it speaks as of a pass, because a step there is one of its many.
    """
    run = result.counters
    if not run.cycles:
        return "There was nothing to be done: the step takes no cycle."
    whole = "step" if result.learns else "pass"
    name, phase = max(run.phases.items(), key=lambda phase: phase[1].cycles)
    told = [f"{PHASE_NAMES[name].capitalize()} ({name}) takes {share(phase.cycles / run.cycles)} of the {whole}"]
    told.append(f": its lanes work {share(phase.busy_cycles / phase.cycles)} of that")
    cause, waited = max(phase.stall_cycles.items(), key=lambda stall: stall[1], default=("end", 0))
    if waited >= _LEAST * phase.cycles:
        told.append(f" and {_wait(cause)} {share(waited / phase.cycles)}")
    if run.remote.busy_cycles:
        told.append(f"; the off-chip data bus is busy {share(run.remote.busy_cycles / run.cycles)} of the {whole}")
    return "".join([*told, "."])


def _wait(cause: Cause) -> str:
    """Return a stall cause as what lanes do."""
    words = CAUSE_LABELS[cause]
    return words.replace("waits", "wait", 1) if words.startswith("waits") else f"have {words}"
