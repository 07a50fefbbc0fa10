"""The programs of a recorded training step on a machine, at every fidelity the same, and what fires in it there.

The machine's own integers decide what fires. A trace that carries a step's numbers (`workloads.step_numbers`) has them
rounded to the machine's formats, and the forward pass in these integers, the golden model's, gives the lists. The gates
find the same lists by themselves, so `rtl` equals `cycle` in every counter. In floating point other deltas fired, about
as many: those masks stay in the trace, beside the accuracy that they belong to. Without numbers the masks are all that
is known: they are taken as they are, and `rtl` refuses the step.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.program import Program
from deltatrain.workloads.lowering import step_programs
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.training.integer_recorded import fired_in_integers

__all__ = ["alike_dense_program", "alike_program", "dense_program", "fired_on", "recorded_program"]

_KNOWN: WeakKeyDictionary[RecordedStep, dict[tuple[str, str, int, int], RecordedStep]] = WeakKeyDictionary()
"""A sweep asks for one step on many machines, most of which have the same formats."""

dense_program, alike_dense_program = step_programs.dense_program, step_programs.alike_dense_program


def fired_on(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> RecordedStep:
    """Return a recorded step with the masks that it has on a machine: in its integers where the numbers are known.

    Raises
    ------
    ConfigError
        If the numbers are not those of such a step.
    """
    if recorded.numbers is None:
        return recorded
    known = _KNOWN.setdefault(recorded, {})
    tiles = architecture.summing_tiles
    lanes = architecture.engine.lanes if tiles > 1 else 0  # which then say who has which row
    key = trace.workload.digest(), architecture.engine.formats.model_dump_json(), tiles, lanes
    if key not in known:
        known[key] = fired_in_integers(architecture.engine, trace, recorded, tiles=tiles)
    return known[key]


def recorded_program(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> Program:
    """Return the program of a recorded step; errors as of `workloads.lowering.step_programs` and `fired_on`."""
    return step_programs.recorded_program(architecture, trace, fired_on(architecture, trace, recorded))


def alike_program(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> Program:
    """Return the same with ops alike in one row, where that can be; errors as for `recorded_program`."""
    return step_programs.alike_program(architecture, trace, fired_on(architecture, trace, recorded))
