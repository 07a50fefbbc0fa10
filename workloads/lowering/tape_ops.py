"""Tapes and states on their way, between local and off-chip memory and within local memory, as ops.

A store waits for what it stores; a load for its store, and for whatever freed room for it last; what fills local memory
otherwise waits for the stores that freed it (`workloads.lowering.checkpoint.timeline`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.program import MODE_NAMES, PHASES, STREAMS
from deltatrain.workloads.lowering.grid import Grid, numbered
from deltatrain.workloads.lowering.op_order import Cells
from deltatrain.workloads.lowering.placement import Placed, Shape
from deltatrain.workloads.lowering.state import State
from deltatrain.workloads.lowering.tape import Tape

__all__ = ["Columns", "Moves", "kind_of"]

Columns = dict[str, Any]
"""Columns of the op table for all ops of one kind: arrays or numbers, and a list of arrays for `depends`."""

_ROOM = ("reversed", "stored", "saved", "restored")
"""What may have freed room, as columns of a timeline's loads name it."""


def kind_of(mode: str, phase: str, stream: str) -> Columns:
    """Return the columns that say what an op is."""
    return {"mode": MODE_NAMES.index(mode), "phase": PHASES.index(phase), "stream": STREAMS.index(stream)}


class Moves:
    """The moves of one training step; a method named after a kind of op gives that kind's columns.

    Parameters
    ----------
    architecture, shape
        The machine and the network.
    placed
        Where everything is.
    tapes
        Sizes of the tapes.
    grid
        The ops.
    """

    def __init__(self, architecture: Architecture, shape: Shape, placed: Placed, tapes: Tape, grid: Grid) -> None:
        self._architecture, self._placed, self._tapes, self._grid = architecture, placed, tapes, grid
        self._state = State(architecture, shape)

    def store_tape(self, cells: Cells) -> Columns:
        """Return stores of the tape of a run."""
        return (
            self._move_tape("store", "FP", cells, self._grid.in_steps(cells))
            | self._grid.phase(cells)
            | {"depends": [self._grid.at("cell", cells)]}
        )

    def load_tape(self, cells: Cells) -> Columns:
        """Return loads of the tape of a step."""
        own = self._grid.at("store_tape", numbered(cells, self._grid.of_step("run", cells)))
        room = [self._grid.of_step(f"load_{name}", cells) for name in _ROOM]
        return self._move_tape("load", "BP", cells, cells) | {"depends": self._after_room(cells, own, room)}

    def _move_tape(self, mode: str, phase: str, cells: Cells, at: Cells) -> Columns:
        """Return a move of the tape of steps `at` of a layer."""
        tape, slot = self._tapes, self._grid.of_step("slot", at)
        return self.transfer(mode, phase, tape.bytes[at], self._placed.tape_address + tape.offset(at[0], slot))

    def copy_state(self, cells: Cells) -> Columns:
        """Return copies of the working state before a run, which keep it."""
        before = self._grid.at("cell", cells, step=-1)
        restored = self._grid.at("restore_state", cells)
        room = self._grid.stored_before(
            cells, self._grid.of_run("kept_stored", cells), self._grid.of_run("kept_saved", cells)
        )
        depends = [np.where(self._grid.of_run("restarts", cells) > 0, restored, before), room]
        return self._copy(cells) | self._grid.phase(cells) | {"depends": depends}

    def restore_state(self, cells: Cells) -> Columns:
        """Return copies of a state kept, which make it the working state."""
        kept = self._grid.at("copy_state", numbered(cells, self._grid.of_run("from_copy", cells)))
        loaded = self._grid.at("load_state", numbered(cells, self._grid.of_run("from_load", cells)))
        undone = self._grid.undone(numbered(cells, self._grid.of_run("undone", cells)))
        return self._copy(cells) | {"depends": [np.maximum(kept, loaded), undone]}

    def _copy(self, cells: Cells) -> Columns:
        return kind_of("copy", "RF", "h") | {
            "count": self._state.bytes[cells[0]],
            "words": self._state.copy_words[cells[0]],
        }

    def store_state(self, cells: Cells) -> Columns:
        """Return stores of a state that was kept."""
        kept = numbered(cells, self._grid.way.saves.kept_before[cells[1], cells[2]])
        return (
            self._state_move("store", cells, cells[2])
            | self._grid.phase(kept)
            | {"depends": [self._grid.at("copy_state", kept)]}
        )

    def load_state(self, cells: Cells) -> Columns:
        """Return loads of a state to where one is kept."""
        loads, at = self._grid.way.loads, (cells[1], cells[2])
        own = self._grid.at("store_state", numbered(cells, loads.save[at]))
        room = [getattr(loads, name)[at] for name in _ROOM]
        return self._state_move("load", cells, loads.save[at]) | {"depends": self._after_room(cells, own, room)}

    def _state_move(self, mode: str, cells: Cells, save: NDArray[np.int64]) -> Columns:
        layer, slot = cells[0], self._grid.way.saves.slot[cells[1], save]
        address = self._placed.state_address + self._state.offset(layer, slot)
        return self.transfer(mode, "RF", self._state.bytes[layer], address)

    def _after_room(
        self, cells: Cells, own: NDArray[np.int64], room: list[NDArray[np.int64]]
    ) -> list[NDArray[np.int64]]:
        """Return what a load waits for: its own store, and whatever freed room for it last; stores are in order."""
        turned, stored, saved, restored = room
        return [
            np.maximum(own, self._grid.stored_before(cells, stored, saved)),
            self._grid.at("outer_x", numbered(cells, turned)),
            self._grid.at("restore_state", numbered(cells, restored)),
        ]

    def transfer(
        self, mode: str, phase: str, size_bytes: NDArray[np.int64] | int, address: NDArray[np.int64]
    ) -> Columns:
        """Return moves of so many bytes from or to an address off-chip."""
        beats = -(-size_bytes // self._architecture.dma.bytes_per_cycle)
        return kind_of(mode, phase, "x") | {"count": size_bytes, "words": beats, "address": address}
