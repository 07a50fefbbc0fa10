"""Training a network on recordings: epochs of mini-batches, records of what fired, a state to resume from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.arrays.words import one_hot
from deltatrain.workloads.chosen_epoch import ChosenEpoch
from deltatrain.workloads.data.recordings import Recordings, Sequences
from deltatrain.workloads.interchange.initial import initial_network
from deltatrain.workloads.machine_numbers import check_known
from deltatrain.workloads.network.network import Network, Parameters, Sizes, forward, from_flat, initial_parameters
from deltatrain.workloads.network_sizes import network_sizes
from deltatrain.workloads.optimisers import OPTIMISERS
from deltatrain.workloads.step_numbers import StepNumbers
from deltatrain.workloads.tasks import TASKS
from deltatrain.workloads.trace import EpochCounts, RecordedStep, Trace
from deltatrain.workloads.training import averaging, learning_state
from deltatrain.workloads.training.choosing import (
    Best,
    check_recordings,
    class_weights_of,
    may_be_kept,
    stopped_early,
)
from deltatrain.workloads.training.divergence import diverged, highest_loss
from deltatrain.workloads.training.drawing import INITIAL, MASK, RECORD, generator
from deltatrain.workloads.training.evaluation import Evaluation, evaluate, recorded_step
from deltatrain.workloads.training.host_memory import reuse_freed_memory
from deltatrain.workloads.training.integer_evaluation import evaluate as evaluate_in_integers
from deltatrain.workloads.training.integer_parameters import quantised
from deltatrain.workloads.training.integer_updates import integer_updates, machine_of, recorded_in_integers, rounded
from deltatrain.workloads.training.learning_state import LearningState
from deltatrain.workloads.training.moving import moved
from deltatrain.workloads.training.operations import MatrixMacs, matrix_macs
from deltatrain.workloads.training.resuming import check_resumable
from deltatrain.workloads.training.streams import epoch_updates, recorded_window, truncation_of
from deltatrain.workloads.training.updates import Learned, Tell, float_updates, learning_rate
from deltatrain.workloads.weight_masks import first_mask, recorded_weights
from deltatrain.workloads.workload import Workload


class Progress(NamedTuple):
    """Where training stands: told after each update and, with the new figure, after each epoch.

    Attributes
    ----------
    epoch, epochs
        The running epoch, from 0, and how many there are.
    update, updates
        Updates done and how many there are, over all epochs.
    loss
        Mean training loss a sample so far in this epoch.
    figure
        The task's, after the last finished epoch, None before; on the validation part, or without one on the test part.
    """

    epoch: int
    epochs: int
    update: int
    updates: int
    loss: float
    figure: float | None


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished training run.

    Attributes
    ----------
    workload
        What was asked for.
    sizes
        Of the network.
    parameters
        What was learned.
    mask
        Which of them exist, boolean, shape (n,); the others are zero.
    epochs
        Counts of each epoch.
    recorded
        Recorded steps, that of the network that is kept last.
    evaluation
        On the test part, of the network that is kept: the last epoch's, or that of `chosen`.
    chosen
        The epoch that the validation part chose; None without one.
    """

    workload: Workload
    sizes: Sizes
    parameters: Parameters
    mask: Array
    epochs: tuple[EpochCounts, ...]
    recorded: tuple[RecordedStep, ...]
    evaluation: Evaluation
    chosen: ChosenEpoch | None = None

    def trace(self, recordings: Recordings) -> Trace:
        """Return what a machine needs of the training on `recordings`."""
        inputs, digest = self.sizes.features, recordings.digest
        return Trace(self.workload, inputs, recordings.classes, self.recorded, self.epochs, digest, self.chosen)

    def macs(self) -> MatrixMacs:
        """Return the matrix products' multiply-accumulates of the whole training, dense epochs counted as dense."""
        parts = [
            matrix_macs(counts, self.sizes, self.workload.readout, self.workload.sparsity) for counts in self.epochs
        ]
        return sum(parts[1:], parts[0])


