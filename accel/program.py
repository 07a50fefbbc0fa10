"""Program: what a machine is told to do, as a table of ops in the order in which each unit takes its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.column_cache import CachedRuns, CacheShape, cached_runs, passes_by
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
from deltatrain.accel.op_work import OpWork
from deltatrain.accel.tensor import CompressedColumns, Tensor

__all__ = [
    "CACHE",
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


CACHE = "column cache"
"""What the room of the column cache is called in `Program.local_bytes`."""


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
    times
        How many ops alike each row stands for, shape (N,): laws that add up ops need each of them once. 1 in a program
        that can be run; where it is more, nothing waits for anything and no list is there.
    touched_bytes
        How many different bytes of off-chip memory the ops read or write; None where their lists tell it.
    """

    architecture: Architecture
    ops: Ops
    tensors: tuple[Tensor, ...]
    columns: NDArray[np.int32]
    local_bytes: dict[str, int]
    remote_bytes: dict[str, int]
    kept_bytes: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64), kw_only=True)
    times: NDArray[np.int64] | int = field(default=1, kw_only=True)
    touched_bytes: int | None = field(default=None, kw_only=True)

    def without(self, mode: str) -> Program:
        """Return the program without its ops of `mode`, which must be behind all others."""
        kept = ~self.ops.is_mode(mode)
        rows = int(kept.sum())
        assert kept[:rows].all(), f"ops of mode {mode} must be last, because rows are referred to by number"
        ops = Ops(**{name: getattr(self.ops, name)[:rows] for name in Ops.blank(0)})
        return replace(self, ops=ops)

    def until(self, mode: str) -> Program:
        """Return the program up to its last op of `mode`, whose ops depend on none behind it."""
        rows = 1 + int(np.flatnonzero(self.ops.is_mode(mode))[-1])
        ops = Ops(**{name: getattr(self.ops, name)[:rows] for name in Ops.blank(0)})
        return replace(self, ops=ops)

    @property
    def units(self) -> tuple[str, ...]:
        """Names of the units of the machine."""
        return UNITS if self.architecture.tiles.count > 1 else TILE_UNITS

    @cached_property
    def own(self) -> OpWork:
        """What the ops take and do wherever matrices live."""
        compressed = tuple((i, tensor.compressed) for i, tensor in enumerate(self.tensors) if tensor.compressed)
        machine = self.architecture.engine, self.architecture.tiles
        return OpWork(self.ops, *machine, compressed, self.columns, self.times)

    def elsewhere(
        self,
        architecture: Architecture,
        tensors: tuple[Tensor, ...],
        local_bytes: dict[str, int],
        remote_bytes: dict[str, int],
        touched_bytes: int,
    ) -> Program:
        """Return the same ops on a machine with the same engine and tiles, and its matrices at these places."""
        other = replace(
            self,
            architecture=architecture,
            tensors=tensors,
            local_bytes=local_bytes,
            remote_bytes=remote_bytes,
            touched_bytes=touched_bytes,
        )
        other.__dict__["own"] = self.own  # found once for all of them
        return other

    @property
    def unit(self) -> NDArray[np.int8]:
        """The unit of each op, an index into UNITS."""
        return self.own.unit

    @property
    def writes_back(self) -> NDArray[np.bool_]:
        """Whether each op writes the columns that it reads."""
        return self.own.writes_back

    @property
    def list_words(self) -> NDArray[np.int64]:
        """Words of the columns that each op works through in the tile with the longest columns; 0 without a matrix."""
        return self.own.list_words

    @property
    def issue_cycles(self) -> NDArray[np.int64]:
        """Cycles of each op by its mode's law, without waiting for anything."""
        return self.own.issue_cycles

    @property
    def drain_cycles(self) -> NDArray[np.int64]:
        """Cycles from the end of each op's issue until its result may be used."""
        return self.own.drain_cycles

    def work(self, chosen: NDArray[np.bool_]) -> dict[str, int]:
        """Return the summed actions of the ops where `chosen`, by name of `accel.work.Work`."""
        return self.own.work(chosen)

    def total(self, of_rows: NDArray[Any]) -> int:
        """Return the sum of a whole number of each op, shape (N,) by rows, over all ops."""
        return self.own.total(of_rows)

    def is_unit(self, *names: Unit) -> NDArray[np.bool_]:
        """Return which ops one of these units runs, shape (N,)."""
        return np.isin(self.unit, [UNITS.index(name) for name in names])

    @cached_property
    def remote_matrices(self) -> list[tuple[int, ...]]:
        """The numbers of the matrices in off-chip memory that each op reads; ops that read the same share one tuple."""
        base = len(self.tensors) + 1  # NO_TENSOR = -1 is a digit too
        first, second = self.ops.tensor.astype(np.int64) + 1, self.ops.second_tensor + 1
        codes, where = np.unique(first * base + second, return_inverse=True)
        pairs = [(code // base - 1, code % base - 1) for code in codes.tolist()]
        remote = [tuple(index for index in pair if index >= 0 and self.tensors[index].remote) for pair in pairs]
        return [remote[number] for number in where.tolist()]

    @cached_property
    def remote_word_bytes(self) -> NDArray[np.int64]:
        """Bytes of a word of all matrices in off-chip memory that each op reads; 0 if it reads none there."""
        of_tensor = [tensor.word_bytes if tensor.remote else 0 for tensor in self.tensors]
        bytes_of = np.array([*of_tensor, 0], dtype=np.int64)  # index NO_TENSOR = -1 is the last entry
        together: NDArray[np.int64] = bytes_of[self.ops.tensor] + bytes_of[self.ops.second_tensor]
        return together

    @cached_property
    def cache(self) -> CacheShape | None:
        """The column cache, if there is one and any of it has room (`local_bytes`)."""
        described, sets = self.architecture.column_cache, self.architecture.cache_sets(self.local_bytes.get(CACHE, 0))
        if described is None or not sets:
            return None
        return CacheShape(sets, described.ways, self.architecture.tiles.count * described.line_bytes)

    @cached_property
    def cached_runs(self) -> CachedRuns | None:
        """What becomes of every run of columns that is looked up in the cache, if there is one."""
        if self.cache is None or self.architecture.column_cache is None:
            return None
        cache = self.cache, self.architecture.column_cache.policy
        return cached_runs(self.ops, self.tensors, self.columns, self.list_words, cache)

    @cached_property
    def is_cached(self) -> NDArray[np.bool_]:
        """Which ops look their columns up in the cache, shape (N,)."""
        return (self.remote_word_bytes > 0) & ~passes_by(self.ops) & (self.cache is not None)

    @property
    def streamed_bytes(self) -> NDArray[np.int64]:
        """Bytes of the columns off-chip that each op works through, wherever they come from."""
        return self.own.fetched_words * self.remote_word_bytes

    @cached_property
    def remote_read_bytes(self) -> NDArray[np.int64]:
        """Bytes that each op asks of off-chip memory."""
        found = np.where(self.ops.is_mode("load"), self.ops.count, self.streamed_bytes)
        return found if self.cached_runs is None else np.where(self.is_cached, self.cached_runs.missed_bytes(), found)

    @cached_property
    def remote_write_bytes(self) -> NDArray[np.int64]:
        """Bytes that each op hands to off-chip memory, those of lines that go out of the cache in it among them."""
        found = np.where(self.ops.is_mode("store"), self.ops.count, self.streamed_bytes * self.writes_back)
        if self.cached_runs is None:
            return found
        return np.where(self.is_cached, 0, found) + self.cached_runs.out_bytes()

    def with_cache(self, actions: dict[str, int], chosen: NDArray[np.bool_]) -> dict[str, int]:
        """Return actions of ops, by name of `accel.work.Work`, with what their columns move in the cache's memory."""
        if self.cached_runs is None:
            return actions
        moved = self.cached_runs.moved_bytes(self.writes_back)
        names = "local_read_bytes", "local_write_bytes"
        return actions | {
            name: actions[name] + int(of_op[chosen].sum()) for name, of_op in zip(names, moved, strict=True)
        }

    @cached_property
    def read_bytes(self) -> int:
        """Bytes that the whole program asks of off-chip memory."""
        return self.total(self.remote_read_bytes)

    @cached_property
    def write_bytes(self) -> int:
        """Bytes that it hands to off-chip memory."""
        return self.total(self.remote_write_bytes)

    @property
    def asked_bytes(self) -> int:
        """Bytes that it asks of off-chip memory, both ways."""
        return self.read_bytes + self.write_bytes
