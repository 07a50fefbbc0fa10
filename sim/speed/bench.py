"""`bench`: how fast deltatrain is on this computer, in less than a minute, and what a training step takes there."""

from __future__ import annotations

import time
from typing import NamedTuple

from deltatrain.accel.extras import installed
from deltatrain.accel.own_computer import computer
from deltatrain.accel.result import Result
from deltatrain.sim.own_computer import measure
from deltatrain.sim.progress import Progress, tell_nobody
from deltatrain.sim.run import simulate, synthetic_trace
from deltatrain.sim.speed.baseline import Baseline, Measurement
from deltatrain.sim.speed.figure import Figure
from deltatrain.sim.speed.measures import MEASURES, measured
from deltatrain.workloads.workload import Workload

_MACHINE, _WORKLOAD = "edge", "synthetic"
_MOST_S = 30.0
"""Wall time after which no other piece of work is begun, the first apart."""


class Bench(NamedTuple):
    """What was measured on this computer.

    Attributes
    ----------
    computer
        Processor, cores, system, Python.
    baseline
        The run that the baseline's figures were found in; None where it has none of them.
    figures
        Of each piece of work.
    left_out
        Pieces of work for which there was no time.
    step
        A training step on a simulated machine; where PyTorch is installed, with its time on this computer.
    """

    computer: str
    baseline: Measurement | None
    figures: tuple[Figure, ...]
    left_out: tuple[str, ...]
    step: Result


def bench(on_progress: Progress = tell_nobody) -> Bench:
    """Return how fast deltatrain is on this computer, and a training step beside PyTorch where that is installed.

    It takes less than a minute, the compilation of the memory model apart, which is done once for a computer: where
    the computer is busy, pieces of work are left out.

    Parameters
    ----------
    on_progress
        Told the stage, the share of it that is done, and what is being done.
    """
    workload, baseline = Workload.named(_WORKLOAD), Baseline.load()
    on_progress("measuring", 0.0, "")
    simulate(_MACHINE, "tiny", dense=False)  # what is compiled is compiled, or loaded
    trace = synthetic_trace(workload)
    began = time.monotonic()
    figures: list[Figure] = []
    for done, piece in enumerate(MEASURES):
        if figures and time.monotonic() - began > _MOST_S:
            break
        on_progress("measuring", done / len(MEASURES), piece.what)
        figures.append(baseline.beside(measured(piece)))
    on_progress("measuring", 1.0, f"{len(figures)} pieces of work")
    what = f"{_WORKLOAD} on {_MACHINE}"
    on_progress("a training step", 0.0, what)
    step = simulate(_MACHINE, trace, dense=False, on_progress=lambda share: on_progress("a training step", share, what))
    step = measure(step, trace) if installed("torch") else step
    left_out = tuple(piece.what for piece in MEASURES[len(figures) :])
    return Bench(computer(), baseline.run_of(figures), tuple(figures), left_out, step)
