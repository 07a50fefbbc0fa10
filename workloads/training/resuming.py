"""Whether a kept state is one from which this training goes on: of its workload, its recordings and its arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from deltatrain.accel.documents import shown
from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.network.network import Sizes, from_flat
from deltatrain.workloads.optimisers.adamw import STEPS
from deltatrain.workloads.tables import Training
from deltatrain.workloads.training.learning_state import LearningState
from deltatrain.workloads.workload import Workload


def check_resumable(
    state: LearningState, fresh: LearningState, sizes: Sizes, workload: Workload, epoch_updates: int, path: Path
) -> None:
    """Raise a `ConfigError` in one line unless training can go on from the state that was read from `path`.

    Parameters
    ----------
    state, fresh
        The state read, and one that has just begun.
    sizes
        Of the network.
    workload
        What is trained, and how it learns.
    epoch_updates
        Updates of one epoch.
    path
        The file, for the message.
    """
    if state.data_digest != fresh.data_digest:
        raise ConfigError(
            f"{path} belongs to other recordings (digest {shown(state.data_digest)}, wanted "
            f"{fresh.data_digest!r}): delete it or name another file"
        )
    try:
        for step in state.recorded:
            step.check(sizes, workload.wants)
        for counts in state.epochs:
            counts.check(sizes)
    except ConfigError as error:
        raise ConfigError(f"{path} is of another network than its workload's, or damaged: {error}") from None
    for fault in (*_of_arrays(state, fresh, sizes), *_of_progress(state, workload.training, epoch_updates)):
        raise ConfigError(f"{path} is of another network than its workload's, or damaged: {fault}; delete it")


def _arrays(state: LearningState) -> dict[str, Array]:
    return {"parameters": state.parameters, "mask": state.mask, **state.optimiser}


def _of_arrays(state: LearningState, fresh: LearningState, sizes: Sizes) -> Iterator[str]:
    """Yield what is wrong with the arrays."""
    found, wanted = _arrays(state), _arrays(fresh)
    if found.keys() != wanted.keys():
        yield f"it must have the arrays {', '.join(wanted)}, not {', '.join(found)}"
        return
    for name, array in found.items():
        if (array.shape, array.dtype) != (wanted[name].shape, wanted[name].dtype):
            form = f"{wanted[name].dtype} of shape {wanted[name].shape}"
            yield f"{name} must be {form}, not {array.dtype} of shape {array.shape}"
            return
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            yield f"{name} must be finite numbers"
        if name == STEPS and (array != state.updates).any():
            yield f"{name} must be the {state.updates} updates done, not {array.ravel()[0]}"
    for number, pair in enumerate(zip(*(from_flat(one.mask, sizes).arrays() for one in (state, fresh)), strict=True)):
        kept, begun = (int(np.count_nonzero(mask)) for mask in pair)
        if kept != begun:
            yield f"mask must leave {begun} weights in array {number}, not {kept}"
    if state.best is not None:
        yield from _of_best(state, wanted)
    if state.parameters[~state.mask].any():
        yield "parameters must be 0 where mask says that there is no weight"


def _of_best(state: LearningState, wanted: dict[str, Array]) -> Iterator[str]:
    """Yield what is wrong with the best epoch."""
    assert state.best is not None
    for name, array in (("parameters", state.best.parameters), ("mask", state.best.mask)):
        if (array.shape, array.dtype) != (wanted[name].shape, wanted[name].dtype):
            form = f"{wanted[name].dtype} of shape {wanted[name].shape}"
            yield f"best.{name} must be {form}, not {array.dtype} of shape {array.shape}"
    if not np.isfinite(state.best.parameters).all():
        yield "best.parameters must be finite numbers"
    if not 0 <= state.best.epoch < len(state.epochs):
        yield f"best.epoch must be one of the {len(state.epochs)} epochs done, not {state.best.epoch}"


def _of_progress(state: LearningState, training: Training, epoch_updates: int) -> Iterator[str]:
    """Yield what does not go with the number of epochs done."""
    done = len(state.epochs)
    if done > training.epochs:
        yield f"it must have at most {training.epochs} epochs, not {done}"
    if state.updates != done * epoch_updates:
        yield f"updates must be {done * epoch_updates} after {done} epochs, not {state.updates}"
    due = [epoch for epoch in range(done) if (training.epochs - 1 - epoch) % training.record_every == 0]
    wanted = [(epoch, (epoch + 1) * epoch_updates) for epoch in due]
    recorded = [(step.epoch, step.update) for step in state.recorded]
    if recorded != wanted:
        yield f"recorded must be the steps after updates {[update for _, update in wanted]}"
