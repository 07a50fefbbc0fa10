"""A program on matrices whose columns are compressed, so that they differ in length.

The modes are those of whole columns over fewer words: an op that works through columns of K_j words issues as long as
one whole column of sum(K_j) words does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.modes import MODES
from deltatrain.accel.program import MODE_NAMES, NO_TENSOR, Program
from deltatrain.accel.work import Work


class CompressedColumns(NamedTuple):
    """The columns of one matrix.

    Attributes
    ----------
    words, weights
        Words of each column and weights in it, shape (C,).
    number_bytes
        Bytes of a word that tell where its entries belong; `accel.program.Tensor.word_bytes` counts them in.
    """

    words: NDArray[np.int64]
    weights: NDArray[np.int64]
    number_bytes: int


@dataclass(frozen=True, eq=False)
class SparseProgram(Program):
    """A program whose matrices are all compressed.

    Attributes
    ----------
    compressed
        The columns of each of `tensors`.
    """

    compressed: tuple[CompressedColumns, ...] = ()

    def spans(self, tensor: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first word and the words of each column of a tensor: one behind the other."""
        words = self.compressed[tensor].words
        return np.cumsum(words) - words, words

    @cached_property
    def list_words(self) -> NDArray[np.int64]:
        """Words of the columns that each op works through, 0 for ops without a matrix."""
        return self._over_lists([columns.words for columns in self.compressed])

    @cached_property
    def issue_cycles(self) -> NDArray[np.int64]:
        """Cycles of each op by its mode's law, without waiting for anything."""
        cycles = super().issue_cycles.copy()
        for code, rows in self._matrix_ops(np.ones(len(self.ops), np.bool_)):
            law = MODES.load(MODE_NAMES[code]).issue_cycles
            cycles[rows] = law(self.list_words[rows], np.ones(len(rows), np.int64))
        return cycles

    @cached_property
    def remote_read_bytes(self) -> NDArray[np.int64]:
        """Bytes that each op asks of off-chip memory."""
        whole = super().remote_read_bytes
        return np.where(self.ops.tensor == NO_TENSOR, whole, self.list_words * self._remote_word_bytes)

    @cached_property
    def remote_write_bytes(self) -> NDArray[np.int64]:
        """Bytes that each op hands to off-chip memory."""
        whole = super().remote_write_bytes
        return np.where((self.ops.tensor == NO_TENSOR) | (whole == 0), whole, self.remote_read_bytes)

    def work(self, chosen: NDArray[np.bool_]) -> dict[str, int]:
        """Return the summed actions of the ops where `chosen`, by name of `accel.work.Work`."""
        ops = self.ops
        totals = super().work(chosen & (ops.tensor == NO_TENSOR))
        macs = self._over_lists([columns.weights for columns in self.compressed])
        numbers = np.array([*(columns.number_bytes for columns in self.compressed), 0], dtype=np.int64)
        for code, rows in self._matrix_ops(chosen):
            count = ops.count[rows]
            mean_words: NDArray[Any] = self.list_words[rows] / np.maximum(count, 1)
            law = MODES.load(MODE_NAMES[code]).work
            actions = Work(*law(count, mean_words, ops.rows[rows], self.architecture.engine))
            of_numbers = self.list_words[rows] * (numbers[ops.tensor[rows]] + numbers[ops.second_tensor[rows]])
            actions = actions._replace(macs=macs[rows], local_read_bytes=actions.local_read_bytes + of_numbers)
            for field, counts in zip(Work._fields, actions, strict=True):
                totals[field] += round(float(np.sum(counts)))
        return totals

    @cached_property
    def _remote_word_bytes(self) -> NDArray[np.int64]:
        """Bytes of a word of all matrices in off-chip memory that an op reads."""
        of_tensor = [tensor.word_bytes if tensor.remote else 0 for tensor in self.tensors]
        bytes_of = np.array([*of_tensor, 0], dtype=np.int64)  # index NO_TENSOR = -1 is the last entry
        together: NDArray[np.int64] = bytes_of[self.ops.tensor] + bytes_of[self.ops.second_tensor]
        return together

    def _matrix_ops(self, chosen: NDArray[np.bool_]) -> list[tuple[int, NDArray[np.int64]]]:
        """Return the rows of chosen ops that work on a matrix, by mode."""
        matrix = chosen & (self.ops.tensor != NO_TENSOR)
        found = [(code, np.flatnonzero(matrix & (self.ops.mode == code))) for code in range(len(MODE_NAMES))]
        return [(code, rows) for code, rows in found if len(rows)]

    def _over_lists(self, of_columns: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Return the sum of a tensor's `of_columns` over the list of each op, 0 for ops without a matrix."""
        ops, sums = self.ops, np.zeros(len(self.ops), dtype=np.int64)
        for tensor, values in enumerate(of_columns):
            rows = np.flatnonzero(ops.tensor == tensor)
            known = np.append(values, 0)[np.minimum(self.columns, len(values))]  # other tensors' lists may be wider
            running = np.concatenate([[0], np.cumsum(known)])
            start = ops.list_start[rows]
            sums[rows] = running[start + ops.count[rows]] - running[start]
        return sums
