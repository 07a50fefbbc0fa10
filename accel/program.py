"""Program: what a machine is told to do, as a table of ops in the order in which each unit takes its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import MODES
from deltatrain.accel.op_table import (
    ENGINE,
    MODE_NAMES,
    MOST_DEPENDENCIES,
    NO_OP,
    NO_TENSOR,
    PHASES,
    STREAMS,
    TILE_UNITS,
    UNITS,
    Ops,
    Phase,
    Stream,
    Unit,
)
from deltatrain.accel.tensor import CompressedColumns, Tensor
from deltatrain.accel.work import Work

__all__ = [
    "ENGINE",
    "MODE_NAMES",
    "MOST_DEPENDENCIES",
    "NO_OP",
    "NO_TENSOR",
    "PHASES",
    "STREAMS",
    "TILE_UNITS",
    "UNITS",
    "CompressedColumns",
    "Ops",
    "Phase",
    "Program",
    "Stream",
    "Tensor",
    "Unit",
]


@dataclass(frozen=True, eq=False)
class Program:
    """Ops, the matrices they work on and the lists of columns they work through.

    A matrix's columns are whole or compressed (`accel.tensor.Tensor.compressed`). An op takes the same time on columns
    of K_1, K_2, ... words as on one column of as many words as all of them have.

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
    kept_bytes
        How local SRAM fills with tapes and states: rows of ops, in order, and the bytes kept once each is done, shape
        (M, 2). Empty where the tape lives off-chip, whose buffer never changes.
    """

    architecture: Architecture
    ops: Ops
    tensors: tuple[Tensor, ...]
    columns: NDArray[np.int32]
    local_bytes: dict[str, int]
    remote_bytes: dict[str, int]
    kept_bytes: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64), kw_only=True)

    def without(self, mode: str) -> Program:
        """Return the program without its ops of `mode`, which must be behind all others."""
        kept = ~self.ops.is_mode(mode)
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

    def is_unit(self, *names: Unit) -> NDArray[np.bool_]:
        """Return which ops one of these units runs, shape (N,)."""
        return np.isin(self.unit, [UNITS.index(name) for name in names])

    @cached_property
    def writes_back(self) -> NDArray[np.bool_]:
        """Whether each op writes the columns that it reads."""
        of_mode = np.array([getattr(MODES.load(name), "WRITES_BACK", False) for name in MODE_NAMES])
        return of_mode[self.ops.mode]

    @cached_property
    def list_words(self) -> NDArray[np.int64]:
        """Words of the columns that each op works through in the tile with the longest columns; 0 without a matrix."""
        ops = self.ops
        words = np.where(ops.tensor == NO_TENSOR, 0, ops.count * ops.words)
        for number, columns in self._compressed:
            rows = np.flatnonzero(ops.tensor == number)
            words[rows] = self._over_lists(columns.words, rows)
        return words

    @cached_property
    def issue_cycles(self) -> NDArray[np.int64]:
        """Cycles of each op by its mode's law, without waiting for anything."""
        ops, cycles = self.ops, np.zeros(len(self.ops), dtype=np.int64)
        matrix = ops.tensor != NO_TENSOR
        count, words = np.where(matrix, self.list_words, ops.count), np.where(matrix, 1, ops.words)
        for code, name in enumerate(MODE_NAMES):
            chosen = ops.mode == code
            cycles[chosen] = MODES.load(name).issue_cycles(count[chosen], words[chosen])
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
    def remote_matrices(self) -> list[tuple[int, ...]]:
        """The numbers of the matrices in off-chip memory that each op reads."""
        pairs = zip(self.ops.tensor.tolist(), self.ops.second_tensor.tolist(), strict=True)
        return [tuple(index for index in pair if index >= 0 and self.tensors[index].remote) for pair in pairs]

    @cached_property
    def remote_word_bytes(self) -> NDArray[np.int64]:
        """Bytes of a word of all matrices in off-chip memory that each op reads; 0 if it reads none there."""
        of_tensor = [tensor.word_bytes if tensor.remote else 0 for tensor in self.tensors]
        bytes_of = np.array([*of_tensor, 0], dtype=np.int64)  # index NO_TENSOR = -1 is the last entry
        together: NDArray[np.int64] = bytes_of[self.ops.tensor] + bytes_of[self.ops.second_tensor]
        return together

    @cached_property
    def remote_read_bytes(self) -> NDArray[np.int64]:
        """Bytes that each op asks of off-chip memory."""
        return np.where(self.ops.is_mode("load"), self.ops.count, self.list_words * self.remote_word_bytes)

    @cached_property
    def remote_write_bytes(self) -> NDArray[np.int64]:
        """Bytes that each op hands to off-chip memory."""
        return np.where(self.ops.is_mode("store"), self.ops.count, self.remote_read_bytes * self.writes_back)

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
            law, engine = MODES.load(mode).work, self.architecture.engine
            actions = Work(*law(ops.total_count[rows], self._mean_words[rows], ops.rows[rows], engine))
            actions = actions._replace(local_write_bytes=actions.local_write_bytes + ops.written_bytes[rows])
            if self._compressed:
                actions = self._of_existing_weights(actions, rows)
            for name, counts in zip(Work._fields, actions, strict=True):
                totals[name] += round(np.sum(counts).item())
        return totals

    @cached_property
    def _compressed(self) -> list[tuple[int, CompressedColumns]]:
        """The tensors with compressed columns, by number."""
        return [(i, tensor.compressed) for i, tensor in enumerate(self.tensors) if tensor.compressed is not None]

    @cached_property
    def _mean_words(self) -> NDArray[Any]:
        """Words of a column of all tiles; of compressed columns, which one tile has, the mean over the op's list."""
        words: NDArray[Any] = self.ops.total_words
        for number, _ in self._compressed:
            words = np.where(self.ops.tensor == number, self.list_words / np.maximum(self.ops.count, 1), words)
        return words

    def _of_existing_weights(self, actions: Work, rows: NDArray[np.int64]) -> Work:
        """Return the actions of ops `rows`, of which a law of whole columns made `actions`, on compressed columns.

        Weights that do not exist are not multiplied. Each word is read with the numbers that place its entries.
        """
        ops, macs = self.ops, np.broadcast_to(actions.macs, len(rows)).copy()
        number_bytes = np.zeros(len(self.tensors) + 1, dtype=np.int64)  # index NO_TENSOR = -1 is the last entry
        for number, columns in self._compressed:
            of_tensor = np.flatnonzero(ops.tensor[rows] == number)
            macs[of_tensor] = self._over_lists(columns.weights, rows[of_tensor])
            number_bytes[number] = columns.number_bytes
        of_word = number_bytes[ops.tensor[rows]] + number_bytes[ops.second_tensor[rows]]
        read_bytes = actions.local_read_bytes + self.list_words[rows] * of_word
        return actions._replace(macs=macs, local_read_bytes=read_bytes)

    def _over_lists(self, of_column: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the sum of `of_column`, a value for each column of a matrix, over the lists of ops on it."""
        known = np.append(of_column, 0)[np.minimum(self.columns, len(of_column))]  # other lists may be wider
        running = np.concatenate([[0], np.cumsum(known)])
        start = self.ops.list_start[rows]
        sums: NDArray[np.int64] = running[start + self.ops.count[rows]] - running[start]
        return sums
