"""Which epoch is kept: the one with the lowest loss on the validation part; and when training need not go on."""

from __future__ import annotations

from dataclasses import dataclass

from deltatrain.accel.errors import ConfigError, refuse
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.tables import Training
from deltatrain.workloads.tasks import Wanted
from deltatrain.workloads.training.batches import EVALUATION_BATCH
from deltatrain.workloads.workload import Workload

MOST_ONE_HOT_BYTES = 2**31
"""What the one-hot words of a mini-batch may take."""

_WORDS: dict[Wanted, str] = {
    "classes": "a class of each sequence",
    "step_classes": "a class of each step",
    "numbers": "numbers of each sequence",
    "step_numbers": "numbers of each step",
}


@dataclass(frozen=True, eq=False)
class Best:
    """The best epoch so far.

    Attributes
    ----------
    epoch
        Its number, from 0.
    loss
        Mean loss a sample of the validation part after it.
    parameters, mask
        What was learned by then, and which of them existed, shapes (n,).
    """

    epoch: int
    loss: float
    parameters: Array
    mask: Array


def check_recordings(workload: Workload, recordings: Recordings) -> None:
    """Raise a `ConfigError` in one line unless the recordings have what task and training of a workload need."""
    wanted = workload.wants
    if recordings.train.wants != wanted:
        raise ConfigError(
            f"task {workload.task!r} with read-out {workload.readout!r} takes {_WORDS[wanted]}, and data set "
            f"{recordings.name!r} has {_WORDS[recordings.train.wants]}; dataset.targets says which it has"
        )
    _check_words(workload, recordings)
    training = workload.training
    if training.early_stopping is not None and recordings.validation is None:
        raise ConfigError(
            f"training.early_stopping needs a validation part, and data set {recordings.name!r} has none: "
            "give dataset.split.validation, or dataset = {name, validation} of a set by name"
        )
    weights = training.class_weights
    if isinstance(weights, tuple) and len(weights) != recordings.classes:
        raise ConfigError(
            f"training.class_weights must be {recordings.classes} numbers, one for each class, not {len(weights)}"
        )


def _check_words(workload: Workload, recordings: Recordings) -> None:
    """Raise a `ConfigError` if an embedding finds no words, or words are too many to be one-hot in a mini-batch."""
    vocabulary, training = recordings.train.vocabulary, workload.training
    if workload.embedding is not None:
        refuse([f"embedding must be left out: data set {recordings.name!r} has no words"] * (not vocabulary))
        return
    lengths = [part.lengths for part in recordings.parts().values()]
    longest, most = max(int(one.max()) for one in lengths), max(map(len, lengths))
    steps = min(most, max(training.batch, EVALUATION_BATCH)) * min(longest, training.truncate_steps or longest)
    one_hot_bytes = steps * vocabulary * workload.dtype.itemsize
    if one_hot_bytes > MOST_ONE_HOT_BYTES:
        raise ConfigError(
            f"{steps:,} words at a time, one-hot in a vocabulary of {vocabulary:,}, would take {one_hot_bytes:,} "
            f"bytes; accepted are at most {MOST_ONE_HOT_BYTES:,}: give an embedding, as embedding.width = 64"
        )


def class_weights_of(training: Training, recordings: Recordings) -> tuple[float, ...]:
    """Return what the loss of a row is multiplied with, by class; empty if with nothing.

    A class without training samples has the weight of one that has a single one. Of a labelling, steps are counted.
    """
    weights = training.class_weights
    if weights is None or isinstance(weights, tuple):
        return weights or ()
    counts = [int((recordings.train.labels == label).sum()) for label in range(recordings.classes)]
    return tuple(sum(counts) / (len(counts) * max(1, count)) for count in counts)


def may_be_kept(training: Training, epoch: int) -> bool:
    """Tell whether an epoch trains the network that training is for: the delta network, if any epoch does."""
    return epoch >= training.dense_epochs or training.dense_epochs == training.epochs


def stopped_early(training: Training, best: Best | None, done: int) -> bool:
    """Tell whether training ends after `done` epochs, as none of the last ones was better than the best."""
    patience = training.early_stopping
    return patience is not None and best is not None and done - 1 - best.epoch >= patience
