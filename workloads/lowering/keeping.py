"""What a training step keeps for its backward pass: every tape, or what a checkpoint schedule says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import FitError
from deltatrain.workloads.lowering.checkpoint.kept_bytes import Sizes, kept
from deltatrain.workloads.lowering.checkpoint.reading import forward_only, kept_whole, sent_whole, timeline
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, CheckpointSchedule
from deltatrain.workloads.lowering.checkpoint.timeline import Timeline
from deltatrain.workloads.lowering.lists import Lists
from deltatrain.workloads.lowering.placement import Demand, Placed, own_most, place, place_kept, with_cache
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.state import State
from deltatrain.workloads.lowering.tape import Tape, steps_on_way
from deltatrain.workloads.lowering.trace_room import LOGITS_KEPT, trace_bytes

ScheduleOf = Callable[[int, Budget], CheckpointSchedule]
"""The schedule for a sample of so many steps, with so much room."""


class Keeping(NamedTuple):
    """What is kept.

    Attributes
    ----------
    placed
        Where everything is.
    samples
        The timeline of each sample.
    sizes
        Of what may be kept.
    """

    placed: Placed
    samples: list[Timeline]
    sizes: Sizes


def placed_plainly(architecture: Architecture, shape: Shape, lists: Lists, readout: str) -> Placed:
    """Return where everything is if every step is run once, and its tape, if it leaves one, kept where it is placed.

    Raises
    ------
    FitError
        If something does not fit, or steps are grouped whose tape does not.
    """
    tape = Tape(architecture, shape, lists)
    inputs = int(lists.lengths.sum()) * input_bytes(architecture, shape)
    if shape.online:
        return _placed_online(architecture, shape, inputs, tape.made_list_bytes)
    if not shape.learns:
        placed = place(architecture, shape, Demand(inputs, tape=0, tape_slots=0, tape_buffer=0, loss=0, read=0))
        return _with_cache(place_kept(placed, architecture, {"lists": tape.made_list_bytes}, {}), architecture)
    readouts = 1 if readout == "last" else int(lists.lengths.max(initial=0))
    demand = Demand(
        inputs=inputs,
        tape=tape.local_bytes,
        tape_slots=tape.remote_bytes,
        tape_buffer=tape.buffer_bytes,
        loss=readouts * _logits_bytes(architecture, shape),
        read=(readouts - 1) * _h_bytes(architecture, shape),
    )
    placed = place(architecture, shape, demand)
    _check_limit(architecture, placed)
    _check_groups(architecture, placed)
    return _with_cache(placed, architecture)


def _placed_online(architecture: Architecture, shape: Shape, inputs: int, list_bytes: int) -> Placed:
    """Return where everything is if each step learns at once: there are traces, and no tape."""
    tapeless = architecture.model_copy(
        update={"placement": architecture.placement.model_copy(update={"tape": "local"})}
    )
    of_loss = LOGITS_KEPT * _logits_bytes(architecture, shape)
    placed = place(tapeless, shape, Demand(inputs, tape=0, tape_slots=0, tape_buffer=0, loss=of_loss, read=0))
    room = {"lists": list_bytes, "traces": trace_bytes(architecture, shape)}
    return _with_cache(place_kept(placed, architecture, room, {}), architecture)


def run_plainly(architecture: Architecture, shape: Shape, placed: Placed, steps: int) -> Timeline:
    """Return the timeline of a sample whose steps are run once, with everything in the places of `placed_plainly`."""
    if not shape.learns:
        return forward_only(steps)
    if placed.tape_remote:
        return sent_whole(steps, steps_on_way(architecture))
    return kept_whole(steps, architecture.engine.outer_steps)


def plainly(architecture: Architecture, shape: Shape, lists: Lists, readout: str) -> Keeping:
    """Return a step of which nothing is run again; errors as for `placed_plainly`."""
    placed = placed_plainly(architecture, shape, lists, readout)
    samples = [run_plainly(architecture, shape, placed, steps) for steps in lists.lengths.tolist()]
    tape = Tape(architecture, shape, lists)
    nothing = np.zeros_like(tape.bytes)  # for the loss there is room elsewhere
    of_tape = (tape.own_bytes, tape.residue) if shape.learns else (nothing, nothing)
    of_state = State(architecture, shape).own_bytes
    return Keeping(placed, samples, Sizes(*of_tape, nothing, of_state, tape.gradient_bytes))


def _with_cache(placed: Placed, architecture: Architecture) -> Placed:
    return replace(placed, local_bytes=with_cache(placed.local_bytes, placed.tensors, architecture))


def _check_limit(architecture: Architecture, placed: Placed) -> None:
    wanted = architecture.checkpoint
    needed = sum(placed.local_bytes.get(use, 0) for use in ("tape", "tape buffer"))
    if wanted.tape_home is not None and wanted.local_bytes is not None and needed > wanted.local_bytes:
        raise FitError(
            f"policy {wanted.policy} does not fit: {needed:,} bytes of local memory needed for the tape, "
            f"checkpoint.local_bytes = {wanted.local_bytes:,}, {needed - wanted.local_bytes:,} missing"
        )


def _check_groups(architecture: Architecture, placed: Placed) -> None:
    if placed.tape_remote and architecture.engine.outer_steps > 1:
        raise FitError(
            f"local.bytes = {architecture.local.bytes} is too small: with engine.outer_steps = "
            f"{architecture.engine.outer_steps}, and no placement.tape off-chip, the whole tape must fit"
        )


def as_scheduled(
    architecture: Architecture, shape: Shape, lists: Lists, readout: str, schedule_of: ScheduleOf
) -> Keeping:
    """Return a training step that keeps and runs again what `schedule_of` says.

    Raises
    ------
    FitError
        If something does not fit, or the schedules keep more than there is room for.
    """
    tape = Tape(architecture, shape, lists)
    placed, of_loss = _frame(architecture, shape, lists, readout, tape)
    state = State(architecture, shape)
    sizes = Sizes(tape.own_bytes, tape.residue, of_loss, state.own_bytes, tape.gradient_bytes)
    free = architecture.local.bytes - sum(placed.local_bytes.values()) - tape.made_list_bytes
    local = architecture.checkpoint.room_bytes(free)
    remote = architecture.remote.bytes - sum(placed.remote_bytes.values())
    room = _budget(architecture, shape, sizes, local, remote, int(tape.slot_bytes.sum()), int(state.bytes.sum()))
    if architecture.tiles.count > 1:
        most_moved = int(tape.bytes.sum(axis=0).max(initial=0))
        room = room._replace(moved_state_bytes=int(state.bytes.sum()), moved_tape_bytes=most_moved)
    lengths = lists.lengths.tolist()
    of_length = {steps: timeline(schedule_of(steps, room)) for steps in sorted(set(lengths))}
    samples = [of_length[steps] for steps in lengths]
    most = kept(samples, sizes, local)
    local_use = {"lists": tape.made_list_bytes, "tape": most.tape_bytes, "checkpoints": most.state_bytes}
    remote_use = {
        "tape": most.tape_slots * int(tape.slot_bytes.sum()),
        "checkpoints": most.state_slots * int(state.bytes.sum()),
    }
    placed = _with_cache(place_kept(placed, architecture, local_use, remote_use), architecture)
    return Keeping(placed, samples, sizes)


def _frame(
    architecture: Architecture, shape: Shape, lists: Lists, readout: str, tape: Tape
) -> tuple[Placed, NDArray[np.int64]]:
    """Return where all but tapes and states is, and what the loss keeps of a step beside its tape, shape (L, B, T).

    What the loss needs of every step is apart for the longest sample, as where no step is run again, if the limit for
    tapes and states leaves room for it. Else it comes with each tape, and stays when that is sent.
    """
    tapeless = architecture.placement.model_copy(update={"tape": "local"})
    machine = architecture.model_copy(update={"placement": tapeless})
    logits, h = _logits_bytes(architecture, shape), _h_bytes(architecture, shape)
    inputs = int(lists.lengths.sum()) * input_bytes(architecture, shape)

    def placed(steps: int) -> Placed:
        # read: a state that is brought back takes the place of h, the last step's too
        return place(machine, shape, Demand(inputs, 0, 0, 0, loss=steps * logits, read=steps * h))

    with_tapes = np.zeros_like(tape.bytes)
    if readout != "every":
        return placed(1), with_tapes
    together = placed(0)
    free = architecture.local.bytes - sum(together.local_bytes.values()) - tape.made_list_bytes
    steps, room_bytes = int(lists.lengths.max(initial=0)), architecture.checkpoint.room_bytes
    if 0 < room_bytes(free) == room_bytes(free - steps * (logits + h)):
        return placed(steps), with_tapes
    with_tapes[-1] = (tape.bytes[-1] > 0) * (logits + h)
    return together, with_tapes


def _budget(
    architecture: Architecture,
    shape: Shape,
    sizes: Sizes,
    local: int,
    remote: int,
    slot_bytes: int,
    state_bytes: int,
) -> Budget:
    """Return the sizes of a step in which each layer fires as much as it ever does, so that what fits them always fits.

    They are those of the tile that keeps most. Off-chip a tape takes a whole slot of `slot_bytes`, and a state takes
    the `state_bytes` of all tiles, so the room there counts for less.
    """
    state = int(sizes.state.sum())
    tape = int((sizes.tape + sizes.loss).max(axis=(1, 2), initial=0).sum())
    staying = int(sizes.loss.max(axis=(1, 2), initial=0).sum())
    residue = int((sizes.residue + sizes.loss).max(axis=(1, 2), initial=0).sum())
    wraps = architecture.engine.formats.memory.overflow == "wrap" and bool(shape.arithmetic.KEPT)
    share = min(1.0, tape / slot_bytes, state / state_bytes)
    undone = residue if wraps else None
    return Budget(state, tape, max(0, local), int(remote * share), undone, staying_bytes=staying)


def input_bytes(architecture: Architecture, shape: Shape) -> int:
    """Return the bytes of an input vector, padded to whole words so that each begins at one; 0 where words are read."""
    if shape.words:
        return 0
    engine = architecture.engine
    return -(-shape.inputs[0] // engine.lanes) * engine.lanes * engine.formats.activation.bytes


def _logits_bytes(architecture: Architecture, shape: Shape) -> int:
    return shape.classes * architecture.engine.formats.gradient.bytes


def _h_bytes(architecture: Architecture, shape: Shape) -> int:
    return own_most(architecture, shape.hidden[-1]) * architecture.engine.formats.activation.bytes
