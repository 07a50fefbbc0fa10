"""The ops of a training step as a grid: which there are, where each belongs, and how one finds another.

Ops forward are numbered by *run*, because a step may be run more than once; those backward by step; moves of states by
move (`workloads.lowering.checkpoint.timeline`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.program import PHASES
from deltatrain.workloads.lowering.checkpoint.timeline import NONE, Timeline
from deltatrain.workloads.lowering.op_order import Cells, Position, Schedule
from deltatrain.workloads.lowering.placement import Shape

__all__ = ["Grid", "numbered"]

TRANSFERS = ("store_tape", "load_tape", "store_state", "load_state")
"""Kinds of ops that move tapes and states between local and off-chip memory."""

_BY_RUN = {
    *("load_x", "encode_x", "encode_h", "matvec_x", "matvec_h", "cell", "read", "loss"),
    *("broadcast_x", "broadcast_h", "read_reduce"),
    *("store_tape", "copy_state", "restore_state"),
}
"""Kinds of ops of which there is one each time a step is run forward."""


def numbered(cells: Cells, number: NDArray[np.int64]) -> Cells:
    """Return the cells of other numbers in the same layers and samples."""
    return cells[0], cells[1], number


class Grid:
    """The ops of one training step.

    Parameters
    ----------
    shape
        The network's sizes.
    way
        All samples' ways through their steps.
    lengths
        Steps of each sample, shape (B,).
    readout
        Which steps are classified.
    tiles
        Of the machine: several pass on what they make.

    Attributes
    ----------
    schedule
        Their order.
    way
        As given.
    """

    def __init__(self, shape: Shape, way: Timeline, lengths: NDArray[np.int64], readout: str, tiles: int) -> None:
        self._shape, self._lengths = shape, lengths
        self.way = way
        self.schedule = Schedule(len(shape.hidden))
        self._add_all(readout, tiles)
        self.schedule.rank()

    def at(self, kind: str, cells: Cells, *, layer: int = 0, step: int = 0) -> NDArray[np.int64]:
        """Return the rows of ops of `kind`, as `Schedule.rows` does."""
        return self.schedule.rows(kind, cells, layer=layer, step=step)

    def transfers(self) -> NDArray[np.int64]:
        """Return the rows of all moves of tapes and states, in order."""
        moves = [self.schedule.rows(kind, cells) for kind, cells in self.schedule.kinds() if kind in TRANSFERS]
        return np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *moves]))

    def step_of(self, kind: str, cells: Cells) -> NDArray[np.int64]:
        """Return the steps of ops: those forward are numbered by run, moves of states by move, all others by step."""
        _, sample, number = cells
        runs, _, saves, loads, _ = self.way
        if kind == "load_state":
            kind, number = "store_state", loads.save[sample, number]
        if kind == "store_state":
            kind, number = "cell", saves.kept_before[sample, number]
        return runs.step[sample, number] if kind in _BY_RUN else number

    def in_steps(self, cells: Cells) -> Cells:
        """Return the cells of steps at which runs `cells` are."""
        return numbered(cells, self.way.runs.step[cells[1], cells[2]])

    def of_run(self, name: str, cells: Cells) -> NDArray[np.int64]:
        """Return a column of `workloads.lowering.checkpoint.timeline.Runs` for runs."""
        column: NDArray[np.int64] = getattr(self.way.runs, name)[cells[1], cells[2]]
        return column

    def of_step(self, name: str, cells: Cells) -> NDArray[np.int64]:
        """Return a column of `workloads.lowering.checkpoint.timeline.Steps` for steps."""
        column: NDArray[np.int64] = getattr(self.way.steps, name)[cells[1], cells[2]]
        return column

    def phase(self, cells: Cells) -> dict[str, NDArray[np.int64]]:
        """Return the phase of runs: the first forward, later ones forward again."""
        return {"phase": np.where(self.of_run("again", cells) > 0, PHASES.index("RF"), PHASES.index("FP"))}

    def stored_before(self, cells: Cells, stored: NDArray[np.int64], saved: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the later of two stores: of the tape of a run, of a state."""
        of_tape = self.schedule.rows("store_tape", numbered(cells, stored))
        return np.maximum(of_tape, self.schedule.rows("store_state", numbered(cells, saved)))

    def undone(self, cells: Cells) -> NDArray[np.int64]:
        """Return the last op of undoing steps, NO_OP where they are not."""
        return np.maximum(self.at("undo_x", cells), self.at("undo_h", cells))

    def _add_all(self, readout: str, tiles: int) -> None:
        """Enter every op that the training step has."""
        runs, steps, layers = self.way.runs, self.way.steps, len(self._shape.hidden)
        last_step = self._lengths[:, None] - 1
        layer = np.arange(layers)[:, None, None]
        first, last = layer == 0, layer == layers - 1
        ran = np.broadcast_to(runs.step != NONE, (layers, *runs.step.shape))
        returns = bool(self._shape.arithmetic.BLOCKS_H)
        recurrent = ran & (runs.step > 0) & returns
        with_bias = ran if self._shape.arithmetic.BIAS_H else recurrent
        number = np.arange(steps.run.shape[1])
        back = np.broadcast_to(steps.run != NONE, (layers, *steps.run.shape))
        recurrent_back = back & (number > 0) & returns
        with_bias_back = back if self._shape.arithmetic.BIAS_H else recurrent_back
        classified = last & (runs.leaves > 0) & (runs.step == last_step if readout == "last" else True)
        classified_back = back & last & (number == last_step if readout == "last" else True)
        forward, backward = Position(runs.stage, runs.macro, True), Position(steps.stage, steps.macro, False)
        passed_on = (
            ("broadcast_x", ran, forward),
            ("broadcast_h", recurrent, forward),
            ("read_reduce", ran & classified, forward),
            ("resend_x", back, backward),
            ("resend_h", recurrent_back, backward),
            ("reduce_h", recurrent_back, backward),
            ("reduce_x", back & ~first, backward),
        )
        for kind, exists, position in (
            ("load_x", ran & first, forward),
            ("encode_x", ran, forward),
            ("encode_h", recurrent, forward),
            ("matvec_x", ran, forward),
            ("matvec_h", with_bias, forward),
            ("cell", ran, forward),
            ("read", ran & classified, forward),
            ("loss", ran & classified, forward),
            ("read_t", classified_back, backward),
            ("read_outer", classified_back, backward),
            ("cell_backward", back, backward),
            ("matvec_t_h", recurrent_back, backward),
            ("matvec_t_x", back & ~first, backward),  # nobody asks for the gradient of the data
            ("outer_h", with_bias_back, backward),
            ("outer_x", back, backward),
            *(passed_on if tiles > 1 else ()),
        ):
            if exists.any():
                self.schedule.add(kind, exists, position)
        self._add_moves(ran, back)

    def _add_moves(self, ran: NDArray[np.bool_], back: NDArray[np.bool_]) -> None:
        """Enter what keeps, moves, brings back and undoes."""
        (runs, steps, saves, loads, _), layers = self.way, len(ran)
        sample = np.arange(len(runs.step))[:, None]
        sent = (runs.leaves > 0) & (steps.slot[sample, runs.step] != NONE)
        loading = Position(steps.load_stage, steps.load_macro, steps.load_forward, steps.load_order)
        undoing = Position(steps.undo_stage, steps.undo_macro, steps.undo_forward, 3 * steps.undo_order)
        undone = back & (steps.undo_stage != NONE)
        recurrent = undone if self._shape.arithmetic.BIAS_H else undone & (np.arange(steps.run.shape[1]) > 0)
        for kind, exists, position in (
            ("store_tape", ran & sent, Position(runs.stage, runs.macro, True)),
            ("load_tape", back & (steps.load_stage != NONE), loading),
            ("copy_state", ran & (runs.kept != NONE), Position(runs.stage, runs.macro, True, runs.kept)),
            (
                "restore_state",
                ran & ((runs.from_copy != NONE) | (runs.from_load != NONE)),
                Position(runs.stage, runs.macro, True, runs.restored),
            ),
            (
                "store_state",
                np.broadcast_to(saves.slot != NONE, (layers, *saves.slot.shape)),
                Position(saves.stage, saves.macro, saves.forward, saves.order),
            ),
            (
                "load_state",
                np.broadcast_to(loads.save != NONE, (layers, *loads.save.shape)),
                Position(loads.stage, loads.macro, loads.forward, loads.order),
            ),
            ("undo_cell", undone, undoing),
            ("undo_x", undone, undoing._replace(order=3 * steps.undo_order + 1)),
            ("undo_h", recurrent, undoing._replace(order=3 * steps.undo_order + 2)),
        ):
            if exists.any():
                self.schedule.add(kind, exists, position)
