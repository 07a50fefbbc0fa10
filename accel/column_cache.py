"""What a column cache does in a program: which runs of columns it has, and which lines go out of it.

Tags are looked up in the order in which the fetch works through the ops, ahead of the lanes, and nothing else changes
them. So what hits depends on the program alone, never on time. An op that reads one matrix looks each of its runs up;
one that is not there takes a line, whatever the op does. An op on W and dW together, the update, passes the cache by:
all lines are given up before it, and those that were written go out.

A line is *dirty* from the first op on that writes it. A dirty line *goes out* when another takes its place.

The cycles that are told here are those of the gates (`rtl.off_chip.tags`, `rtl.off_chip.cached_words`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.cache_policies import POLICIES, Uses, within
from deltatrain.accel.modes import MODES
from deltatrain.accel.op_table import MODE_NAMES, NO_TENSOR, PHASES, Ops
from deltatrain.accel.tensor import Tensor

if TYPE_CHECKING:  # what is compiled brings numba, which takes its time
    from deltatrain.accel.cache_lookups import Found

Integers = NDArray[np.int64]

LOOKUP_CYCLES = 5
"""From the cycle in which the list of an op is there to that in which its first run can be asked for: to divide the
number of the run by that of the sets, to read the set, to keep it, to compare, and to reckon the room it will hold."""

HIT_CYCLES = 4
"""From the cycle in which a run is found, or asked for, to the first in which its first word can be taken: to queue it,
to find the word's place, to address it, and to read it."""

RETURN_CYCLES = 4
"""From the cycle in which the lanes take a word to that in which it is written to the cache: what they need for a new
word of dW, and no less for a word that came from memory, so that never two are written at once."""

MOST_SINCE = RETURN_CYCLES + 1
"""How many lookups ago a line may have been written so that one that reads it has to wait: each takes a cycle."""

NOTHING = -1


class CacheShape(NamedTuple):
    """The lines of a cache, in all tiles together."""

    sets: int
    ways: int
    line_bytes: int


