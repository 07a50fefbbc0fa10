"""The updates of one epoch as a machine does them: in its integers, by its optimiser.

What is learned are integers, and they are kept as such between epochs: in floating point a cell with two biases has
their sum alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from deltatrain.accel.engine import MachineNumbers
from deltatrain.accel.number import Integers
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.data.recordings import Sequences
from deltatrain.workloads.network.fired import nothing_fired
from deltatrain.workloads.network.network import Network, Parameters, Sizes, from_flat, loss_of
from deltatrain.workloads.step_numbers import StepNumbers
from deltatrain.workloads.trace import RecordedStep
from deltatrain.workloads.training import integer_batch
from deltatrain.workloads.training.drawing import ORDER, generator
from deltatrain.workloads.training.integer_evaluation import as_floats, fired_in, in_integers, masks_of
from deltatrain.workloads.training.integer_optimiser import first_gradients, integer_optimiser
from deltatrain.workloads.training.integer_parameters import IntegerParameters, dequantised, from_vector, quantised
from deltatrain.workloads.training.integer_recorded import integer_learning_rate, integer_network, optimiser_of
from deltatrain.workloads.training.integer_training import IntegerNetwork
from deltatrain.workloads.training.learning_state import LearningState
from deltatrain.workloads.training.stored_numbers import Tally
from deltatrain.workloads.training.streams import epoch_updates, training_batches
from deltatrain.workloads.training.updates import Learned, Tell, learning_rate
from deltatrain.workloads.workload import Workload

INTEGERS = "integers"
"""The array of a learning state that has the weights as the machine does."""


def machine_of(workload: Workload, numbers: MachineNumbers, *, dense: bool = False) -> IntegerNetwork:
    """Return what a machine computes for a workload; `dense` means that every delta other than zero fires."""
    network = integer_network(workload, numbers)
    return network._replace(thresholds=((0, 0),) * len(workload.hidden)) if dense else network


def rounded(workload: Workload, numbers: MachineNumbers, parameters: Parameters) -> tuple[Array, dict[str, Array]]:
    """Return weights as the machine has them: as one vector of what they stand for, float64, and as integers."""
    arithmetic = integer_network(workload, numbers).arithmetic
    weights = quantised(parameters, arithmetic, numbers.formats)
    memory = {INTEGERS: weights.vector()}
    if workload.training.machine_optimiser.remembers:  # what it is for weight decay follows with the first mini-batch
        optimiser = integer_optimiser(workload.training.machine_optimiser, workload.training.batch, numbers.formats)
        memory |= optimiser.first_memory(weights, numbers.formats)
    return _floats(weights, machine_of(workload, numbers)), memory


def weights_of(machine: IntegerNetwork, sizes: Sizes, state: LearningState) -> IntegerParameters:
    """Return the weights of a learning state as the machine has them."""
    shapes = quantised(from_flat(state.parameters, sizes), machine.arithmetic, machine.engine.formats)
    return from_vector(state.optimiser[INTEGERS], shapes)


def integer_updates(
    workload: Workload, network: Network, part: Sequences, state: LearningState, epoch: int, tell: Tell
) -> Learned:
    """Return what the updates of an epoch leave; `network` is the same in floating-point numbers."""
    training, numbers = workload.training, workload.training.machine_numbers
    assert numbers is not None, "asked for training in a machine's numbers alone"
    machine = machine_of(workload, numbers, dense=network.thresholds is None)
    weights, update, tally = weights_of(machine, network.sizes, state), state.updates, Tally()
    memory = {name: array for name, array in state.optimiser.items() if name != INTEGERS}
    losses = tuple(counts.loss for counts in state.epochs)
    updates = epoch_updates(part.lengths, training) * training.epochs
    total, seen, fired = 0.0, 0, nothing_fired(network.sizes)
    for samples in training_batches(part.lengths, training, generator(training, ORDER, epoch)):
        x, lengths, labels = part.batch(samples)
        batch = in_integers(machine, network, x, lengths, labels, tally)
        ran = integer_batch.forward(machine, weights, batch, tally)
        rate, of_step = learning_rate(training, update, updates, losses), (workload, network.sizes.classes, lengths)
        corrected = rate * training.machine_optimiser.bias_correction(update + 1)
        optimiser, machine_rate = optimiser_of(*of_step, numbers), integer_learning_rate(corrected, *of_step, numbers)
        if update == 0:
            memory = optimiser.first_memory(weights, numbers.formats)
        gradients = integer_batch.backward(machine, weights, batch, ran, tally, first_gradients(weights, memory))
        after, _, memory = optimiser.updated(weights, gradients, machine_rate, numbers.formats, memory)
        _count_moved(tally, machine, weights, gradients, after)
        loss, _ = loss_of(network, as_floats(machine, batch.packing, ran), labels)
        weights, update, seen, total = after, update + 1, seen + len(samples), total + loss * len(samples)
        fired += fired_in(network, batch.packing, ran)
        tell(update, total / seen)
    memory[INTEGERS] = weights.vector()
    no_gradient = np.zeros_like(state.parameters)  # no weight moves to where one is large
    return Learned(_floats(weights, machine), memory, update, total / seen, fired, rate, no_gradient, tally.counted())


def recorded_in_integers(
    workload: Workload,
    network: Network,
    parameters: Parameters,
    window: tuple[Array, Array, Array],
    when: tuple[int, int],
    rate: float,
) -> RecordedStep:
    """Return what fires of a mini-batch in the machine's integers, and the step's numbers.

    Parameters
    ----------
    workload, network, parameters
        What is computed.
    window
        Inputs that are vectors, lengths and labels, as of `Sequences.batch`.
    when
        Epoch and update.
    rate
        Learning rate.
    """
    numbers = workload.training.machine_numbers
    assert numbers is not None, "asked for training in a machine's numbers alone"
    machine, (x, lengths, labels) = machine_of(workload, numbers, dense=network.thresholds is None), window
    weights = quantised(parameters, machine.arithmetic, numbers.formats)
    batch = in_integers(machine, network, x, lengths, labels, Tally())
    fired_x, fired_h = masks_of(network, batch.packing, integer_batch.forward(machine, weights, batch, Tally()))
    step = RecordedStep(*when, lengths, fired_x, fired_h)
    if network.thresholds is None:
        return step
    return replace(step, numbers=StepNumbers(parameters.flat(), x, labels, np.array(rate)))


def _floats(weights: IntegerParameters, machine: IntegerNetwork) -> Array:
    return dequantised(weights, machine.arithmetic, machine.engine.formats).flat()


def _count_moved(
    tally: Tally,
    machine: IntegerNetwork,
    before: IntegerParameters,
    gradients: IntegerParameters,
    after: IntegerParameters,
) -> None:
    """Count the weights that had a gradient, those that ended at an end of their range, and those that stayed."""
    W, dW, stepped = (weights.vector() for weights in (before, gradients, after))
    number, asked = machine.engine.formats.weight, dW != 0
    ends: Integers = np.isin(stepped, (number.lowest, number.highest)) & asked
    tally.add("W", np.count_nonzero(asked), np.count_nonzero(ends), np.count_nonzero((stepped == W) & asked & ~ends))
