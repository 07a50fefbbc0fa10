"""Segments: the pieces in which the fetch asks for the columns of an op, each held in the column buffer as a whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.arrays import dealt_out
from deltatrain.accel.column_cache import NOTHING, CachedRuns
from deltatrain.accel.program import Program
from deltatrain.sim.dram.rules import Integers

FIRST_WORD, WORDS, HELD_BYTES, FROM_CACHE, OUT_ADDRESS, OUT_BYTES, OUT_WORDS, BEHIND = range(8)
SINCE, SCANNED, ABREAST, TIMES, FIELDS = range(8, 13)
"""What is known of a segment: its first word, counted in its matrix, and its words in each matrix; bytes of the buffer
that it holds; whether it is asked of the column cache alone; where a line goes out for it, its bytes and its words;
how many lines must have gone out before; how many segments of the cache ago its line was written, 0 if that does not
matter, `PASSES_BY` for one that is not of the cache; cycles that the fetch takes for sets before it; how many segments,
from it on, the arrays take abreast, 0 if it is one of those before it; how many times the lanes take each word."""

PASSES_BY = -1


def out_drain_cycles(program: Program) -> int:
    """Return the cycles from the last step of a line that goes out to its post: those of the lanes without more to do.

    An op whose results take longer, such as a root, does not hold lines up that go out beside it.
    """
    return int(program.drain_cycles[program.remote_word_bytes > 0].min(initial=1 << 30))


class Segments:
    """The segments of each op of a program.

    Past the cache a segment is a whole column, or as much of it as lets two segments of each array fit the column
    buffer; several arrays take one each abreast (`accel.arrays`). Otherwise it is a run that has a line. One that is
    there is read when it is taken, and holds a word of the buffer. A line that goes out takes the place that the
    segment holds in the buffer. Lines that go out before an op are segments of it without words.

    Parameters
    ----------
    program
        What is run.
    """

    def __init__(self, program: Program) -> None:
        self._ops, self._columns, self._matrices = program.ops, program.columns, program.remote_matrices
        self._cached: CachedRuns | None = program.cached_runs
        self._is_cached, self._own_columns = program.is_cached.data, program.own.own_columns
        self._tables = {
            indices: _Pieces(program, indices) for indices in {one for one in program.remote_matrices if one}
        }
        self._flushed = {} if self._cached is None else self._cached.flushed

    def of(self, op: int) -> Integers:
        """Return the segments of an op in their order, shape (S, FIELDS)."""
        if self._is_cached[op]:
            return self._runs(op)
        start, matrices = int(self._ops.list_start[op]), self._matrices[op]
        found = self._taken(op, matrices, self._columns[start : start + int(self._ops.count[op])])
        if op not in self._flushed or self._cached is None:
            return found
        *scanned, last = self._cached.scanned[op]
        found = found.copy()
        found[:, BEHIND], found[0, SCANNED] = self._cached.gone[op], last
        out = self._out(np.array(self._flushed[op], np.int64))
        out[:, SINCE], out[:, SCANNED] = self._cached.flushed_since[op], scanned
        return np.concatenate([out, found])

    def _taken(self, op: int, matrices: tuple[int, ...], listed: NDArray[np.int32]) -> Integers:
        """Return the pieces of a list of columns; one that follows itself is asked for once."""
        pieces, own = self._tables[matrices], int(self._own_columns[op])
        if own == len(listed):
            return pieces.of(listed)
        first = np.flatnonzero(np.diff(listed, prepend=-1) != 0)
        columns, found = listed[first], pieces.of(listed[first])
        found = found.copy()
        found[:, TIMES] = np.repeat(np.diff(np.append(first, len(listed))), pieces.counts(columns))
        return found

    @property
    def least_bytes(self) -> int:
        """The fewest bytes that a segment holds."""
        lines = None if self._cached is None else self._cached.lines
        of_hits = [] if lines is None else [int((lines.size_bytes // lines.words).min(initial=1 << 30))]
        return min([*of_hits, *(table.least_bytes for table in self._tables.values())], default=1)

    @property
    def most_of_an_op(self) -> int:
        """The most segments that an op has."""
        counts = self._ops.count.tolist()
        runs = np.zeros(len(counts), np.int64) if self._cached is None else np.diff(self._cached.start)
        whole = [
            self._tables[one].most_of_column * count + len(self._flushed.get(op, ())) if one else 0
            for op, (one, count) in enumerate(zip(self._matrices, counts, strict=True))
        ]
        return max([*whole, int(runs.max(initial=0))], default=0)

    def _runs(self, op: int) -> Integers:
        """Return the segments of an op on the cache."""
        assert self._cached is not None
        cached, lines = self._cached, self._cached.lines
        chosen = slice(int(cached.start[op]), int(cached.start[op + 1]))
        line = cached.line[chosen]
        found = self._out(cached.out[chosen])
        found[:, FIRST_WORD], found[:, WORDS] = lines.first_word[line], lines.words[line]
        hit, size_bytes = cached.hit[chosen], lines.size_bytes[line]
        held = np.where(hit, size_bytes // lines.words[line], size_bytes)
        found[:, HELD_BYTES] = np.maximum(found[:, HELD_BYTES], held)
        found[:, FROM_CACHE], found[:, BEHIND] = hit, cached.behind[chosen]
        found[:, SINCE], found[:, TIMES] = cached.since[chosen], cached.times[chosen]
        return found

    def _out(self, out: Integers) -> Integers:
        """Return a segment without words for each line that goes out, and for each that is `NOTHING`."""
        assert self._cached is not None
        lines, found = self._cached.lines, np.zeros((len(out), FIELDS), np.int64)
        goes, found[:, ABREAST], found[:, TIMES] = out != NOTHING, 1, 1
        found[goes, OUT_ADDRESS], found[goes, OUT_BYTES] = lines.address[out[goes]], lines.size_bytes[out[goes]]
        found[goes, OUT_WORDS], found[:, HELD_BYTES], found[:, FROM_CACHE] = (
            lines.words[out[goes]],
            found[:, OUT_BYTES],
            1,
        )
        return found


class _Pieces:
    """The pieces of all columns of matrices that ops read together past the cache."""

    def __init__(self, program: Program, indices: tuple[int, ...]) -> None:
        tensors = [program.tensors[index] for index in indices]
        together = sum(tensor.word_bytes for tensor in tensors)
        first, words = tensors[0].first_words, tensors[0].column_words
        self._arrays = program.architecture.engine.arrays
        most = program.architecture.column_buffer_bytes // (2 * self._arrays) // together
        self._count = -(-words // most)
        self._first = np.cumsum(self._count) - self._count
        column = np.repeat(np.arange(len(words)), self._count)
        begin = (np.arange(len(column)) - self._first[column]) * most
        self._rows = np.zeros((len(column), FIELDS), np.int64)
        self._rows[:, FIRST_WORD] = first[column] + begin
        self._rows[:, WORDS] = np.minimum(most, words[column] - begin)
        self._rows[:, HELD_BYTES], self._rows[:, ABREAST] = self._rows[:, WORDS] * together, 1
        self._rows[:, SINCE], self._rows[:, TIMES] = PASSES_BY, 1
        self._single = bool((self._count == 1).all())
        self.least_bytes = int(self._rows[:, HELD_BYTES].min(initial=1 << 30))
        self.most_of_column = int(self._count.max(initial=0))

    def of(self, columns: NDArray[np.int32]) -> Integers:
        """Return the pieces of a list of columns, shape (S, FIELDS)."""
        if self._arrays > 1:
            return self._abreast(columns)
        if self._single:
            found: Integers = self._rows[columns]
            return found
        return self._rows[self._all(columns)[0]]

    def counts(self, columns: NDArray[np.int32]) -> Integers:
        """Return how many pieces each of these columns has."""
        found: Integers = self._count[columns]
        return found

    def _all(self, columns: NDArray[np.int32]) -> tuple[Integers, Integers, Integers]:
        """Return the rows of all pieces of columns, and of each piece its number in its column and its place."""
        count = self._count[columns]
        place = np.repeat(np.arange(len(columns)), count)
        within = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
        return self._first[columns][place] + within, within, place

    def _abreast(self, columns: NDArray[np.int32]) -> Integers:
        """Return the pieces in the order in which arrays take them: turn after turn, in it piece after piece."""
        order, turn = dealt_out(columns, self._arrays)
        rows, within, place = self._all(columns[order])
        turn = turn[place]
        taken = np.lexsort((within, turn))  # arrays stay in their order
        found: Integers = self._rows[rows[taken]]
        turn, within = turn[taken], within[taken]
        begins = np.ones(len(found), dtype=np.bool_)
        begins[1:] = (np.diff(turn) != 0) | (np.diff(within) != 0)
        first = np.flatnonzero(begins)
        found[:, ABREAST] = 0
        found[first, ABREAST] = np.diff(np.append(first, len(found)))
        return found
