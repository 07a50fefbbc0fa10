"""The ops of a training step as a grid: which there are, where each belongs, and how one finds another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.op_table import PHASES
from deltatrain.workloads.lowering import op_kinds as kinds
from deltatrain.workloads.lowering.checkpoint.timeline import NONE, Timeline
from deltatrain.workloads.lowering.groups import Groups
from deltatrain.workloads.lowering.op_kinds import Numbering, OpKind
from deltatrain.workloads.lowering.op_order import OpOrder, Points, Position
from deltatrain.workloads.lowering.shape import Shape

__all__ = ["Grid", "at", "numbered"]

_TRANSFERS = (kinds.STORE_TAPE, kinds.LOAD_TAPE, kinds.STORE_STATE, kinds.LOAD_STATE)

Entry = tuple[OpKind, NDArray[np.bool_], Position]
"""A kind, where its ops exist, shape (L, B, N), and where they belong."""


def numbered(points: Points, number: NDArray[np.int64]) -> Points:
    """Return the points of other numbers in the same layers and samples."""
    return points[0], points[1], number


def at(column: NDArray[np.int64], points: Points) -> NDArray[np.int64]:
    """Return what a column of a timeline's table, of shape (B, N), says of the samples and numbers of `points`."""
    found: NDArray[np.int64] = column[points[1], points[2]]
    return found


