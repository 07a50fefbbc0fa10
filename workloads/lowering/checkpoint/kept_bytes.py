"""How many bytes of tapes and states local and off-chip memory keep while a program runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import FitError
from deltatrain.workloads.lowering.checkpoint.timeline import AT, NONE, WHAT, Changes, Timeline
from deltatrain.workloads.lowering.op_kinds import OpKind

__all__ = ["Kept", "Sizes", "kept", "kept_over_ops"]


class Sizes(NamedTuple):
    """Bytes of what may be kept of each layer.

    Attributes
    ----------
    tape, residue, loss
        Of each step, shape (L, B, T): the tape; what of it cannot be undone; what the loss needs of it.
    state, gradients
        Of a state, and of g(M) of a step, shape (L,).
    """

    tape: NDArray[np.int64]
    residue: NDArray[np.int64]
    loss: NDArray[np.int64]
    state: NDArray[np.int64]
    gradients: NDArray[np.int64]

    def of(self, sample: int, changes: Changes) -> NDArray[np.int64]:
        """Return by how many bytes each change of a sample changes what is kept, shape (N, L)."""
        step = changes.step
        by_what = {
            "tape": self.tape[:, sample, step],
            "state": np.broadcast_to(self.state[:, None], (len(self.state), len(step))),
            "residue": self.residue[:, sample, step],
            "loss": self.loss[:, sample, step],
            "gradients": np.broadcast_to(self.gradients[:, None], (len(self.gradients), len(step))),
        }
        sizes = np.stack([by_what[name] for name in WHAT])  # (W, L, N)
        chosen: NDArray[np.int64] = sizes[changes.what, :, np.arange(len(step))] * changes.sign[:, None]
        return chosen


class Kept(NamedTuple):
    """What is kept at most, over all samples.

    Attributes
    ----------
    tape_bytes, state_bytes
        In local memory when each layer holds most; residues and what the loss needs are counted as tape.
    tape_slots, state_slots
        In off-chip memory.
    """

    tape_bytes: int
    state_bytes: int
    tape_slots: int
    state_slots: int


def kept(samples: list[Timeline], sizes: Sizes, room_bytes: int) -> Kept:
    """Return what the samples keep at most, looking at memory after every step of their schedules.

    Layers are skewed, so each has a room of its own, as large as the most that it holds.

    Raises
    ------
    FitError
        If `room_bytes` of local memory do not hold it; names step, tensor and bytes.
    """
    most = Kept(0, 0, 0, 0)
    for number, sample in enumerate(samples):
        changes = sample.changes
        delta = sizes.of(number, changes)
        kept_bytes = np.cumsum(delta, axis=0)
        rooms = np.maximum.accumulate(kept_bytes, axis=0).sum(axis=1)
        over = np.flatnonzero(rooms > room_bytes)
        if len(over):
            at = over[0]
            raise FitError(
                f"local memory overflows at step {changes.step[at]} of sample {number} with its "
                f"{WHAT[changes.what[at]]} of {delta[at].sum():,} bytes: tapes and states need {rooms[at]:,} bytes, "
                f"{room_bytes:,} there, {rooms[at] - room_bytes:,} missing"
            )
        is_state = changes.what == WHAT.index("state")
        states = np.cumsum(np.where(is_state[:, None], delta, 0), axis=0)
        layers = np.arange(delta.shape[1])
        peak = kept_bytes.argmax(axis=0) if len(kept_bytes) else None
        of_states = 0 if peak is None else int(states[peak, layers].sum())
        together = 0 if peak is None else int(kept_bytes[peak, layers].sum())
        if together >= most.tape_bytes + most.state_bytes:
            most = most._replace(tape_bytes=together - of_states, state_bytes=of_states)
        most = most._replace(
            tape_slots=max(most.tape_slots, int(sample.steps.slot.max(initial=NONE)) + 1),
            state_slots=max(most.state_slots, int(sample.saves.slot.max(initial=NONE)) + 1),
        )
    return most


def kept_over_ops(
    samples: list[Timeline],
    sizes: Sizes,
    row_of: Callable[[OpKind, NDArray[np.int64], int, NDArray[np.int64]], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Return rows of ops, in order, and the bytes kept in local memory once each is done, shape (M, 2).

    Parameters
    ----------
    samples, sizes
        As in `kept`.
    row_of
        The row of the op of a kind, by layer, sample and number.
    """
    rows, deltas = [], []
    for number, sample in enumerate(samples):
        changes = sample.changes
        delta = sizes.of(number, changes)
        for layer in range(delta.shape[1]):
            for at, kind in enumerate(AT):
                of_kind = np.flatnonzero(changes.at == at)
                rows.append(row_of(kind, np.full(len(of_kind), layer), number, changes.number[of_kind]))
                deltas.append(delta[of_kind, layer])
    if not rows:
        return np.zeros((0, 2), dtype=np.int64)
    found, where = np.unique(np.concatenate(rows), return_inverse=True)
    change = np.zeros(len(found), dtype=np.int64)
    np.add.at(change, where, np.concatenate(deltas))
    return np.stack([found, np.cumsum(change)], axis=1)
