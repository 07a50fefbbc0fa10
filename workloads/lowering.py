"""Lowering: a recorded training step and a described machine become a program."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel.architecture import Architecture
from accel.modes import gates_backward, gates_forward, loss
from accel.program import MODE_NAMES, NO_OP, PHASES, STREAMS, Ops, Program
from workloads.lists import Lists, StreamLists, dense_lists, fired_lists
from workloads.placement import Demand, Shape, matrices, place
from workloads.schedule import Cells, Schedule
from workloads.tape import Tape
from workloads.trace import RecordedStep

Columns = dict[str, Any]
"""Columns of the op table for all ops of one kind: arrays or numbers, and a list of arrays for `depends`."""


def lower(architecture: Architecture, shape: Shape, step: RecordedStep, readout: str) -> Program:
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

    Raises
    ------
    FitError
        If something does not fit the memory it must live in.
    """
    return _Lowering(architecture, shape, fired_lists(step, shape, architecture.engine), readout).program()


def lower_dense(architecture: Architecture, shape: Shape, lengths: NDArray[np.int64], readout: str) -> Program:
    """Return the program of the same training step on the same machine with every column worked through."""
    return _Lowering(architecture, shape, dense_lists(lengths, shape, architecture.engine), readout).program()


class _Lowering:
    """One lowering under way. A method named after a kind of op gives that kind's columns of the op table."""

    def __init__(self, architecture: Architecture, shape: Shape, lists: Lists, readout: str) -> None:
        self._architecture = architecture
        self._shape = shape
        self._lists = lists
        self._matrices = matrices(shape, architecture)
        self._tape_of_steps = Tape(architecture, shape, lists)
        self._placed = place(architecture, shape, self._demand(readout))
        self._schedule = self._kinds(readout)
        self._schedule.rank()

    def program(self) -> Program:
        """Return the program."""
        table = Ops.blank(self._schedule.size + len(self._matrices))
        for kind, cells in self._schedule.kinds():
            verb, _, stream = kind.rpartition("_")
            method = getattr(self, f"_{kind}", None)
            columns = method(cells) if method else getattr(self, f"_{verb}")(cells, stream)
            self._enter(table, self._schedule.rows(kind, cells), cells, columns)
        self._enter_updates(table)
        placed = self._placed
        ops = Ops(**table)
        return Program(
            self._architecture, ops, placed.tensors, self._lists.columns, placed.local_bytes, placed.remote_bytes
        )

    def _demand(self, readout: str) -> Demand:
        tape = self._tape_of_steps
        readouts = 1 if readout == "last" else int(self._lists.lengths.max(initial=0))
        return Demand(
            inputs=int(self._lists.lengths.sum()) * self._input_bytes,
            tape=tape.local_bytes,
            tape_slots=tape.remote_bytes,
            tape_buffer=tape.buffer_bytes,
            loss=readouts * self._shape.classes * self._architecture.engine.formats.gradient.bytes,
            read=(readouts - 1) * self._shape.hidden[-1] * self._architecture.engine.formats.activation.bytes,
        )

    @property
    def _input_bytes(self) -> int:
        """Bytes of an input vector, padded to whole words so that each begins at one."""
        engine = self._architecture.engine
        return -(-self._shape.inputs[0] // engine.lanes) * engine.lanes * engine.formats.activation.bytes

    def _kinds(self, readout: str) -> Schedule:
        """Return the schedule with every op that this training step has."""
        lengths, layers = self._lists.lengths, len(self._shape.hidden)
        step = np.arange(int(lengths.max(initial=0)))
        steps = np.broadcast_to(step < lengths[:, None], (layers, len(lengths), len(step)))
        first = np.arange(layers)[:, None, None] == 0
        last = np.arange(layers)[:, None, None] == layers - 1
        read = steps & last & (step == lengths[:, None] - 1 if readout == "last" else True)
        recurrent = steps & (step > 0) & bool(self._shape.gates.BLOCKS_H)
        with_bias = steps if self._shape.gates.BIAS_H else recurrent
        schedule = Schedule(layers, lengths)
        for kind, exists in {
            "load_x": steps & first,
            "encode_x": steps,
            "encode_h": recurrent,
            "matvec_x": steps,
            "matvec_h": with_bias,
            "gates": steps,
            "read": read,
            "loss": read,
            "read_t": read,
            "read_outer": read,
            "gates_backward": steps,
            "matvec_t_h": recurrent,
            "matvec_t_x": steps & ~first,  # nobody asks for the gradient of the data
            "outer_h": with_bias,
            "outer_x": steps,
        }.items():
            if exists.any():
                schedule.add(kind, exists)
        if self._placed.tape_remote:
            schedule.add("store_tape", steps)
            schedule.add("load_tape", steps)
        return schedule

    @staticmethod
    def _enter(table: dict[str, NDArray[np.signedinteger]], rows: NDArray[np.int64], cells: Cells, c: Columns) -> None:
        table["layer"][rows], table["sample"][rows], table["step"][rows] = cells
        for place_in_row, dependency in enumerate(c.pop("depends", [])):
            table["depends"][rows, place_in_row] = dependency
        for name, values in c.items():
            table[name][rows] = values

    def _at(self, kind: str, cells: Cells, *, layer: int = 0, step: int = 0) -> NDArray[np.int64]:
        return self._schedule.rows(kind, cells, layer=layer, step=step)

    # --- input and encoder

    def _load_x(self, cells: Cells) -> Columns:
        lengths = self._lists.lengths
        before = np.cumsum(lengths) - lengths
        number = before[cells[1]] + cells[2]
        address = self._placed.input_address + number * self._input_bytes
        # Two vectors may be on their way, of the next sample too, while a third is in use.
        order = np.argsort(number)
        third_last = np.full(len(order), NO_OP)
        third_last[order[3:]] = self._at("encode_x", cells)[order[:-3]]
        return self._transfer("load", "FP", self._input_bytes, address) | {"depends": [third_last]}

    def _encode(self, cells: Cells, stream: str) -> Columns:
        lists = self._streams(stream)
        before = (
            [
                self._at("load_x", cells),
                self._at("gates", cells, layer=-1),
                self._without_recurrence("gates", cells, -2),
            ]
            if stream == "x"
            else [self._at("gates", cells, step=-1)]
        )
        return _kind(self._shape.gates.ENCODER, "FP", stream) | {
            "count": _gather(lists, "asked", cells),
            "words": _gather(lists, "scan_cycles", cells),
            "rows": _by_layer(cells, [one.width for one in lists]),
            "depends": before,
        }

    # --- matrix products of the layers

    def _matvec(self, cells: Cells, stream: str) -> Columns:
        listed = self._at(f"encode_{stream}", cells)
        return self._with_columns("matvec", "FP", cells, stream) | {"depends": [listed], "list_from": listed}

    def _outer(self, cells: Cells, stream: str) -> Columns:
        return self._with_columns("outer", "WG", cells, stream) | {
            # Lanes do not pass dW on from one op to the next: what it reads must have been written.
            "depends": [self._at("gates_backward", cells), self._at(f"outer_{stream}", cells, step=1)],
            "list_from": self._list_from(cells, stream),
        }

    def _matvec_t(self, cells: Cells, stream: str) -> Columns:
        lists = self._streams(stream)
        return self._matrix("matvec_t", "BP", cells, stream) | {
            "count": _gather(lists, "asked", cells),  # the bias column has no gradient to give
            "list_start": _gather(lists, "asked_start", cells),
            "dense_count": _by_layer(cells, [one.width for one in lists]),
            "depends": [self._at("gates_backward", cells)],
            "list_from": self._list_from(cells, stream),
        }

    def _with_columns(self, mode: str, phase: str, cells: Cells, stream: str) -> Columns:
        step = np.arange(self._lists.x[0].fired.shape[1])
        lists = self._streams(stream)
        count = np.stack([one.columns(step) for one in lists])
        dense = np.stack([one.dense_columns(step, recurrent=stream == "h") + 0 * one.fired for one in lists])
        return self._matrix(mode, phase, cells, stream) | {"count": count[cells], "dense_count": dense[cells]}

    def _matrix(self, mode: str, phase: str, cells: Cells, stream: str) -> Columns:
        names = [f"W_{stream}[{layer}]" for layer in range(len(self._shape.hidden))]
        gradient = "d" if mode == "outer" else ""
        return _kind(mode, phase, stream) | {
            "words": _by_layer(cells, [self._matrices[name][1] for name in names]),
            "rows": _by_layer(cells, [self._matrices[name][0] for name in names]),
            "tensor": _by_layer(cells, [self._placed.index(gradient + name) for name in names]),
            "list_start": _gather(self._streams(stream), "start", cells),
        }

    def _list_from(self, cells: Cells, stream: str) -> NDArray[np.int64]:
        """Return after which op the backward pass has the list: its load, or its making if it stayed local."""
        loaded = self._at("load_tape", cells)
        return np.where(loaded == NO_OP, self._at(f"encode_{stream}", cells), loaded)

    # --- element-wise gates and the tape

    def _gates(self, cells: Cells) -> Columns:
        gates = self._shape.gates
        slots = gates_forward.neuron_slots(gates)
        read = gates.ACCUMULATORS + len(gates.STATE)
        return self._elementwise("gates_forward", "FP", cells, slots, gates.FORWARD_MULTIPLIES, read) | {
            "depends": [
                self._at("matvec_x", cells),
                # where nothing comes back, the state alone ties a step to the one before
                np.maximum(self._at("matvec_h", cells), self._at("gates", cells, step=-1)),
                self._at("store_tape", cells, step=-2),  # the buffer holds two steps
            ]
        }

    def _gates_backward(self, cells: Cells) -> Columns:
        multiplies, read = self._shape.gates.BACKWARD_MULTIPLIES, len(self._shape.gates.TAPE)
        above = np.maximum(self._at("read_t", cells), self._at("matvec_t_x", cells, layer=1))
        slots = gates_backward.neuron_slots(self._shape.gates)
        later = np.maximum(self._at("matvec_t_h", cells, step=1), self._at("gates_backward", cells, step=1))
        return self._elementwise("gates_backward", "BP", cells, slots, multiplies, read) | {
            "depends": [
                above,
                later,
                # a load follows the same weight gradient, so one place holds either
                np.maximum(self._at("load_tape", cells), self._without_recurrence("outer_x", cells, 2)),
            ]
        }

    def _without_recurrence(self, kind: str, cells: Cells, step: int) -> NDArray[np.int64]:
        """Return the rows of `kind` so many steps away in a layer whose own spikes hold nothing back, else NO_OP.

        Where a recurrent product waits for the gates, no bank of M, g(M) or the lists is written too early; without one
        the ops that would run ahead wait for what frees their bank.
        """
        none = np.full(len(cells[0]), NO_OP, dtype=np.int64)
        return none if self._shape.gates.BLOCKS_H else self._at(kind, cells, step=step)

    def _elementwise(self, mode: str, phase: str, cells: Cells, slots: int, multiplies: int, read: int) -> Columns:
        width = _by_layer(cells, list(self._shape.hidden))
        chunks = -(-width // self._architecture.engine.elementwise_lanes)
        return _kind(mode, phase, "h") | {"count": multiplies * width, "words": slots * chunks, "rows": read * width}

    def _store_tape(self, cells: Cells) -> Columns:
        return self._tape("store", "FP", cells) | {"depends": [self._at("gates", cells)]}

    def _load_tape(self, cells: Cells) -> Columns:
        return self._tape("load", "BP", cells) | {
            "depends": [self._at("store_tape", cells), self._at("outer_x", cells, step=2)]
        }

    def _tape(self, mode: str, phase: str, cells: Cells) -> Columns:
        """Return a move of one step's tape of one layer."""
        tape, (layer, _, step) = self._tape_of_steps, cells
        return self._transfer(mode, phase, tape.bytes[cells], self._placed.tape_address + tape.offset(layer, step))

    def _transfer(
        self, mode: str, phase: str, size_bytes: NDArray[np.int64] | int, address: NDArray[np.int64]
    ) -> Columns:
        beats = -(-size_bytes // self._architecture.dma.bytes_per_cycle)
        return _kind(mode, phase, "x") | {"count": size_bytes, "words": beats, "address": address}

    # --- read-out and update

    def _read(self, cells: Cells) -> Columns:
        return self._readout("matvec", "FP", 1) | {"depends": [self._at("gates", cells)]}

    def _loss(self, cells: Cells) -> Columns:
        return _kind("loss", "BP", "readout") | {
            "count": self._shape.classes,
            "words": loss.class_cycles(self._architecture.engine.formats),
            "depends": [self._at("read", cells)],
        }

    def _read_t(self, cells: Cells) -> Columns:
        return self._readout("matvec_t", "BP", 0) | {"depends": [self._at("loss", cells)]}

    def _read_outer(self, cells: Cells) -> Columns:
        return self._readout("outer", "WG", 1) | {"depends": [self._at("loss", cells)]}

    def _readout(self, mode: str, phase: str, bias: int) -> Columns:
        """Return an op on the read-out, which is dense: its h is what the step ends with, not a delta."""
        rows, words, _ = self._matrices["W_readout"]
        columns = self._shape.hidden[-1] + bias
        return _kind(mode, phase, "readout") | {
            "count": columns,
            "dense_count": columns,
            "words": words,
            "rows": rows,
            "tensor": self._placed.index("dW_readout" if mode == "outer" else "W_readout"),
        }

    def _enter_updates(self, table: dict[str, NDArray[np.signedinteger]]) -> None:
        """Enter one update for each matrix behind everything else, each after the last op on its gradient."""
        for row, (name, (rows, words, columns)) in enumerate(self._matrices.items(), self._schedule.size):
            gradient = self._placed.index("d" + name)
            on_it = np.flatnonzero(table["tensor"][:row] == gradient)
            values = _kind("update", "WU", "readout" if "readout" in name else name[2]) | {
                "count": columns,
                "dense_count": columns,
                "words": words,
                "rows": rows,
                "tensor": self._placed.index(name),
                "second_tensor": gradient,
            }
            for column, value in values.items():
                table[column][row] = value
            table["depends"][row, 0] = on_it[-1] if len(on_it) else NO_OP

    def _streams(self, stream: str) -> tuple[StreamLists, ...]:
        return self._lists.x if stream == "x" else self._lists.h


def _kind(mode: str, phase: str, stream: str) -> Columns:
    return {"mode": MODE_NAMES.index(mode), "phase": PHASES.index(phase), "stream": STREAMS.index(stream)}


def _gather(lists: tuple[StreamLists, ...], name: str, cells: Cells) -> NDArray[np.int64]:
    """Return the values called `name` of the lists at `cells`."""
    values: NDArray[np.int64] = np.stack([getattr(one, name) for one in lists])[cells]
    return values


def _by_layer(cells: Cells, values: list[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)[cells[0]]
