"""One of a trace's recorded training steps, in the machine's integers."""

from __future__ import annotations

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.gates.drawn_step import drawn_step
from deltatrain.sim.gates.step import NumberedStep
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.training.integer_recorded import in_integers

__all__ = ["recorded_step"]


def recorded_step(architecture: Architecture, trace: Trace, recorded: RecordedStep, seed: int) -> NumberedStep:
    """Return a recorded step on its own numbers; where a synthetic workload has none, on drawn ones from `seed`.

    Raises
    ------
    ConfigError
        If a step that was trained was recorded without numbers, they are not those of such a step, or an input that
        is drawn cannot fire.
    """
    if recorded.numbers is None and trace.workload.synthetic is not None:
        return drawn_step(architecture, trace, recorded, seed)
    exist = recorded.weights or None
    numbers = in_integers(architecture.engine, trace, recorded, tiles=architecture.summing_tiles)
    return NumberedStep(architecture, *numbers, exist=exist)
