"""Tags of a column cache, compiled: what becomes of each run that is looked up, and which lines go out before an op.

A line of the cache is a slot, numbered by set and way. Each set has a heap of its slots; the one on top goes first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.compiling import compiled

Integers = NDArray[np.int64]
_Function = TypeVar("_Function", bound=Callable[..., Any])

FLUSH = -1
"""In place of the first run of an op: it looks nothing up, and all lines are given up before it."""


class Asked(NamedTuple):
    """What is done with the tags, one after the other.

    Attributes
    ----------
    start, end
        For each op on a matrix off-chip, which of the runs it looks up, or `FLUSH`; shape (E,).
    written
        Whether that op writes them, shape (E,).
    line, rank
        Of each run, and the rank that it has from then on, shape (M,).
    """

    start: Integers
    end: Integers
    written: NDArray[np.bool_]
    line: Integers
    rank: Integers


class Found(NamedTuple):
    """What `accel.column_cache.CachedRuns` says of runs that are looked up, and of lines that go out before an op.

    Attributes
    ----------
    hit, out, behind, since
        Of each run, shape (M,).
    flushed, flushed_since
        The lines that go out, and theirs, one flush behind the other; shape (M,), as no more are written.
    flushed_end, gone, touched
        For each op: where its lines end in these, how many lines went out by then, and whether there was any line to
        give up; shape (E,), of which a flush has a meaning.
    """

    hit: NDArray[np.bool_]
    out: Integers
    behind: Integers
    since: Integers
    flushed: Integers
    flushed_since: Integers
    flushed_end: Integers
    gone: Integers
    touched: NDArray[np.bool_]


class _Tags(NamedTuple):
    """What is in the cache.

    Attributes
    ----------
    slot
        Where each run is, `_NOWHERE` if it is not there; shape (R,).
    line, rank, dirty, filled
        Of each slot: its run, its rank, whether it was written, and in which lookup of all its words were written last.
    kept, gone_of
        Of each set: how many slots are taken, and how many lines had gone out when its last one had.
    heap, place
        Slots of each set, the lowest rank first; and where each slot is in it.
    so_far
        How many lines have gone out (`_GONE`), of these before an op (`_FLUSHED`), and how many lookups there were,
        these lines counted in (`_LOOKUPS`).
    """

    slot: Integers
    line: Integers
    rank: Integers
    dirty: NDArray[np.bool_]
    filled: Integers
    kept: Integers
    gone_of: Integers
    heap: Integers
    place: Integers
    so_far: Integers


_GONE, _FLUSHED, _LOOKUPS = range(3)
_NOWHERE = _NOTHING = _NEVER = -1


def looked_up(asked: Asked, runs: int, shape: tuple[int, int], most_since: int) -> Found:
    """Return what becomes of runs, numbered below `runs`, in a cache of `shape` (sets, ways).

    Lookups more than `most_since` ago are as good as none (`CachedRuns.since`).
    """
    number, ops, sets = len(asked.line), len(asked.start), min(shape[0], max(1, runs))  # no run is in another set
    ways = min(shape[1], max(1, -(-runs // sets)))
    slots = sets * ways
    tags = _Tags(
        slot=np.full(runs, _NOWHERE),
        line=np.full(slots, _NOWHERE),
        rank=np.zeros(slots, np.int64),
        dirty=np.zeros(slots, np.bool_),
        filled=np.full(slots, _NEVER),
        kept=np.zeros(sets, np.int64),
        gone_of=np.zeros(sets, np.int64),
        heap=np.zeros(slots, np.int64),
        place=np.zeros(slots, np.int64),
        so_far=np.zeros(3, np.int64),
    )
    found = Found(
        hit=np.zeros(number, np.bool_),
        out=np.zeros(number, np.int64),
        behind=np.zeros(number, np.int64),
        since=np.zeros(number, np.int64),
        flushed=np.zeros(number, np.int64),
        flushed_since=np.zeros(number, np.int64),
        flushed_end=np.zeros(ops, np.int64),
        gone=np.zeros(ops, np.int64),
        touched=np.zeros(ops, np.bool_),
    )
    _walk(asked, tags, found, ways, most_since)
    return found


def _inside(function: _Function) -> _Function:
    """Compile a function with what calls it, without counting references: nothing is made here."""
    return compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy", _nrt=False)


@_inside
def _put(tags: _Tags, place: int, slot: int) -> None:
    """Let a slot stand in a place of a heap."""
    tags.heap[place], tags.place[slot] = slot, place


@_inside
def _order(tags: _Tags, first: int, count: int, slot: int) -> None:
    """Move a slot whose rank is new to its place in the heap of its set, which begins at `first`."""
    at, rank = tags.place[slot] - first, tags.rank[slot]
    while at > 0 and tags.rank[tags.heap[first + (at - 1) // 2]] > rank:
        above = (at - 1) // 2
        _put(tags, first + at, tags.heap[first + above])
        at = above
    below = 2 * at + 1
    while below < count:
        if below + 1 < count and tags.rank[tags.heap[first + below + 1]] < tags.rank[tags.heap[first + below]]:
            below += 1
        if tags.rank[tags.heap[first + below]] > rank:
            break
        _put(tags, first + at, tags.heap[first + below])
        at, below = below, 2 * below + 1
    _put(tags, first + at, slot)


@_inside
def _since(tags: _Tags, slot: int, most_since: int) -> int:
    """Return how many lookups ago a slot was filled, 0 if that does not matter any more."""
    ago: int = tags.so_far[_LOOKUPS] - tags.filled[slot]
    return ago if tags.filled[slot] != _NEVER and ago <= most_since else 0


@_inside
def _go_out(tags: _Tags, number: int, slot: int) -> None:
    """Let the dirty line in a slot go out of its set."""
    tags.dirty[slot] = False
    tags.so_far[_GONE] += 1
    tags.gone_of[number] = tags.so_far[_GONE]


@_inside
def _look_up(
    line: int, rank: int, written: bool, at: int, tags: _Tags, found: Found, ways: int, most_since: int
) -> None:
    """Look a run up, and note in place `at` what becomes of it."""
    number = line % len(tags.kept)
    slot, out = tags.slot[line], _NOTHING
    hit = slot != _NOWHERE
    if not hit:
        found.behind[at] = tags.gone_of[number]
        if tags.kept[number] == ways:
            slot = tags.heap[number * ways]
            tags.slot[tags.line[slot]] = _NOWHERE
            if tags.dirty[slot]:
                out = tags.line[slot]
                _go_out(tags, number, slot)
        else:
            slot = number * ways + tags.kept[number]
            tags.heap[slot], tags.place[slot] = slot, slot
            tags.kept[number] += 1
        tags.slot[line], tags.line[slot] = slot, line
    tags.rank[slot] = rank
    _order(tags, number * ways, tags.kept[number], slot)
    found.hit[at], found.out[at] = hit, out
    if hit or out != _NOTHING:
        found.since[at] = _since(tags, slot, most_since)
    tags.dirty[slot] = tags.dirty[slot] or written
    if written or not hit:
        tags.filled[slot] = tags.so_far[_LOOKUPS]
    tags.so_far[_LOOKUPS] += 1


@_inside
def _flush(tags: _Tags, found: Found, ways: int, most_since: int) -> bool:
    """Give up all lines, of which those that are dirty go out; return whether there was any."""
    touched = False
    for number in range(len(tags.kept)):
        for slot in range(number * ways, number * ways + tags.kept[number]):
            touched = True
            tags.slot[tags.line[slot]] = _NOWHERE
            if tags.dirty[slot]:
                flushed = tags.so_far[_FLUSHED]
                found.flushed[flushed], found.flushed_since[flushed] = tags.line[slot], _since(tags, slot, most_since)
                _go_out(tags, number, slot)
                tags.so_far[_FLUSHED] += 1
                tags.so_far[_LOOKUPS] += 1
        tags.kept[number] = 0
    return touched


@partial(compiled, no_cfunc_wrapper=True, error_model="numpy", _nrt=False)
def _walk(asked: Asked, tags: _Tags, found: Found, ways: int, most_since: int) -> None:
    """Do one op after the other."""
    for op in range(len(asked.start)):
        if asked.start[op] == FLUSH:
            found.touched[op] = _flush(tags, found, ways, most_since)
        else:
            for at in range(asked.start[op], asked.end[op]):
                _look_up(asked.line[at], asked.rank[at], asked.written[op], at, tags, found, ways, most_since)
        found.flushed_end[op], found.gone[op] = tags.so_far[_FLUSHED], tags.so_far[_GONE]
