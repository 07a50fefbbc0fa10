"""Lowering: a recorded training step and a described machine become a program."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import cell_backward, cell_forward, loss
from deltatrain.accel.program import NO_OP, PHASES, UNITS, Ops, Program, Stream
from deltatrain.accel.tensor import TensorKind
from deltatrain.accel.tiles import ONE_TILE
from deltatrain.workloads.lowering.barriers import with_barriers
from deltatrain.workloads.lowering.checkpoint.holding import held_over_ops
from deltatrain.workloads.lowering.checkpoint.timeline import batch
from deltatrain.workloads.lowering.exchange import wait_for_room
from deltatrain.workloads.lowering.grid import Grid, numbered
from deltatrain.workloads.lowering.keeping import Checkpointing, Keeping, all_of_it, as_scheduled, input_bytes
from deltatrain.workloads.lowering.lists import Lists, StreamLists, dense_lists, fired_lists
from deltatrain.workloads.lowering.op_order import Cells
from deltatrain.workloads.lowering.placement import Shape, inputs_on_way, matrices, own_most
from deltatrain.workloads.lowering.tape import Tape
from deltatrain.workloads.lowering.tape_ops import Columns, Moves, kind_of
from deltatrain.workloads.trace import RecordedStep


def lower(
    architecture: Architecture,
    shape: Shape,
    step: RecordedStep,
    readout: str,
    checkpointing: Checkpointing | None = None,
) -> Program:
    """Return the program of one training step: forward, backward, weight gradient of every sample, then the update.

    Parameters
    ----------
    architecture
        The machine.
    shape
        The network's sizes.
    step
        What fired.
    readout
        "last" or "every": which steps are classified.
    checkpointing
        What of each sample is kept and what is run again; if left out everything is kept, where the machine places it.

    Raises
    ------
    FitError
        If something does not fit the memory it must live in.
    """
    lists = fired_lists(step, shape, architecture.engine, architecture.tiles.count)
    return _lowered(architecture, shape, lists, readout, checkpointing)


def lower_dense(
    architecture: Architecture,
    shape: Shape,
    lengths: NDArray[np.int64],
    readout: str,
    checkpointing: Checkpointing | None = None,
) -> Program:
    """Return the program of the same training step on the same machine with every column worked through."""
    lists = dense_lists(lengths, shape, architecture.engine, architecture.tiles.count)
    return _lowered(architecture, shape, lists, readout, checkpointing)


def _lowered(
    architecture: Architecture, shape: Shape, lists: Lists, readout: str, checkpointing: Checkpointing | None
) -> Program:
    keeping = (
        all_of_it(architecture, shape, lists, readout)
        if checkpointing is None
        else as_scheduled(architecture, shape, lists, readout, checkpointing)
    )
    return _Lowering(architecture, shape, lists, readout, keeping).program()


class _Lowering:
    """One lowering under way. A method named after a kind of op gives that kind's columns of the op table."""

    def __init__(self, architecture: Architecture, shape: Shape, lists: Lists, readout: str, keeping: Keeping) -> None:
        self._architecture = architecture
        self._shape = shape
        self._lists = lists
        self._tiles = architecture.tiles.count
        self._matrices = matrices(shape, architecture)
        self._of_all_tiles = matrices(shape, architecture.model_copy(update={"tiles": ONE_TILE}))
        self._keeping, self._placed = keeping, keeping.placed
        self._grid = Grid(shape, batch(keeping.samples), lists.lengths, readout, self._tiles)
        self._moves = Moves(architecture, shape, keeping.placed, Tape(architecture, shape, lists), self._grid)

    def program(self) -> Program:
        """Return the program."""
        table = Ops.blank(self._grid.schedule.size + len(self._matrices))
        for kind, cells in self._grid.schedule.kinds():
            verb, _, stream = kind.rpartition("_")
            method = getattr(self, f"_{kind}", None) or getattr(self._moves, kind, None)
            columns = method(cells) if method else getattr(self, f"_{verb}")(cells, stream)
            self._enter(table, self._grid.schedule.rows(kind, cells), kind, cells, columns)
        self._enter_updates(table)
        wait_for_room(table)
        placed, ops = self._placed, Ops(**table)
        program = Program(
            *(self._architecture, ops, placed.tensors, self._lists.columns, placed.local_bytes, placed.remote_bytes),
            kept_bytes=self._held(),
        )
        return program if self._architecture.checkpoint.overlap else self._blocking(program)

    def _held(self) -> NDArray[np.int64]:
        def row_of(kind: str, layer: NDArray[np.int64], sample: int, number: NDArray[np.int64]) -> NDArray[np.int64]:
            cells = layer, np.full_like(layer, sample), number
            return self._grid.undone(cells) if kind == "undo" else self._grid.schedule.rows(kind, cells)

        return held_over_ops(self._keeping.samples, self._keeping.sizes, row_of)

    def _blocking(self, program: Program) -> Program:
        """Return `program` with every move of a tape or state a barrier."""
        depends = with_barriers(program.ops.depends, program.unit, len(UNITS), self._grid.transfers())
        return replace(program, ops=replace(program.ops, depends=depends))

    def _enter(
        self, table: dict[str, NDArray[np.signedinteger]], rows: NDArray[np.int64], kind: str, cells: Cells, c: Columns
    ) -> None:
        table["layer"][rows], table["sample"][rows] = cells[:2]
        table["step"][rows] = self._grid.step_of(kind, cells)
        for place_in_row, dependency in enumerate(c.pop("depends", [])):
            table["depends"][rows, place_in_row] = dependency
        for name, values in c.items():
            table[name][rows] = values

    def _at(self, kind: str, cells: Cells, *, layer: int = 0, step: int = 0) -> NDArray[np.int64]:
        return self._grid.at(kind, cells, layer=layer, step=step)

    # --- input and encoder

    def _load_x(self, cells: Cells) -> Columns:
        lengths = self._lists.lengths
        before = np.cumsum(lengths) - lengths
        number = before[cells[1]] + self._grid.of_run("step", cells)
        address = self._placed.input_address + number * input_bytes(self._architecture, self._shape)
        # Others may be on their way, of the next sample too, while one is in use.
        rooms = 1 + inputs_on_way(self._architecture)
        used = np.full(len(number), NO_OP)
        used[rooms:] = self._at("encode_x", cells)[:-rooms]
        size_bytes = input_bytes(self._architecture, self._shape)
        return self._moves.transfer("load", "FP", size_bytes, address) | self._grid.phase(cells) | {"depends": [used]}

    def _encode(self, cells: Cells, stream: Stream) -> Columns:
        lists, at = self._streams(stream), self._grid.in_steps(cells)
        restored = self._at("restore_state", cells)
        if stream == "x":
            kept = np.maximum(restored, self._at("copy_state", cells))
            made = [self._at("load_x", cells), self._at("cell", cells, layer=-1)]  # one or the other
            before = [*made, kept]
            if not self._shape.arithmetic.BLOCKS_H:
                before = [np.maximum(*made), kept, self._without_recurrence("cell", cells, -2)]
        else:
            restarts = self._grid.of_run("restarts", cells) > 0
            before = [np.where(restarts, restored, self._at("cell", cells, step=-1))]
        return (
            kind_of(self._shape.arithmetic.ENCODER, "FP", stream)
            | self._grid.phase(cells)
            | {
                "count": _gather(lists, "asked", at),
                "words": _gather(lists, "scan_cycles", at),
                "rows": _by_layer(cells, [one.width for one in lists]),
                "depends": before,
            }
        )

    # --- matrix products of the layers

    def _matvec(self, cells: Cells, stream: Stream) -> Columns:
        listed = self._at(f"{'broadcast' if self._tiles > 1 else 'encode'}_{stream}", cells)
        columns = self._with_columns("matvec", "FP", self._grid.in_steps(cells), stream)
        return columns | self._grid.phase(cells) | {"depends": [listed], "list_from": listed}

    def _outer(self, cells: Cells, stream: Stream) -> Columns:
        return self._with_columns("outer", "WG", cells, stream) | {
            # Lanes do not pass dW on from one op to the next: what it reads must have been written.
            "depends": [
                self._at("cell_backward", cells),
                self._at(f"outer_{stream}", cells, step=1),
                self._at(f"resend_{stream}", cells),
            ],
            "list_from": self._list_from(cells, stream),
        }

    def _matvec_t(self, cells: Cells, stream: Stream) -> Columns:
        lists = self._streams(stream)
        return self._matrix("matvec_t", "BP", cells, stream) | {
            "count": _gather(lists, "asked", cells),  # the bias column has no gradient to give
            "list_start": _gather(lists, "asked_start", cells),
            "dense_count": _by_layer(cells, [one.width for one in lists]),
            "depends": [self._at("cell_backward", cells), self._at(f"resend_{stream}", cells)],
            "list_from": self._list_from(cells, stream),
        }

    def _with_columns(self, mode: str, phase: str, cells: Cells, stream: Stream) -> Columns:
        step = np.arange(self._lists.x[0].fired.shape[1])
        lists = self._streams(stream)
        count = np.stack([one.columns(step) for one in lists])
        dense = np.stack([one.dense_columns(step, recurrent=stream == "h") + 0 * one.fired for one in lists])
        return self._matrix(mode, phase, cells, stream) | {"count": count[cells], "dense_count": dense[cells]}

    def _matrix(self, mode: str, phase: str, cells: Cells, stream: Stream) -> Columns:
        keys = [(stream, layer) for layer in range(len(self._shape.hidden))]
        kind: TensorKind = "gradients" if mode == "outer" else "weights"
        return kind_of(mode, phase, stream) | {
            "words": _by_layer(cells, [self._matrices[key].words for key in keys]),
            "other_words": _by_layer(cells, [self._beside(key)["other_words"] for key in keys]),
            "rows": _by_layer(cells, [self._matrices[key].rows for key in keys]),
            "tensor": _by_layer(cells, [self._placed.index(kind, *key) for key in keys]),
            "list_start": _gather(self._streams(stream), "start", cells),
        }

    def _list_from(self, cells: Cells, stream: Stream) -> NDArray[np.int64]:
        """Return after which op the lanes have the list of the backward pass: when it was sent to all tiles again."""
        resent = self._at(f"resend_{stream}", cells)
        return np.where(resent == NO_OP, self._kept(cells, stream), resent)

    def _kept(self, cells: Cells, stream: Stream) -> NDArray[np.int64]:
        """Return after which op a tile has the list that it made: its load, or its making if it stayed local."""
        loaded = self._at("load_tape", cells)
        made = self._at(f"encode_{stream}", numbered(cells, self._grid.of_step("run", cells)))
        return np.where(loaded == NO_OP, made, loaded)

    def _beside(self, key: tuple[Stream, int]) -> Columns:
        """Return what tiles other than the one that has most add to the words and columns of a matrix."""
        own, every = self._matrices[key], self._of_all_tiles[key]
        return {"other_words": every.words - own.words, "other_count": every.columns - own.columns}

    # --- the exchange between tiles

    def _broadcast(self, cells: Cells, stream: Stream) -> Columns:
        sent = self._send("FP", self._grid.in_steps(cells), stream, "fired")
        return sent | self._grid.phase(cells) | {"depends": [self._at(f"encode_{stream}", cells)]}

    def _resend(self, cells: Cells, stream: Stream) -> Columns:
        return self._send("BP", cells, stream, "asked") | {"depends": [self._kept(cells, stream)]}

    def _send(self, phase: str, cells: Cells, stream: str, entries: str) -> Columns:
        count = _gather(self._streams(stream), entries, cells)
        return self._exchange("broadcast", phase, stream, count, self._lists.entry_bytes)

    def _reduce(self, cells: Cells, stream: Stream) -> Columns:
        count = _gather(self._streams(stream), "asked", cells)
        sum_bytes = self._architecture.engine.formats.backward_sum.bytes
        return self._exchange("reduce", "BP", stream, count, sum_bytes) | {
            "depends": [self._at(f"matvec_t_{stream}", cells)]
        }

    def _read_reduce(self, cells: Cells) -> Columns:
        sum_bytes = self._architecture.engine.formats.memory.bytes
        return self._exchange("reduce", "FP", "readout", self._shape.classes, sum_bytes) | {
            "depends": [self._at("read", cells)]
        }

    def _exchange(self, mode: str, phase: str, stream: str, count: NDArray[np.int64] | int, item_bytes: int) -> Columns:
        beats = self._architecture.tiles.beats(item_bytes)
        return kind_of(mode, phase, stream) | {"count": count, "words": beats, "rows": self._tiles}

    # --- element-wise gates

    def _cell(self, cells: Cells) -> Columns:
        stored = self._grid.stored_before(cells, self._grid.of_run("stored", cells), self._grid.of_run("saved", cells))
        room = np.where(self._grid.of_run("leaves", cells) > 0, stored, NO_OP)
        before = np.maximum(self._at("matvec_h", cells), self._without_recurrence("cell", cells, -1))
        return (
            self._cell_forward(cells)
            | self._grid.phase(cells)
            | {"depends": [self._at("matvec_x", cells), before, room]}
        )

    def _cell_forward(self, cells: Cells) -> Columns:
        arithmetic = self._shape.arithmetic
        slots = cell_forward.neuron_slots(arithmetic)
        read = arithmetic.ACCUMULATORS + len(arithmetic.STATE)
        return self._elementwise("cell_forward", "FP", cells, slots, arithmetic.FORWARD_MULTIPLIES, read)

    def _cell_backward(self, cells: Cells) -> Columns:
        multiplies, read = self._shape.arithmetic.BACKWARD_MULTIPLIES, len(self._shape.arithmetic.TAPE)
        summed = "reduce" if self._tiles > 1 else "matvec_t"
        above = np.maximum(self._at("read_t", cells), self._at(f"{summed}_x", cells, layer=1))
        made = np.maximum(self._at("load_tape", cells), self._at("undo_cell", cells))
        slots = cell_backward.neuron_slots(self._shape.arithmetic)
        return self._elementwise("cell_backward", "BP", cells, slots, multiplies, read) | {
            "depends": [
                # what comes from above follows the weight gradients of two steps later, so one place holds either
                np.maximum(above, self._without_recurrence("outer_x", cells, 2)),
                np.maximum(self._at(f"{summed}_h", cells, step=1), self._without_recurrence("cell_backward", cells, 1)),
                made,
            ]
        }

    def _without_recurrence(self, kind: str, cells: Cells, step: int) -> NDArray[np.int64]:
        """Return the rows of `kind` so many steps away in a layer whose own spikes hold nothing back, else NO_OP.

        Where a recurrent product waits for the gates, no bank of M, g(M) or the lists is written too early; without one
        the ops that would run ahead wait for what frees their bank.
        """
        none = np.full(len(cells[0]), NO_OP, dtype=np.int64)
        return none if self._shape.arithmetic.BLOCKS_H else self._at(kind, cells, step=step)

    def _elementwise(self, mode: str, phase: str, cells: Cells, slots: int, multiplies: int, read: int) -> Columns:
        width = _by_layer(cells, list(self._shape.hidden))
        own = _by_layer(cells, [own_most(self._architecture, width) for width in self._shape.hidden])
        chunks = -(-own // self._architecture.engine.elementwise_lanes)
        return kind_of(mode, phase, "h") | {"count": multiplies * width, "words": slots * chunks, "rows": read * width}

    # --- steps undone: M[t-1] = M[t] - W delta[t], after the gates of step t were made again from M[t]

    def _undo_cell(self, cells: Cells) -> Columns:
        freed = self._at("outer_x", numbered(cells, self._grid.of_step("undo_reversed", cells)))
        depends = [self._grid.undone(numbered(cells, cells[2] + 1)), freed]
        return self._cell_forward(cells) | {"phase": PHASES.index("RF"), "depends": depends}

    def _undo(self, cells: Cells, stream: Stream) -> Columns:
        made = self._at(f"encode_{stream}", numbered(cells, self._grid.of_step("run", cells)))
        return self._with_columns("matvec", "RF", cells, stream) | {
            "depends": [self._at("undo_cell", cells)],
            "list_from": made,
        }

    # --- read-out and update

    def _read(self, cells: Cells) -> Columns:
        return self._readout("matvec", "FP", 1) | {"depends": [self._at("cell", cells)]}

    def _loss(self, cells: Cells) -> Columns:
        return kind_of("loss", "BP", "readout") | {
            "count": self._shape.classes,
            "other_count": self._shape.classes * (self._tiles - 1),  # every tile computes it for itself
            "words": loss.class_cycles(self._architecture.engine.formats),
            "depends": [self._at("read_reduce" if self._tiles > 1 else "read", cells)],
        }

    def _read_t(self, cells: Cells) -> Columns:
        return self._readout("matvec_t", "BP", 0) | {"depends": [self._loss_of(cells)]}

    def _read_outer(self, cells: Cells) -> Columns:
        return self._readout("outer", "WG", 1) | {"depends": [self._loss_of(cells)]}

    def _loss_of(self, cells: Cells) -> NDArray[np.int64]:
        return self._at("loss", numbered(cells, self._grid.of_step("run", cells)))

    def _readout(self, mode: str, phase: str, bias: int) -> Columns:
        """Return an op on the read-out, which is dense: its h is what the step ends with, not a delta."""
        key: tuple[Stream, int] = ("readout", len(self._shape.hidden) - 1)
        rows, words, columns = self._matrices[key]
        return kind_of(mode, phase, "readout") | {
            "count": columns - 1 + bias,
            "dense_count": self._shape.hidden[-1] + bias,
            **self._beside(key),
            "words": words,
            "rows": rows,
            "tensor": self._placed.index("gradients" if mode == "outer" else "weights", *key),
        }

    def _enter_updates(self, table: dict[str, NDArray[np.signedinteger]]) -> None:
        """Enter one update for each matrix behind everything else, each after the last op on its gradient."""
        for row, (key, (rows, words, columns)) in enumerate(self._matrices.items(), self._grid.schedule.size):
            gradient = self._placed.index("gradients", *key)
            on_it = np.flatnonzero(table["tensor"][:row] == gradient)
            values = kind_of("update", "WU", key[0]) | {
                "count": columns,
                "dense_count": self._of_all_tiles[key].columns,
                **self._beside(key),
                "words": words,
                "rows": rows,
                "tensor": self._placed.index("weights", *key),
                "second_tensor": gradient,
            }
            for column, value in values.items():
                table[column][row] = value
            table["depends"][row, 0] = on_it[-1] if len(on_it) else NO_OP

    def _streams(self, stream: str) -> tuple[StreamLists, ...]:
        return self._lists.x if stream == "x" else self._lists.h


def _gather(lists: tuple[StreamLists, ...], name: str, cells: Cells) -> NDArray[np.int64]:
    """Return the values called `name` of the lists at `cells`."""
    values: NDArray[np.int64] = np.stack([getattr(one, name) for one in lists])[cells]
    return values


def _by_layer(cells: Cells, values: list[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)[cells[0]]
