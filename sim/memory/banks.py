"""Banks of the local SRAM with one port: when the lanes may take the words of a matrix that they write back.

Word w of the matrices of a kind, W or dW, is in bank w mod B. The lanes read a word in one cycle and write its new
value `RETURN_CYCLES` = d cycles later (`accel.modes.outer`, `accel.modes.update`), because their pipeline never stops.
A bank with one port cannot read and write in one cycle. The write goes first; the read waits until the bank is free.

Take N words that lie one behind the other. The read of a word falls into the cycle of the write of the word d before
it. These two share a bank only if B divides d. Then the read waits for a cycle, and from there on reads fall together
with writes of the word d - 1 before, which is in another bank unless B = 1. So the N words wait (N - 1) // d cycles if
B divides d, d times as long if B = 1, and else not at all. Skipped columns change which words fall together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cache_policies import within
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.modes import MODES
from deltatrain.accel.program import MODE_NAMES, Program
from deltatrain.accel.tensor import Tensor
from deltatrain.accel.tensor_kind import TensorKind

_RING = 16
"""Cycles that are remembered: a power of two above every mode's `RETURN_CYCLES`."""

_FREE = -1

Words = NDArray[np.int64]


class _Kind(NamedTuple):
    """The banks of the matrices of one kind: which was read in each of the last cycles, and in which cycle that was."""

    banks: NDArray[np.int64]
    cycles: NDArray[np.int64]


_NO_LAW = (
    "local.ports = 1 has no law for an update of one matrix off-chip with the other in local SRAM: give "
    "placement.weights and placement.gradients the same home, or local.ports = 2"
)


def limits(architecture: Architecture, off_chip: Collection[str]) -> list[str]:
    """Return why there is no law for a machine's banks, if `off_chip` has one of W and dW, and the other is local."""
    homes = {"remote" if use in off_chip else architecture.homes[use] for use in ("weights", "gradients")}
    return [_NO_LAW] if architecture.local.ports == 1 and homes == {"local", "remote"} else []


class SinglePortBanks:
    """The banks of W and of dW, with one port each.

    Parameters
    ----------
    program
        What is run.

    Raises
    ------
    ConfigError
        If an op writes back one matrix in local SRAM and another off-chip, for which there is no law.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._count = program.architecture.local.banks
        self._first_words = _first_words(program.tensors)
        self._returns = {name: MODES.load(name).RETURN_CYCLES for name in MODE_NAMES}
        self._kinds = {kind: _Kind(np.full(_RING, _FREE), np.full(_RING, _FREE)) for kind in get_args(TensorKind)}
        _check_homes(program)

    def writes_back(self, op: int) -> bool:
        """Tell whether the lanes return the words of `op`, so that it may have to wait."""
        return bool(self._returns[MODE_NAMES[self._program.ops.mode[op]]])

    def take(self, op: int, cycle: int) -> int:
        """Let the lanes take the words of `op` from `cycle` on; return the cycle after the last."""
        ops = self._program.ops
        start, count = int(ops.list_start[op]), int(ops.count[op])
        if not count:
            return cycle + 1
        columns = self._program.columns[start : start + count].astype(np.int64)
        returns = self._returns[MODE_NAMES[ops.mode[op]]]
        named = [int(ops.tensor[op]), int(ops.second_tensor[op])][: len(returns)]
        matrices = [self._program.tensors[index] for index in named]
        banks = [
            word_addresses(matrix, self._first_words[index], columns) % self._count
            for index, matrix in zip(named, matrices, strict=True)
        ]
        kinds = [self._kinds[matrix.kind] for matrix in matrices]
        if len(matrices) == 1:
            banks, kinds, returns = [*banks, banks[0][:0]], [*kinds, kinds[0]], (*returns, 0)
        free: int = _compiled()(cycle, *banks, *returns, *kinds[0], *kinds[1])
        return free


def word_addresses(matrix: Tensor, first_word: int, columns: NDArray[np.int64]) -> Words:
    """Return the address, in words of its kind, of every word of these columns in the order of taking.

    The matrix begins with `first_word`; compressed columns differ in length.
    """
    words = matrix.column_words[columns]
    return np.repeat(first_word + matrix.first_words[columns], words) + within(words)


def _first_words(tensors: tuple[Tensor, ...]) -> list[int]:
    """Return where each matrix begins among the local ones of its kind, in words."""
    taken = dict.fromkeys(get_args(TensorKind), 0)
    found = []
    for tensor in tensors:
        found.append(taken[tensor.kind])
        taken[tensor.kind] += 0 if tensor.remote else int(tensor.column_words.sum())
    return found


def _check_homes(program: Program) -> None:
    for first, second in set(zip(program.ops.tensor.tolist(), program.ops.second_tensor.tolist(), strict=True)):
        matrices = [program.tensors[index] for index in (first, second) if index >= 0]
        if len({matrix.remote for matrix in matrices}) > 1:
            raise ConfigError(_NO_LAW)


@lru_cache(maxsize=1)
def _compiled() -> Callable[..., Any]:
    """Return `_take`, compiled; numba is imported for machines that need it."""
    from deltatrain.accel.compiling import compiled

    return compiled(_take)


def _take(
    cycle: int,
    banks: Words,
    other_banks: Words,
    returns: int,
    other_returns: int,
    read: Words,
    read_at: Words,
    other_read: Words,
    other_read_at: Words,
) -> int:
    """Return the cycle after the last of the words, of which each is taken together with that of the other matrix.

    `read` and `read_at` hold the bank and the cycle of the last reads, by cycle modulo `_RING`; they are kept up.
    """
    both = len(other_banks) > 0
    for word in range(len(banks)):
        while True:
            slot = (cycle - returns) % _RING
            waits = read_at[slot] == cycle - returns and read[slot] == banks[word]
            if both and not waits:
                slot = (cycle - other_returns) % _RING
                waits = other_read_at[slot] == cycle - other_returns and other_read[slot] == other_banks[word]
            if not waits:
                break
            cycle += 1
        slot = cycle % _RING
        read[slot], read_at[slot] = banks[word], cycle
        if both:
            other_read[slot], other_read_at[slot] = other_banks[word], cycle
        cycle += 1
    return cycle