def sizes_of(workload: Workload, recordings: Recordings) -> Sizes:
    """Return the network's sizes."""
    return network_sizes(workload, recordings.train.features, recordings.classes)


def network_of(workload: Workload, sizes: Sizes, epoch: int, class_weights: tuple[float, ...] = ()) -> Network:
    """Return the network that epoch number `epoch` trains: dense in the first `dense_epochs`, then thresholded."""
    thresholds = None if epoch < workload.training.dense_epochs else workload.thresholds
    return Network(
        sizes,
        thresholds,
        workload.readout,
        workload.training.beta,
        few_bit=workload.code_bits,
        class_weights=class_weights,
        task=workload.task,
        gradient_steps=workload.training.gradient_steps,
    )


def train(
    workload: Workload,
    recordings: Recordings,
    *,
    state_path: Path | None = None,
    resume: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Trained:
    """Train a network.

    Parameters
    ----------
    workload
        What to train and how.
    recordings
        The data set it names, loaded.
    state_path
        Where the state is kept after each epoch, so that an interrupted run can go on; None keeps none.
    resume
        Go on from `state_path` if it is there; a run that was never interrupted gives the same bits.
    on_progress
        Told after each update and each epoch.

    Returns
    -------
    Trained
        The same on the same machine for the same workload and recordings.

    Raises
    ------
    ConfigError
        When the state is damaged, belongs to another workload or other recordings, or cannot be written; or the
        recordings have no validation part or other classes than the fields of `training` need.
    DivergedError
        When a loss or a weight is no longer a finite number, or the last loss of a task of classes reaches
        `highest_loss`; the message names epoch and update.
    """
    reuse_freed_memory()
    # A training step's products are too small to share: a second BLAS thread mostly waits, and costs a core.
    # What overflows is no warning but the end, as soon as a loss or a weight shows it.
    with threadpool_limits(limits=1, user_api="blas"), np.errstate(all="ignore"):
        return _train(workload, recordings, state_path, resume, on_progress)


def _train(
    workload: Workload,
    recordings: Recordings,
    state_path: Path | None,
    resume: bool,
    on_progress: Callable[[Progress], None] | None,
) -> Trained:
    check_known(workload)
    check_recordings(workload, recordings)
    sizes = sizes_of(workload, recordings)
    state = _initial_state(workload, sizes, recordings.digest)
    if resume and state_path is not None and state_path.exists():
        fresh, state = state, learning_state.load(state_path, workload.digest())
        updates = epoch_updates(recordings.train.lengths, workload.training)
        check_resumable(state, fresh, sizes, workload, updates, state_path)
    figure = state.epochs[-1].figure if state.epochs else None
    for epoch in range(len(state.epochs), workload.training.epochs):
        if stopped_early(workload.training, state.best, epoch):
            break
        state = _epoch(workload, recordings, sizes, state, epoch, figure, on_progress)
        figure = state.epochs[-1].figure
        if state_path is not None:
            learning_state.save(state, state_path)
    return _finished(workload, recordings, sizes, state)


def _finished(workload: Workload, recordings: Recordings, sizes: Sizes, state: LearningState) -> Trained:
    """Return what is kept of a training: the best epoch where there is a validation part, else the last one."""
    best, last = state.best, len(state.epochs) - 1
    network = network_of(workload, sizes, last, class_weights_of(workload.training, recordings))
    if best is None:
        vector = averaging.evaluated(workload.training, state.parameters, state.optimiser)
        mask, recorded = state.mask, state.recorded
    else:
        vector, mask = best.parameters, best.mask
        step = _best_step(workload, network, state, best, recordings.train)
        recorded = (*(replace(one, numbers=None) for one in state.recorded if one.epoch < best.epoch), step)
    parameters = from_flat(vector, sizes)
    final = _evaluated(workload, network, parameters, recordings.test)
    highest = highest_loss(workload.dtype) if TASKS.load(workload.task).CLASSES else math.inf
    if not final.loss < highest:
        raise diverged(workload.training, last, state.updates, state.updates, final.loss)
    chosen = None
    if best is not None:
        floating = _float_figure(workload, network, parameters, recordings.test)
        chosen = ChosenEpoch(best.epoch, best.loss, final.loss, final.figure, **floating)
    return Trained(workload, sizes, parameters, mask, state.epochs, recorded, final, chosen)


def _epoch(
    workload: Workload,
    recordings: Recordings,
    sizes: Sizes,
    state: LearningState,
    epoch: int,
    figure: float | None,
    on_progress: Callable[[Progress], None] | None,
) -> LearningState:
    """Return the state after one more epoch."""
    training, part = workload.training, recordings.train
    network = network_of(workload, sizes, epoch, class_weights_of(training, recordings))
    updates = epoch_updates(part.lengths, training) * training.epochs

    def tell(update: int, loss: float, figure: float | None = figure) -> None:
        if on_progress:
            on_progress(Progress(epoch, training.epochs, update, updates, loss, figure))

    learned = _learned(workload, network, part, state, epoch, tell)
    vector = averaging.evaluated(training, learned.parameters, learned.memory)
    parameters = from_flat(vector, sizes)
    held_out = _evaluated(workload, network, parameters, recordings.held_out)
    if not (math.isfinite(held_out.loss) and math.isfinite(held_out.figure)):
        raise diverged(training, epoch, learned.updates, updates, held_out.loss)
    tell(learned.updates, learned.loss, held_out.figure)
    counts = _counts(workload, network, parameters, recordings, epoch, learned, held_out.figure)
    best = state.best
    if recordings.validation is not None and may_be_kept(training, epoch):
        best = best if best and best.loss <= held_out.loss else Best(epoch, held_out.loss, vector, state.mask)
    recorded = state.recorded
    if (training.epochs - 1 - epoch) % training.record_every == 0:
        step_recorded = _record(workload, network, parameters, part, epoch, learned.updates, learned.rate)
        recorded = _with_step(recorded, replace(step_recorded, weights=recorded_weights(state.mask, sizes)))
    memory = averaging.after_epoch(training, learned.memory, held_out.loss)
    done = replace(state, updates=learned.updates, parameters=learned.parameters, optimiser=memory)
    after = replace(done, epochs=(*state.epochs, counts), recorded=recorded, best=best)
    if (epoch + 1) % workload.sparsity.update_epochs or epoch + 1 == training.epochs:
        return after
    return moved(after, workload, sizes, learned.gradient, learned.updates / updates)


def _learned(
    workload: Workload, network: Network, part: Sequences, state: LearningState, epoch: int, tell: Tell
) -> Learned:
    """Return what the updates of an epoch leave, in the numbers of the workload."""
    if workload.training.machine_numbers is not None:
        return integer_updates(workload, network, part, state, epoch, tell)
    return float_updates(network, workload.training, part, state, epoch, tell)


def _evaluated(workload: Workload, network: Network, parameters: Parameters, sequences: Sequences) -> Evaluation:
    """Return how well a network does, in the numbers of the workload."""
    numbers = workload.training.machine_numbers
    if numbers is None:
        return evaluate(network, parameters, sequences, truncation_of(workload.training))
    machine = machine_of(workload, numbers, dense=network.thresholds is None)
    weights = quantised(parameters, machine.arithmetic, numbers.formats)
    return evaluate_in_integers(machine, network, weights, sequences)


def _float_figure(
    workload: Workload, network: Network, parameters: Parameters, sequences: Sequences
) -> dict[str, float]:
    """Return the figure in floating point of weights that were trained in a machine's numbers, by its field."""
    if workload.training.machine_numbers is None:
        return {}
    return {"float_figure": evaluate(network, parameters, sequences).figure}


def _counts(
    workload: Workload,
    network: Network,
    parameters: Parameters,
    recordings: Recordings,
    epoch: int,
    learned: Learned,
    figure: float,
) -> EpochCounts:
    """Return the counts of an epoch, after which the network has this `figure`."""
    told: dict[str, Any] = {TASKS.load(workload.task).FIGURE: figure}
    told |= _float_figure(workload, network, parameters, recordings.held_out)
    stored = {tensor: (*counted,) for tensor, counted in learned.stored.items()}
    counts = EpochCounts(epoch, network.thresholds is None, learned.loss, None, *learned.fired, stored=stored)
    return replace(counts, **told)


def _with_step(recorded: tuple[RecordedStep, ...], step: RecordedStep) -> tuple[RecordedStep, ...]:
    """Return the steps with one more; a trace has the weights of its last step alone."""
    return (*(replace(before, numbers=None) for before in recorded), step)


def _record(
    workload: Workload,
    network: Network,
    parameters: Parameters,
    part: Sequences,
    epoch: int,
    update: int,
    rate: float,
) -> RecordedStep:
    """Return what fires in the forward pass of the recorded samples, the same ones in each epoch, and its numbers.

    A machine that runs the step updates the weights too. It takes `rate`, the learning rate of the update before.
    """
    training = workload.training
    chosen = generator(training, RECORD, 0).permutation(len(part))[: training.batch]
    if training.machine_numbers is not None:
        x, lengths, labels = part.batch(chosen)
        x = one_hot(x, part.vocabulary, np.dtype(np.float64)) if part.vocabulary else x
        return recorded_in_integers(workload, network, parameters, (x, lengths, labels), (epoch, update), rate)
    window, before = recorded_window(network, parameters, part, chosen, truncation_of(training))
    ran = forward(network, parameters, window.x, window.lengths, before)
    step = recorded_step(ran, epoch, update, window.x if network.sizes.words else None)
    if training.truncate_steps is not None or network.thresholds is None or network.sizes.words:
        return step
    x = one_hot(window.x, part.vocabulary, workload.dtype) if part.vocabulary else window.x
    return replace(step, numbers=StepNumbers(parameters.flat(), x, part.wanted(chosen), np.array(rate)))


def _best_step(workload: Workload, network: Network, state: LearningState, best: Best, part: Sequences) -> RecordedStep:
    """Return the step that is recorded of the network that is kept."""
    training, updates = workload.training, state.updates // len(state.epochs)
    update, losses = (best.epoch + 1) * updates, tuple(counts.loss for counts in state.epochs[: best.epoch])
    rate = learning_rate(training, update - 1, updates * training.epochs, losses)
    step = _record(workload, network, from_flat(best.parameters, network.sizes), part, best.epoch, update, rate)
    return replace(step, weights=recorded_weights(best.mask, network.sizes))


def _first_parameters(workload: Workload, sizes: Sizes) -> Parameters:
    """Return what training begins with: what is drawn, or the network in the workload's file."""
    rng = generator(workload.training, INITIAL, 0)
    drawn = initial_parameters(sizes, rng, workload.dtype, workload.training.forget_bias)
    if workload.initial_weights is None:
        return drawn
    return initial_network(workload.initial_weights).parameters(sizes, drawn)


def recorded_untrained(workload: Workload, recordings: Recordings) -> RecordedStep:
    """Return what fires in the recorded samples before any training, in the network in the workload's file."""
    check_recordings(workload, recordings)
    sizes = sizes_of(workload, recordings)
    network = Network(
        sizes, workload.thresholds, workload.readout, workload.training.beta, workload.code_bits, task=workload.task
    )
    rate = workload.training.learning_rate
    with threadpool_limits(limits=1, user_api="blas"):
        return _record(workload, network, _first_parameters(workload, sizes), recordings.train, 0, 0, rate)


def _initial_state(workload: Workload, sizes: Sizes, data_digest: str) -> LearningState:
    mask = first_mask(sizes, workload.sparsity, generator(workload.training, MASK, 0))
    first, numbers = _first_parameters(workload, sizes), workload.training.machine_numbers
    if numbers is not None:
        parameters, memory = rounded(workload, numbers, first)
    else:
        parameters = first.flat() * mask
        memory = OPTIMISERS.load(workload.training.optimiser).start(parameters)
    return LearningState(workload.digest(), data_digest, 0, parameters, mask, memory, (), ())