class Grid:
    """The ops of one training step.

    Parameters
    ----------
    shape
        The network's sizes.
    timeline
        All samples' timelines.
    lengths
        Steps of each sample, shape (B,).
    readout
        Which steps are classified.
    tiles
        Of the machine: several pass on what they make.
    in_turn
        Whether its layers and steps follow each other.
    carried
        Whether samples go on from a state, so that something may fire into their first step.
    outer_steps
        Of how many steps one op adds the weight gradients.

    Attributes
    ----------
    order
        Which there are; they have no rows before it is told to rank them.
    timeline
        As given.
    groups
        Of steps whose weight gradients are one op.
    """

    def __init__(
        self,
        shape: Shape,
        timeline: Timeline,
        lengths: NDArray[np.int64],
        readout: str,
        tiles: int,
        *,
        in_turn: bool = False,
        carried: bool = False,
        outer_steps: int = 1,
    ) -> None:
        self._shape, self._tiles, self._carried = shape, tiles, carried
        self._layer = np.arange(len(shape.hidden))[:, None, None]
        last_step = lengths[:, None] - 1
        forward, number = timeline.forward, np.arange(timeline.steps.made_by.shape[1])
        every = readout == "every"
        self._read = (
            (self._layer == len(shape.hidden) - 1) & (forward.leaves > 0) & (every | (forward.step == last_step))
        )
        self._read_back = (self._layer == len(shape.hidden) - 1) & (every | (number == last_step))
        self.timeline, self.groups = timeline, Groups(lengths, outer_steps)
        self.order = self._empty_order(in_turn=in_turn)
        for entries in (self._forward(), self._backward(), self._transfers(), self._undone()):
            for entry in entries:
                self.order.add(*entry)

    def _empty_order(self, *, in_turn: bool) -> OpOrder:
        return OpOrder(len(self._shape.hidden), in_turn)

    def rows(self, kind: OpKind, points: Points, *, layer: int = 0, step: int = 0) -> NDArray[np.int64]:
        """Return the rows of ops of `kind`, as `OpOrder.rows` does."""
        return self.order.rows(kind, points, layer=layer, step=step)

    def transfers(self) -> NDArray[np.int64]:
        """Return the rows of all ops that move tapes and states from or to off-chip memory, in order."""
        rows = [self.order.rows(kind, points) for kind, points in self.order.kinds() if kind in _TRANSFERS]
        return np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *rows]))

    def layer_ends(self) -> NDArray[np.int64]:
        """Return the rows of the ops with which a layer is done with a step, forward or backward, in order."""
        ends = (kinds.CELL, kinds.OUTER.x)
        return np.sort(
            np.concatenate([self.order.rows(kind, points) for kind, points in self.order.kinds() if kind in ends])
        )

    def step_of(self, kind: OpKind, points: Points) -> NDArray[np.int64]:
        """Return the steps that ops of `kind` belong to."""
        forward, saves, loads, number = self.timeline.forward, self.timeline.saves, self.timeline.loads, points[2]
        if kind.numbering is Numbering.STEP:
            return number
        if kind.numbering is Numbering.LOAD:
            points = numbered(points, at(loads.save, points))
        if kind.numbering is not Numbering.FORWARD_STEP:
            points = numbered(points, at(saves.kept_before, points))
        return at(forward.step, points)

    def in_steps(self, points: Points) -> Points:
        """Return the points of the steps that forward steps `points` run."""
        return numbered(points, at(self.timeline.forward.step, points))

    def made_by(self, points: Points) -> Points:
        """Return the points of the forward steps that left the tapes of steps `points`."""
        return numbered(points, at(self.timeline.steps.made_by, points))

    def outer_of(self, points: Points) -> Points:
        """Return the points of the weight gradients that those of steps `points` are part of; none behind the end."""
        return numbered(points, self.groups.end(points[1], points[2]))

    def phase(self, points: Points) -> dict[str, NDArray[np.int64]]:
        """Return the phase of forward steps: FP the first time that a step is run, RF later."""
        again = at(self.timeline.forward.again, points) > 0
        return {"phase": np.where(again, PHASES.index("RF"), PHASES.index("FP"))}

    def stored_before(self, points: Points, stored: NDArray[np.int64], saved: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the later of two stores: of the tape of a forward step, and of the state of a save."""
        of_tape = self.rows(kinds.STORE_TAPE, numbered(points, stored))
        return np.maximum(of_tape, self.rows(kinds.STORE_STATE, numbered(points, saved)))

    def undone(self, points: Points) -> NDArray[np.int64]:
        """Return the last op that undoes each step, NO_OP where it is not undone."""
        return np.maximum(self.rows(kinds.UNDO.x, points), self.rows(kinds.UNDO.h, points))

    def _everywhere(self, exists: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return `exists`, of shape (B, N), for every layer."""
        return np.broadcast_to(exists, (len(self._layer), *exists.shape))

    def _in_groups(self, exists: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return where the groups end that have any of the steps that exist; the same in every layer."""
        return self._everywhere(self.groups.total(exists[0].astype(np.int64)) > 0)

    def _forward(self) -> Iterator[Entry]:
        """Yield what a step does forward."""
        forward, arithmetic = self.timeline.forward, self._shape.arithmetic
        position = Position(forward.stage, forward.macro, True)
        ran = self._everywhere(forward.step != NONE)
        recurrent = ran & (self._carried | (forward.step > 0)) & bool(arithmetic.BLOCKS_H)
        for kind, exists in (
            (kinds.LOAD_X, ran & (self._layer == 0)),
            (kinds.ENCODE.x, ran),
            (kinds.ENCODE.h, recurrent),
            (kinds.MATVEC.x, ran),
            (kinds.MATVEC.h, ran if arithmetic.BIAS_H else recurrent),
            (kinds.CELL, ran),
            (kinds.READ, ran & self._read),
            (kinds.LOSS, ran & self._read & self._shape.learns),
        ):
            yield kind, exists, position
        if self._tiles > 1:
            yield kinds.BROADCAST.x, ran, position
            yield kinds.BROADCAST.h, recurrent, position
            yield kinds.READ_REDUCE, ran & self._read, position

    def _backward(self) -> Iterator[Entry]:
        """Yield what a step does backward."""
        steps, arithmetic = self.timeline.steps, self._shape.arithmetic
        position = Position(steps.stage, steps.macro, False)
        back = self._everywhere(steps.made_by != NONE)
        recurrent = back & (np.arange(back.shape[2]) > 0) & bool(arithmetic.BLOCKS_H)  # none goes to a state before
        listed = back & bool(arithmetic.BLOCKS_H) if self._carried else recurrent
        # nobody asks for the gradient of data, but of words that are looked up
        has_below = (self._layer > 0) | bool(self._shape.words)
        for kind, exists in (
            (kinds.READ_T, back & self._read_back),
            (kinds.READ_OUTER, back & self._read_back),
            (kinds.CELL_BACKWARD, back),
            (kinds.MATVEC_T.h, recurrent),
            (kinds.MATVEC_T.x, back & has_below),
            (kinds.OUTER.h, self._in_groups(back if arithmetic.BIAS_H else listed)),
            (kinds.OUTER.x, self._in_groups(back)),
            (kinds.OUTER_WORDS, back & (self._layer == 0) & bool(self._shape.words)),
        ):
            yield kind, exists, position
        if self._tiles > 1:
            yield kinds.RESEND.x, back, position
            yield kinds.RESEND.h, listed, position
            yield kinds.REDUCE.h, recurrent, position
            yield kinds.REDUCE.x, back & has_below, position

    def _transfers(self) -> Iterator[Entry]:
        """Yield what keeps tapes and states, moves them and brings them back."""
        forward, steps, saves, loads, _ = self.timeline
        sample = np.arange(len(forward.step))[:, None]
        sent = (forward.step != NONE) & (forward.leaves > 0) & (steps.slot[sample, forward.step] != NONE)
        loaded = (steps.made_by != NONE) & (steps.load_stage != NONE)
        restored = (forward.step != NONE) & ((forward.from_copy != NONE) | (forward.from_load != NONE))
        copied = (forward.step != NONE) & (forward.kept != NONE)
        in_pass = Position(forward.stage, forward.macro, True)
        load = Position(steps.load_stage, steps.load_macro, steps.load_forward, steps.load_order)
        for kind, exists, position in (
            (kinds.STORE_TAPE, sent, in_pass),
            (kinds.LOAD_TAPE, loaded, load),
            (kinds.COPY_STATE, copied, in_pass._replace(order=forward.kept)),
            (kinds.RESTORE_STATE, restored, in_pass._replace(order=forward.restored)),
            (kinds.STORE_STATE, saves.slot != NONE, Position(saves.stage, saves.macro, saves.forward, saves.order)),
            (kinds.LOAD_STATE, loads.save != NONE, Position(loads.stage, loads.macro, loads.forward, loads.order)),
        ):
            yield kind, self._everywhere(exists), position

    def _undone(self) -> Iterator[Entry]:
        """Yield what undoes steps."""
        steps = self.timeline.steps
        undone = self._everywhere((steps.made_by != NONE) & (steps.undo_stage != NONE))
        every = self._shape.arithmetic.BIAS_H or self._carried
        recurrent = undone if every else undone & (np.arange(undone.shape[2]) > 0)
        undo = [(kinds.UNDO_CELL, undone, 0), (kinds.UNDO.x, undone, 1), (kinds.UNDO.h, recurrent, 2)]
        if self._tiles > 1:
            listed = undone & bool(self._shape.arithmetic.BLOCKS_H)
            if not self._carried:
                listed = listed & (np.arange(undone.shape[2]) > 0)
            undo += [(kinds.SEND_UNDO.x, undone, 0), (kinds.SEND_UNDO.h, listed, 0)]
        for kind, exists, number in undo:
            order = 3 * steps.undo_order + number
            yield kind, exists, Position(steps.undo_stage, steps.undo_macro, steps.undo_forward, order)