class Lines(NamedTuple):
    """The runs of all columns of all matrices off-chip, numbered through; each can be in a line of the cache.

    Attributes
    ----------
    first_word, words
        Of each run, counted in its matrix, shape (R,).
    address, size_bytes
        Where it lies off-chip, shape (R,).
    first, runs
        First run and runs of each column of each matrix, shape (C,): of all matrices, one behind the other.
    first_column
        For each matrix, where its columns begin in these.
    """

    first_word: Integers
    words: Integers
    address: Integers
    size_bytes: Integers
    first: Integers
    runs: Integers
    first_column: Integers

    @classmethod
    def of(cls, tensors: tuple[Tensor, ...], line_bytes: int) -> Lines:
        """Return the runs of matrices in lines of so many bytes; of matrices that are not off-chip there are none."""
        most = np.concatenate([np.full(tensor.columns, max(1, line_bytes // tensor.word_bytes)) for tensor in tensors])
        words = np.concatenate([tensor.column_words * tensor.remote for tensor in tensors])
        begin = np.concatenate([tensor.first_words for tensor in tensors])
        runs = -(-words // most)
        number, column = within(runs), np.repeat(np.arange(len(runs)), runs)
        first_word = begin[column] + number * most[column]
        of_run = np.minimum(most[column], words[column] - number * most[column])
        widths = [tensor.columns for tensor in tensors]
        word_bytes = np.repeat([tensor.word_bytes for tensor in tensors], widths)[column]
        address = np.repeat([tensor.address for tensor in tensors], widths)[column] + first_word * word_bytes
        first_column = np.cumsum([0, *widths])[:-1]
        return cls(first_word, of_run, address, of_run * word_bytes, np.cumsum(runs) - runs, runs, first_column)


class CachedRuns(NamedTuple):
    """The runs of all ops that are looked up, in the order of the fetch.

    Attributes
    ----------
    start
        Where those of each op begin, and where the last ones end, shape (N + 1,).
    line
        Which run of `Lines` it is, shape (M,).
    hit
        Whether it is there, shape (M,).
    out
        Which dirty line goes out for it; `NOTHING` if none does, shape (M,).
    behind
        How many lines must have gone out before it may be asked for, because one of them may be the same run: all that
        went out of its set, shape (M,).
    since
        If it reads its line, to take words or to let them go out, how many lookups ago that was written last, lines
        that go out before an op counted in; 0 if that is too long ago to matter, shape (M,).
    flushed
        By op, before which they go out: the dirty lines, in the order of sets and ways.
    flushed_since
        `since` of these.
    scanned
        By the same ops: how many sets without a dirty line the fetch goes through before each of these, a cycle each,
        and before the first column.
    gone
        By the same ops: how many lines must have gone out before any of its columns may be asked for.
    times
        How many times the lanes take each word of it, one after the other, shape (M,).
    lines
        What their numbers mean.
    """

    start: Integers
    line: Integers
    times: Integers
    hit: NDArray[np.bool_]
    out: Integers
    behind: Integers
    since: Integers
    flushed: dict[int, list[int]]
    flushed_since: dict[int, list[int]]
    scanned: dict[int, list[int]]
    gone: dict[int, int]
    lines: Lines

    @property
    def op(self) -> Integers:
        """The op of each run, shape (M,)."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))

    def pieces(self) -> Integers:
        """Return how many runs each op looks up, and lines that go out before it, shape (N,)."""
        found = np.diff(self.start)
        for op, lines in self.flushed.items():
            found[op] += len(lines)
        return found

    def counted(self, phase: NDArray[np.int8]) -> NDArray[np.int64]:
        """Return hits, misses and lines that went out, by phase, shape (phases, 3); `phase` is that of each op."""
        of_run = phase[self.op]
        hits, misses, outs = (
            np.bincount(of_run[chosen], minlength=len(PHASES)) for chosen in (self.hit, ~self.hit, self.out != NOTHING)
        )
        for op, lines in self.flushed.items():
            outs[phase[op]] += len(lines)
        return np.stack([hits, misses, outs], axis=1)

    def moved_bytes(self, writes_back: NDArray[np.bool_]) -> tuple[Integers, Integers]:
        """Return the bytes that each op reads from the cache's memory and writes there, beside its law's, shape (N,).

        The law of a mode counts the words that the lanes take, and those that they give back. Beside these a line that
        goes out is read, and words that came from memory and that the op does not write are written.
        """
        return self.out_bytes(), self.missed_bytes() * ~writes_back

    def missed_bytes(self) -> Integers:
        """Return the bytes that each op reads off-chip because they are not there, shape (N,)."""
        return self._over_ops(self.lines.size_bytes[self.line] * ~self.hit)

    def out_bytes(self) -> Integers:
        """Return the bytes that go out in each op, shape (N,)."""
        found = self._over_ops(np.append(self.lines.size_bytes, 0)[self.out])
        for op, lines in self.flushed.items():
            found[op] += self.lines.size_bytes[lines].sum()
        return found

    def _over_ops(self, of_run: Integers) -> Integers:
        running = np.concatenate([[0], np.cumsum(of_run)])
        sums: Integers = running[self.start[1:]] - running[self.start[:-1]]
        return sums


def passes_by(ops: Ops) -> NDArray[np.bool_]:
    """Return which ops pass the cache by, shape (N,): those on two matrices."""
    found: NDArray[np.bool_] = ops.second_tensor != NO_TENSOR
    return found


def cached_runs(
    ops: Ops,
    tensors: tuple[Tensor, ...],
    columns: NDArray[np.int32],
    list_words: Integers,
    cache: tuple[CacheShape, str],
) -> CachedRuns:
    """Return what becomes of every run of every op on a matrix off-chip.

    Parameters
    ----------
    ops, tensors, columns, list_words
        Of the program (`accel.program.Program`).
    cache
        The lines and the policy (`accel.cache.Cache`).
    """
    from deltatrain.accel.cache_lookups import FLUSH, Asked, looked_up

    shape, policy = cache
    lines = Lines.of(tensors, shape.line_bytes)
    remote = np.array([*(tensor.remote for tensor in tensors), False])  # index NO_TENSOR = -1 is the last entry
    cached = remote[ops.tensor] & ~passes_by(ops)
    flushing = passes_by(ops) & (list_words > 0) & (remote[ops.tensor] | remote[ops.second_tensor])
    uses = _uses(ops, columns, lines, np.flatnonzero(cached))
    rank = POLICIES[policy](ops, columns, uses)
    start = np.searchsorted(uses.op, np.arange(len(ops) + 1))
    written = np.array([getattr(MODES.load(name), "WRITES_BACK", False) for name in MODE_NAMES])[ops.mode]
    rows = np.flatnonzero(cached | flushing)
    begins, ends = np.where(flushing, FLUSH, start[:-1])[rows], start[1:][rows]
    found = looked_up(Asked(begins, ends, written[rows], uses.line, rank), len(lines.words), shape[:2], MOST_SINCE)
    return CachedRuns(
        start,
        uses.line,
        uses.times,
        hit=found.hit,
        out=found.out,
        behind=found.behind,
        since=found.since,
        **_flushes(found, rows, flushing[rows], shape.sets),
        lines=lines,
    )


def _flushes(found: Found, rows: Integers, flushing: NDArray[np.bool_], sets: int) -> dict[str, Any]:
    """Return `flushed`, `flushed_since`, `scanned` and `gone` of `CachedRuns`."""
    flushed: dict[int, list[int]] = {}
    since: dict[int, list[int]] = {}
    scanned: dict[int, list[int]] = {}
    gone: dict[int, int] = {}
    begin = 0
    for number in np.flatnonzero(flushing).tolist():
        op, end = int(rows[number]), int(found.flushed_end[number])
        flushed[op], since[op] = found.flushed[begin:end].tolist(), found.flushed_since[begin:end].tolist()
        past = sets if found.touched[number] else 0
        of_lines = np.array([-1, *(line % sets for line in flushed[op]), past])
        scanned[op] = np.maximum(np.diff(of_lines) - 1, 0).tolist()
        gone[op], begin = int(found.gone[number]), end
    return {"flushed": flushed, "flushed_since": since, "scanned": scanned, "gone": gone}


def _uses(ops: Ops, columns: NDArray[np.int32], lines: Lines, rows: Integers) -> Uses:
    """Return the runs that ops look up, of the columns in their lists; one that follows itself is looked up once."""
    counts = ops.count[rows]
    listed = columns[np.repeat(ops.list_start[rows], counts) + within(counts)].astype(np.int64)
    op = np.repeat(rows, counts)
    first = np.flatnonzero((np.diff(listed, prepend=-1) != 0) | (np.diff(op, prepend=-1) != 0))
    times, listed, op = np.diff(np.append(first, len(op))), listed[first], op[first]
    column = lines.first_column[ops.tensor[op]] + listed
    runs = lines.runs[column]
    line = np.repeat(lines.first[column], runs) + within(runs)
    return Uses(line, *(np.repeat(each, runs) for each in (op, listed, times)))
