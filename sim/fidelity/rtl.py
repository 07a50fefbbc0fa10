"""The gates themselves, in lock-step with the memory; what they compute must be the golden model's."""

from __future__ import annotations

from collections.abc import Callable, Collection

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.counters import Counters
from deltatrain.accel.errors import ConfigError, refuse
from deltatrain.accel.program import Program
from deltatrain.sim import programs
from deltatrain.sim.gates import engines
from deltatrain.sim.memory import banks
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.lowering import limits as lowering
from deltatrain.workloads.plain_learning import learning_limits
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.workload import Workload

LABEL = "rtl: simulated as gates, cycle by cycle"
TWIN = "cycle"
"""The dense twin is counted by the laws that the gates keep: it has no lists, and gates that make none do not exist."""

ENGINES = engines.ENGINES
OBSERVES = False
COMPUTES = True
SEED = 0

dense_program = programs.dense_program


def limits(architecture: Architecture, workload: Workload, off_chip: Collection[str]) -> list[str]:
    """Return why there is no program, or why no gates can run it."""
    from deltatrain.rtl import limits as gates

    training, cell = workload.training, CELLS.load(workload.cell).ARITHMETIC
    dense = workload.synthetic is None and training.dense_epochs == training.epochs
    return [
        *([f"fidelity 'rtl' needs thresholds: workload.training.dense_epochs must be below {training.epochs}"] * dense),
        *lowering.limits(architecture, workload),
        *learning_limits(workload, "fidelity 'rtl'"),
        *lowering.forward_limits(workload, "fidelity 'rtl', whose gates run whole training steps"),
        *gates.limits(architecture, cell, off_chip),
        *banks.limits(architecture, off_chip),
        *(gates.sparse_limits(architecture) if workload.sparsity.density < 1 else []),
        *gates.neuron_limits(workload.neuron, architecture.tiles.count),
        *gates.update_limits(training.machine_optimiser),
    ]


def program(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> Program:
    """Return the program of a step with all its numbers.

    The numbers are the recorded ones in the machine's integers, which decide what fires at every fidelity
    (`sim.programs`). A synthetic workload has none, so they are drawn, and the step is another workload
    (`sim.gates.drawn_step`).

    Raises
    ------
    ConfigError
        If the gates cannot run such a step, or a step that was trained was recorded without numbers.
    """
    from deltatrain.sim.gates.recorded_step import recorded_step
    from deltatrain.sim.gates.step import NumberedProgram

    refuse(limits(architecture, trace.workload, architecture.off_chip))
    step = recorded_step(architecture, trace, recorded, SEED)
    return NumberedProgram.of(step)


def count(program: Program, on_progress: Callable[[float], None] | None = None, engine: str | None = None) -> Counters:
    """Run a program on gates and return the counters.

    Parameters
    ----------
    program
        From `program`.
    on_progress
        Called now and then with the share of ops that are done.
    engine
        One of `ENGINES`; without it the compiled, if this machine has a tool for it.

    Raises
    ------
    ConfigError
        If the program has no numbers, the gates cannot be built for its machine, or tools are missing.
    RuntimeError
        If the gates compute anything but what the golden model says.
    """
    from deltatrain.sim.gates.golden import wrong_values
    from deltatrain.sim.gates.run import StepOnGates
    from deltatrain.sim.gates.step import NumberedProgram

    if not isinstance(program, NumberedProgram):
        raise ConfigError("fidelity 'rtl' computes numbers, which only a single training step has: use 'cycle'")
    on_gates = StepOnGates(program.numbers)
    simulation = engines.engine_named(engine)(on_gates.tile, stops=on_gates.stops, halts="finished")
    try:
        ran = on_gates.run(simulation, on_progress)
    finally:
        simulation.close()
    for difference in wrong_values(program.numbers, ran):
        raise RuntimeError(f"the gates are wrong, please report it: {difference}")
    return ran.counters
