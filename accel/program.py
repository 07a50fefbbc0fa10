"""Program: what a machine is told to do, as a table of ops in the order in which each unit takes its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import MODES
from deltatrain.accel.work import Work

UNITS = ("encoder", "engine", "elementwise", "exchange", "load", "store")
TILE_UNITS = tuple(name for name in UNITS if name != "exchange")
"""Units of a machine of one tile."""

ENGINE = UNITS.index("engine")
"""The unit of the matrix modes, as `Program.unit` tells it."""

PHASES = ("FP", "RF", "BP", "WG", "WU")
STREAMS = ("x", "h", "readout")
MODE_NAMES = MODES.names()
"""Mode m of the op table is MODE_NAMES[m]."""

MOST_DEPENDENCIES = 3
"""Of an op; where transfers are barriers (`workloads.lowering.barriers`) there are more."""

NO_OP = -1
NO_TENSOR = -1


class Tensor(NamedTuple):
    """A matrix with a home.

    Attributes
    ----------
    name
        What it is, such as ``W_x[0]`` or ``dW_h[1]``.
    remote
        Whether it lives in off-chip memory; its columns are then fetched, and written back, as contiguous bursts.
    address
        First byte in its memory.
    columns, words
        Columns, and words in each; of the read-out, whose columns are shared out, those of the tile that has most.
    word_bytes
        Bytes of one word: of P entries in each tile that has a part of a column.
    """

    name: str
    remote: bool
    address: int
    columns: int
    words: int
    word_bytes: int

    @property
    def bytes(self) -> int:
        """Bytes of the whole matrix."""
        return self.columns * self.words * self.word_bytes


@dataclass(frozen=True, eq=False)
class Ops:
    """The op table: one row for each op, every column an array of shape (N,), `depends` of shape (N, D).

    Attributes
    ----------
    mode, phase, stream
        Indices into MODE_NAMES, PHASES, STREAMS.
    layer, step, sample
        Where in the training step the op belongs.
    count, words
        What the mode's law is reckoned from, of the tile that has most to do: fired columns and words a column for the
        engine's modes; see each mode's file for the others.
    other_count, other_words
        What the other tiles add to `count` and to `words`; 0 with one tile.
    rows
        Matrix rows, or what a mode's work asks for in their place; of all tiles.
    dense_count
        `total_count` if every delta had fired (matrix ops; 0 for the others).
    tensor, second_tensor
        The matrices whose columns the op reads (and, for `outer` and `update`, writes), or NO_TENSOR.
    list_start
        Where the op's column indices begin in `Program.columns`.
    address
        First remote byte of a `load` or `store`.
    depends
        Ops whose results the op needs, NO_OP where there are fewer than D, which is `MOST_DEPENDENCIES` or more.
    list_from
        The op after which the op's list of columns is known, so that fetching may begin; NO_OP if it always is.
    """

    mode: NDArray[np.int8]
    phase: NDArray[np.int8]
    stream: NDArray[np.int8]
    layer: NDArray[np.int16]
    step: NDArray[np.int32]
    sample: NDArray[np.int32]
    count: NDArray[np.int64]
    words: NDArray[np.int64]
    other_count: NDArray[np.int64]
    other_words: NDArray[np.int64]
    rows: NDArray[np.int64]
    dense_count: NDArray[np.int64]
    tensor: NDArray[np.int16]
    second_tensor: NDArray[np.int16]
    list_start: NDArray[np.int64]
    address: NDArray[np.int64]
    depends: NDArray[np.int64]
    list_from: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.mode)

    @property
    def total_count(self) -> NDArray[np.int64]:
        """`count` over all tiles."""
        return self.count + self.other_count

    @property
    def total_words(self) -> NDArray[np.int64]:
        """`words` over all tiles that have a part of the column."""
        return self.words + self.other_words

    @staticmethod
    def blank(size: int) -> dict[str, NDArray[np.signedinteger]]:
        """Return the columns of a table of `size` ops that name no tensor and depend on nothing, to be filled."""
        columns: dict[str, NDArray[np.signedinteger]] = {
            name: np.zeros(size, dtype=dtype) for name, dtype in _COLUMN_TYPES.items()
        }
        columns["tensor"] += NO_TENSOR
        columns["second_tensor"] += NO_TENSOR
        columns["list_from"] += NO_OP
        columns["depends"] = np.full((size, MOST_DEPENDENCIES), NO_OP, dtype=np.int64)
        return columns


_COLUMN_TYPES: dict[str, type[np.signedinteger]] = {
    "mode": np.int8,
    "phase": np.int8,
    "stream": np.int8,
    "layer": np.int16,
    "step": np.int32,
    "sample": np.int32,
    "count": np.int64,
    "words": np.int64,
    "other_count": np.int64,
    "other_words": np.int64,
    "rows": np.int64,
    "dense_count": np.int64,
    "tensor": np.int16,
    "second_tensor": np.int16,
    "list_start": np.int64,
    "address": np.int64,
    "list_from": np.int64,
}


@dataclass(frozen=True, eq=False)
class Program:
    """Ops, the matrices they work on and the lists of columns they work through.

    Attributes
    ----------
    architecture
        The machine it was made for.
    ops
        The op table. An op depends on earlier rows only, so units that take their ops in table order cannot deadlock.
    tensors
        What `Ops.tensor` points at.
    columns
        Concatenated column indices; op i works through columns[list_start[i] : list_start[i] + count[i]].
    local_bytes
        What the program keeps in local SRAM, by use; of several tiles in the one that keeps most.
    remote_bytes
        What it keeps in off-chip memory, by use.
    held
        How local SRAM fills with tapes and states: rows of ops, in order, and the bytes held once each is done, shape
        (M, 2). Empty where the tape lives off-chip, whose buffer never changes.
    """

    architecture: Architecture
    ops: Ops
    tensors: tuple[Tensor, ...]
    columns: NDArray[np.int32]
    local_bytes: dict[str, int]
    remote_bytes: dict[str, int]
    held: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64), kw_only=True)

    def without(self, mode: str) -> Program:
        """Return the program without its ops of `mode`, which must be behind all others."""
        kept = self.ops.mode != MODE_NAMES.index(mode)
        rows = int(kept.sum())
        assert kept[:rows].all(), f"ops of mode {mode} must be last, because rows are referred to by number"
        ops = Ops(**{name: getattr(self.ops, name)[:rows] for name in Ops.blank(0)})
        return replace(self, ops=ops)

    @property
    def units(self) -> tuple[str, ...]:
        """Names of the units of the machine."""
        return UNITS if self.architecture.tiles.count > 1 else TILE_UNITS

    @cached_property
    def unit(self) -> NDArray[np.int8]:
        """The unit of each op, an index into UNITS."""
        unit_of_mode = np.array([UNITS.index(MODES.load(name).UNIT) for name in MODE_NAMES], dtype=np.int8)
        return unit_of_mode[self.ops.mode]

    def spans(self, tensor: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first word and the words of each column of a tensor, shapes (C,)."""
        matrix = self.tensors[tensor]
        return np.arange(matrix.columns) * matrix.words, np.full(matrix.columns, matrix.words)

    @cached_property
    def issue_cycles(self) -> NDArray[np.int64]:
        """Cycles of each op by its mode's law, without waiting for anything."""
        ops, cycles = self.ops, np.zeros(len(self.ops), dtype=np.int64)
        for code, name in enumerate(MODE_NAMES):
            chosen = ops.mode == code
            cycles[chosen] = MODES.load(name).issue_cycles(ops.count[chosen], ops.words[chosen])
        return cycles

    @cached_property
    def drain_cycles(self) -> NDArray[np.int64]:
        """Cycles from the end of each op's issue until its result may be used."""
        engine, tiles = self.architecture.engine, self.architecture.tiles
        of_mode = np.zeros(len(MODE_NAMES), dtype=np.int64)
        for code, name in enumerate(MODE_NAMES):
            of_mode[code] = MODES.load(name).drain_cycles(engine, tiles)
        return of_mode[self.ops.mode]

    @cached_property
    def column_bytes(self) -> NDArray[np.int64]:
        """Bytes that each op fetches from off-chip memory for each of its columns."""
        of_tensor = [tensor.words * tensor.word_bytes if tensor.remote else 0 for tensor in self.tensors]
        bytes_of = np.array([*of_tensor, 0], dtype=np.int64)  # index NO_TENSOR = -1 is the last entry
        fetched: NDArray[np.int64] = bytes_of[self.ops.tensor] + bytes_of[self.ops.second_tensor]
        return fetched

    @cached_property
    def remote_read_bytes(self) -> NDArray[np.int64]:
        """Bytes that each op asks of off-chip memory."""
        loads = self.ops.mode == MODE_NAMES.index("load")
        return np.where(loads, self.ops.count, self.ops.count * self.column_bytes)

    @cached_property
    def remote_write_bytes(self) -> NDArray[np.int64]:
        """Bytes that each op hands to off-chip memory."""
        writes_back = np.array([MODES.load(name).WRITES_BACK for name in MODE_NAMES])
        stores = self.ops.mode == MODE_NAMES.index("store")
        back = self.ops.count * self.column_bytes * writes_back[self.ops.mode]
        return np.where(stores, self.ops.count, back)

    @property
    def asked_bytes(self) -> int:
        """Bytes that the whole program asks of off-chip memory, both ways."""
        return int(self.remote_read_bytes.sum() + self.remote_write_bytes.sum())

    def work(self, chosen: NDArray[np.bool_]) -> dict[str, int]:
        """Return the summed actions of the ops where `chosen`, by name of `accel.work.Work`."""
        ops, totals = self.ops, dict.fromkeys(Work._fields, 0)
        for code, mode in enumerate(MODE_NAMES):
            rows = np.flatnonzero(chosen & (ops.mode == code))
            if len(rows) == 0:
                continue
            law = MODES.load(mode).work
            actions = law(ops.total_count[rows], ops.total_words[rows], ops.rows[rows], self.architecture.engine)
            for name, counts in zip(Work._fields, actions, strict=True):
                totals[name] += int(np.sum(counts))
        return totals
