"""A recorded training step in a machine's integers: the numbers that it works on there, and what fires."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.engine import Engine, MachineNumbers
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.family import given
from deltatrain.accel.modes.encode import threshold
from deltatrain.accel.number import Integers, quantise
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.network import from_flat
from deltatrain.workloads.tasks import TASKS, Wanted
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.training.integer_optimiser import IntegerOptimiser, integer_optimiser
from deltatrain.workloads.training.integer_parameters import IntegerParameters, quantised
from deltatrain.workloads.training.integer_training import IntegerNetwork, Label, forward, recorded_forward
from deltatrain.workloads.workload import Workload


class IntegerNumbers(NamedTuple):
    """The arguments of `integer_training.training_step`, which says what they are."""

    network: IntegerNetwork
    parameters: IntegerParameters
    samples: tuple[Integers, ...]
    labels: tuple[Label, ...]
    learning_rate: int


def in_integers(
    engine: Engine | MachineNumbers, trace: Trace, recorded: RecordedStep, *, tiles: int = 1
) -> IntegerNumbers:
    """Return the numbers of one of a trace's recorded steps, rounded to an engine's formats, for so many tiles.

    Raises
    ------
    ConfigError
        If the step was recorded without numbers, or they are not those of such a step.
    """
    numbers, workload = recorded.numbers, trace.workload
    if numbers is None:
        raise ConfigError(f"the recorded step of workload {workload.name!r} has neither weights nor inputs")
    numbers.check(trace.sizes, recorded.lengths, workload.wants)
    formats, of_step = engine.formats, (workload, trace.classes, recorded.lengths, engine)
    network = integer_network(workload, engine)._replace(optimiser=optimiser_of(*of_step), tiles=tiles)
    correction = workload.training.machine_optimiser.bias_correction(recorded.update)
    x = quantise(numbers.inputs, formats.activation)
    return IntegerNumbers(
        network,
        quantised(from_flat(numbers.parameters, trace.sizes), network.arithmetic, formats),
        tuple(x[:steps, sample] for sample, steps in enumerate(recorded.lengths.tolist())),
        integer_labels(numbers.labels, workload.wants, recorded.lengths, engine),
        integer_learning_rate(float(numbers.learning_rate) * correction, *of_step),
    )


def fired_in_integers(
    engine: Engine | MachineNumbers, trace: Trace, recorded: RecordedStep, *, tiles: int = 1
) -> RecordedStep:
    """Return a recorded step with the masks that its forward pass has in an engine's integers; as above."""
    numbers = in_integers(engine, trace, recorded, tiles=tiles)
    ran = [forward(numbers.network, numbers.parameters, x) for x in numbers.samples]
    masks = recorded_forward(ran, (trace.inputs, *trace.workload.hidden))
    return replace(recorded, fired_x=masks.fired_x, fired_h=masks.fired_h, asked_x=masks.asked_x, asked_h=masks.asked_h)


def integer_network(workload: Workload, engine: Engine | MachineNumbers) -> IntegerNetwork:
    """Return what an engine computes for a workload."""
    thresholds = tuple((threshold(x, engine.formats), threshold(h, engine.formats)) for x, h in workload.thresholds)
    arithmetic = CELL_ARITHMETIC.load(CELLS.load(workload.cell).ARITHMETIC)
    arithmetic = arithmetic if workload.neuron is None else given(arithmetic, neuron=workload.neuron)
    mode, bits = TASKS.load(workload.task).MODE, workload.code_bits
    return IntegerNetwork(arithmetic, engine, thresholds, workload.readout, mode, code_bits=bits)


def integer_labels(
    labels: NDArray[Any], wants: Wanted, lengths: NDArray[np.int64], engine: Engine | MachineNumbers
) -> tuple[Label, ...]:
    """Return what is wanted of each sample, from `StepNumbers.labels`; numbers are rounded to ``formats.memory``."""
    if wants == "classes":
        return tuple(labels.tolist())
    if wants.endswith("numbers"):
        labels = quantise(labels, engine.formats.memory)
    if wants == "numbers":
        return tuple(labels[:, None])
    return tuple(labels[:steps, sample] for sample, steps in enumerate(lengths.tolist()))


def integer_learning_rate(
    rate: float, workload: Workload, classes: int, lengths: NDArray[np.int64], engine: Engine | MachineNumbers
) -> int:
    """Return a learning rate in ``formats.learning_rate``, at least the least that it holds.

    It is divided by the number of classified steps, because the machine sums the loss where training takes a mean. The
    gradient of K squared errors lacks the factor 2 / K of their mean, so the rate has it. Steps of Adam have neither.
    """
    if not workload.training.machine_optimiser.has_own_scale:
        rate = rate * _of_squares(workload, classes) / _classified(workload, lengths)
    return max(int(quantise(np.array(rate), engine.formats.learning_rate)), 1)


def optimiser_of(
    workload: Workload, classes: int, lengths: NDArray[np.int64], engine: Engine | MachineNumbers
) -> IntegerOptimiser:
    """Return the optimiser of a step in the engine's integers; errors as of `integer_optimiser`."""
    summed = _classified(workload, lengths) / _of_squares(workload, classes)
    return integer_optimiser(workload.training.machine_optimiser, summed, engine.formats)


def _of_squares(workload: Workload, classes: int) -> float:
    return 1.0 if TASKS.load(workload.task).CLASSES else 2 / classes


def _classified(workload: Workload, lengths: NDArray[np.int64]) -> float:
    """Return the number of classified steps over which the mean is taken.

    A velocity is one of sums. Of an optimiser that has one the mean is over a whole mini-batch, so that samples count
    alike in it, and a smaller last mini-batch counts less.
    """
    classified = int(lengths.sum()) if workload.readout == "every" else len(lengths)
    if not workload.training.machine_optimiser.remembers:
        return classified
    return classified * workload.training.batch / len(lengths)
