"""The programs of a recorded training step on a machine, at every fidelity the same, and what fires in it there.

The machine's own integers decide what fires. A trace that carries a step's numbers (`workloads.step_numbers`) has them
rounded to the machine's formats, and the forward pass in these integers, the golden model's, gives the lists. The gates
find the same lists by themselves, so `rtl` equals `cycle` in every counter. In floating point other deltas fired, about
as many: those masks stay in the trace, beside the accuracy that they belong to. Without numbers the masks are all that
is known: they are taken as they are, and `rtl` refuses the step.

Where a policy is to be as fast as any, its programs are run (`sim.machine`), and the one that is done first is taken.
"""

from __future__ import annotations

from functools import partial
from weakref import WeakKeyDictionary

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.program import Program
from deltatrain.sim.machine.machine import Machine
from deltatrain.workloads.lowering import step_programs
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.training.integer_recorded import fired_in_integers

__all__ = ["alike_dense_program", "alike_program", "dense_program", "fired_on", "program_of", "recorded_program"]

_KNOWN: WeakKeyDictionary[RecordedStep, dict[tuple[str, str, int, int], RecordedStep]] = WeakKeyDictionary()
"""A sweep asks for one step on many machines, most of which have the same formats."""


def _simulated_cycles(program: Program) -> int:
    return Machine(program).run()


program_of = partial(step_programs.program_of, cycles_of=_simulated_cycles)
dense_program = partial(step_programs.dense_program, cycles_of=_simulated_cycles)
alike_dense_program = partial(step_programs.alike_dense_program, cycles_of=_simulated_cycles)


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
    fired = fired_on(architecture, trace, recorded)
    return step_programs.recorded_program(architecture, trace, fired, _simulated_cycles)


def alike_program(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> Program:
    """Return the same with ops alike in one row, where that can be; errors as for `recorded_program`."""
    fired = fired_on(architecture, trace, recorded)
    return step_programs.alike_program(architecture, trace, fired, _simulated_cycles)
