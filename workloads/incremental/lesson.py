"""One task: the network learns new classes from their recordings and from those kept, and can be stopped in between."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deltatrain.workloads.arrays.packing import Array, unpack
from deltatrain.workloads.data.recordings import Sequences
from deltatrain.workloads.incremental.distillation import Teacher, chances_of
from deltatrain.workloads.network.network import Network, Parameters, Sizes, forward, from_flat
from deltatrain.workloads.optimisers import OPTIMISERS
from deltatrain.workloads.trace import EpochCounts, RecordedStep
from deltatrain.workloads.training import averaging, learning_state
from deltatrain.workloads.training.batches import EVALUATION_BATCH, evaluation_batches
from deltatrain.workloads.training.drawing import INITIAL, RECORD, generator
from deltatrain.workloads.training.evaluation import evaluate, recorded_step
from deltatrain.workloads.training.learning_state import LearningState
from deltatrain.workloads.training.resuming import check_resumable
from deltatrain.workloads.training.streams import epoch_updates
from deltatrain.workloads.training.training import network_of
from deltatrain.workloads.training.updates import float_updates
from deltatrain.workloads.workload import Workload


class Lesson(NamedTuple):
    """What a task begins with.

    Attributes
    ----------
    workload
        How it learns.
    sizes
        Of the network, with the new classes.
    parameters
        It begins with.
    train, test
        Recordings of the new classes and those kept, and recordings of all classes known that the figure is of.
    teacher
        What the network said before.
    """

    workload: Workload
    sizes: Sizes
    parameters: Parameters
    train: Sequences
    test: Sequences
    teacher: Teacher

    def digest(self) -> str:
        """Return 16 hexadecimal digits that change with anything that is learned from but the workload."""
        digest = hashlib.sha256(f"{self.sizes.classes} {self.teacher.weight}".encode())
        for part in (self.train, self.test, self.teacher.chances):
            for array in (part.values, part.lengths, part.labels):
                digest.update(np.ascontiguousarray(array).tobytes())
        return hashlib.sha256(digest.digest() + self.parameters.flat().tobytes()).hexdigest()[:16]


def learned(lesson: Lesson, folder: Path, on_epoch: Callable[[int], None]) -> LearningState:
    """Return what the task leaves; kept in `folder` after each epoch, from where it goes on.

    Errors are those of `workloads.training.training.train`.
    """
    workload, digest = lesson.workload, lesson.digest()
    path = folder / f"{workload.digest()}-{digest}.npz"
    first = lesson.parameters.flat()
    memory = OPTIMISERS.load(workload.training.optimiser).start(first)
    state = LearningState(workload.digest(), digest, 0, first, np.ones(first.shape, bool), memory, (), ())
    if path.exists():
        fresh, state = state, learning_state.load(path, workload.digest())
        updates = epoch_updates(lesson.train.lengths, workload.training)
        check_resumable(state, fresh, lesson.sizes, workload, updates, path)
    for epoch in range(len(state.epochs), workload.training.epochs):
        state = _epoch(lesson, state, epoch)
        learning_state.save(state, path)
        on_epoch(epoch)
    return state


def _epoch(lesson: Lesson, state: LearningState, epoch: int) -> LearningState:
    """Return the state after one more epoch."""
    workload, part = lesson.workload, lesson.train
    network = network_of(workload, lesson.sizes, epoch)
    done = float_updates(network, workload.training, part, state, epoch, _untold, lesson.teacher.step)
    parameters = from_flat(averaging.evaluated(workload.training, done.parameters, done.memory), lesson.sizes)
    tested = evaluate(network, parameters, lesson.test)
    memory = averaging.after_epoch(workload.training, done.memory, tested.loss)
    counts = EpochCounts(epoch, network.thresholds is None, done.loss, tested.figure, *done.fired)
    recorded = state.recorded
    if (workload.training.epochs - 1 - epoch) % workload.training.record_every == 0:
        recorded = (*recorded, _recorded(lesson, network, parameters, epoch, done.updates))
    state = replace(state, updates=done.updates, parameters=done.parameters, optimiser=memory)
    return replace(state, epochs=(*state.epochs, counts), recorded=recorded)


def _recorded(lesson: Lesson, network: Network, parameters: Parameters, epoch: int, update: int) -> RecordedStep:
    """Return what fires in the forward pass of a mini-batch, in each epoch another one.

    A mini-batch of one says little of the others: with the same in each epoch, a cost would be read from its length.
    """
    training = lesson.workload.training
    chosen = generator(training, RECORD, epoch).permutation(len(lesson.train))[: training.batch]
    return recorded_step(forward(network, parameters, *lesson.train.padded(chosen)), epoch, update)


def _untold(update: int, loss: float) -> None:
    """Take what updates tell, and do nothing: whoever waits is told of epochs."""


def taught_by(network: Network, parameters: Parameters, part: Sequences) -> Sequences:
    """Return `part` with the chances that the network gives each class at each step as labels."""
    begins = np.cumsum(part.lengths) - part.lengths
    chances = np.zeros((len(part.values), network.sizes.classes), np.float32)
    for samples in evaluation_batches(part.lengths, EVALUATION_BATCH):
        ran = forward(network, parameters, *part.padded(samples))
        said = unpack(chances_of(ran.logits), ran.packing)
        for column, sample in enumerate(samples):
            begin, length = begins[sample], part.lengths[sample]
            chances[begin : begin + length] = said[:length, column]
    return replace(part, labels=chances, stepwise=True)


def widened(parameters: Parameters, classes: int, workload: Workload) -> Parameters:
    """Return the network with a read-out of more classes, the new rows drawn as first weights are."""
    width, more = parameters.W_out.shape[1], classes - len(parameters.W_out)
    rng = generator(workload.training, INITIAL, classes)

    def drawn(*shape: int) -> Array:
        new: Array = rng.uniform(-1, 1, shape) / np.sqrt(width)
        return new.astype(parameters.W_out.dtype)

    W_out = np.concatenate([parameters.W_out, drawn(more, width)])
    return parameters._replace(W_out=W_out, bias_out=np.concatenate([parameters.bias_out, drawn(more)]))
