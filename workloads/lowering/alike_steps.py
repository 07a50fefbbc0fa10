"""Steps alike: the steps of a training step of which no two are alike, and how often each is there.

The ops of a kind differ in nothing but their place where they work through equally many entries. Laws that add up ops
need each of them once, and a number (`accel.program.Program.times`). So what they take grows with the different lengths
of lists, not with the steps. Steps are alike in one respect at a time (`Respect`): the same x may fire in two steps,
and not the same h. The first and the last step of a sample are like no other. Masks are looked at block by block, so
that what is held does not grow with the steps either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.engine import Engine
from deltatrain.workloads.lowering.lists import Lists, StreamLists, dense_lists, sized_lists
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.trace import RecordedStep

Respect = Literal["step", "x", "h", "tape"]
"""In what steps of a layer may be alike: that they are there; the list of a stream; bytes of both lists on the tape."""

Times = dict[Respect, NDArray[np.int64]]
"""For each respect how many steps each step stands for, itself counted, shape (L, B, R); 0 where another stands."""

Masks = tuple[NDArray[np.bool_], ...]

_BLOCK_STEPS = 8192
_MOST_PARTS = 8  # of classes, a part for each block, until they are joined


@dataclass(frozen=True, eq=False)
class AlikeSteps:
    """A training step of which every step is run once.

    Attributes
    ----------
    lists
        Lists of the steps that stand, R of each sample; `Lists.lengths` and `StreamLists.kept_bytes` are those of all.
    standing
        How many steps stand for those of each sample, shape (B,). The first and the last are among them.
    times
        How many steps each is like.
    list_bytes
        Bytes that the lists of each layer take of an off-chip tape, of the sample with most of each step, shape (L,).
    touched_x, touched_h
        For each layer which columns are in any list, the bias column being the last, shape (width + 1,).
    """

    lists: Lists
    standing: NDArray[np.int64]
    times: Times
    list_bytes: NDArray[np.int64]
    touched_x: Masks
    touched_h: Masks


def fired_alike(step: RecordedStep, shape: Shape, engine: Engine, tiles: int) -> AlikeSteps:
    """Return the steps alike of what fired in `step`."""
    layers, samples = range(len(shape.hidden)), len(step.lengths)
    classes = {(respect, layer): _Classes(samples) for respect in get_args(Respect) for layer in layers}
    list_bytes = np.zeros(len(layers), dtype=np.int64)
    kept = np.zeros((2 * len(layers), samples, tiles), dtype=np.int64)
    for begin, block in _blocks(step):
        lists = sized_lists(block, shape, engine, tiles)
        kept += np.array([one.kept_bytes for one in (*lists.x, *lists.h)])
        place = _places(step.lengths - begin, int(block.lengths.max()), first=begin == 0)
        for layer, (x, h) in enumerate(zip(lists.x, lists.h, strict=True)):
            on_tape = x.tape_bytes + h.tape_bytes
            list_bytes[layer] += on_tape.max(axis=0).sum()
            keys = {"step": np.zeros_like(on_tape), "x": _key(x), "h": _key(h), "tape": on_tape}
            for respect in get_args(Respect):
                classes[respect, layer].add(keys[respect], place, begin)
    standing = _Standing(step, [one.found() for one in classes.values()])
    times: Times = {respect: np.zeros((len(layers), *standing.shape), dtype=np.int64) for respect in get_args(Respect)}
    for (respect, layer), one in classes.items():
        found = one.found()
        times[respect][layer, found.sample, standing.number(found)] = found.times
    short = standing.of(step)
    lists = _of_all(sized_lists(short, shape, engine, tiles), step.lengths, kept)
    touched_x, touched_h = _touched(step.fired_x, lists.x), _touched(step.fired_h, lists.h)
    return AlikeSteps(lists, short.lengths, times, list_bytes, touched_x, touched_h)


def dense_alike(lengths: NDArray[np.int64], shape: Shape, engine: Engine, tiles: int) -> AlikeSteps:
    """Return the steps alike of a step with every column worked through: all between the first and the last."""
    two, three = (dense_lists(np.minimum(lengths, steps), shape, engine, tiles) for steps in (2, 3))
    more = np.maximum(lengths - 3, 0)
    how_often = np.ones((len(shape.hidden), *three.x[0].fired.shape), dtype=np.int64)
    how_often[:, :, 1:2] += more[:, None]
    of_two, kept = (np.array([one.kept_bytes for one in (*lists.x, *lists.h)]) for lists in (two, three))
    longest = int(lengths.argmax())
    on_tape = np.array([x.tape_bytes[longest] + h.tape_bytes[longest] for x, h in zip(three.x, three.h, strict=True)])

    def touched(one: StreamLists) -> NDArray[np.bool_]:
        return np.append(np.full(one.width, one.fired.any()), one.biased.any())

    return AlikeSteps(
        _of_all(three, lengths, kept + more[:, None] * (kept - of_two)),
        three.lengths,
        dict.fromkeys(get_args(Respect), how_often),
        (on_tape * how_often[:, longest]).sum(axis=1),
        tuple(map(touched, three.x)),
        tuple(map(touched, three.h)),
    )


def _touched(masks: Masks, lists: tuple[StreamLists, ...]) -> Masks:
    """Return `AlikeSteps.touched_x` or `AlikeSteps.touched_h`."""
    return tuple(np.append(mask.any(axis=(0, 1)), one.biased.any()) for mask, one in zip(masks, lists, strict=True))


def _blocks(step: RecordedStep) -> Iterator[tuple[int, RecordedStep]]:
    """Yield so many steps at a time, and which is the first of them."""
    for begin in range(0, int(step.lengths.max(initial=0)), _BLOCK_STEPS):
        few = slice(begin, begin + _BLOCK_STEPS)
        lengths = np.clip(step.lengths - begin, 0, _BLOCK_STEPS)
        yield begin, _changed(step, lengths, itemgetter(few))


def _changed(
    step: RecordedStep, lengths: NDArray[np.int64], change: Callable[[NDArray[np.bool_]], NDArray[np.bool_]]
) -> RecordedStep:
    """Return a training step with other lengths and changed masks, without weights and numbers."""
    x, h, asked_x, asked_h = (
        tuple(map(change, masks)) for masks in (step.fired_x, step.fired_h, step.asked_x, step.asked_h)
    )
    return RecordedStep(step.epoch, step.update, lengths, x, h, asked_x, asked_h)


def _places(left: NDArray[np.int64], steps: int, *, first: bool) -> NDArray[np.int64]:
    """Return of each step whether it is between (0), the first (1) or the last (2) of its sample, or none (-1).

    Parameters
    ----------
    left
        How many steps each sample has from here on, shape (B,).
    steps
        How many are looked at.
    first
        Whether they begin with the first.
    """
    step = np.arange(steps)
    place = np.where(first & (step == 0), 1, 0) + np.zeros((len(left), 1), dtype=np.int64)
    place[step == left[:, None] - 1] = 2
    place[step >= left[:, None]] = -1
    return place


def _key(lists: StreamLists) -> NDArray[np.int64]:
    """Return a number for each list of a stream, the same for lists alike, shape (B, T)."""
    most_cycles = 2 * lists.width + 2  # of a scan: one for each entry, and one for each group of elements
    listed = lists.fired if lists.asked is lists.fired else lists.fired * (lists.width + 1) + lists.asked
    key = listed * most_cycles + lists.scan_cycles
    if np.array_equal(lists.turns, lists.columns()) and np.array_equal(lists.asked_turns, lists.asked):
        return key  # one array takes as many turns as there are columns
    return (key * (lists.width + 2) + lists.turns) * (lists.width + 2) + lists.asked_turns


def _of_all(standing: Lists, lengths: NDArray[np.int64], kept_bytes: NDArray[np.int64]) -> Lists:
    """Return the lists of standing steps with the lengths and the bytes kept of all steps, in the order x, h."""
    layers = len(standing.x)
    x, h = (
        tuple(replace(one, kept_bytes=kept) for one, kept in zip(lists, parts, strict=True))
        for lists, parts in ((standing.x, kept_bytes[:layers]), (standing.h, kept_bytes[layers:]))
    )
    return replace(standing, lengths=lengths, x=x, h=h)


class _Class(NamedTuple):
    """Classes of steps alike: whose each is, a step of it, and how many there are; shape (K,) each."""

    sample: NDArray[np.int64]
    step: NDArray[np.int64]
    times: NDArray[np.int64]


class _Classes:
    """The steps alike of one layer in one respect, found block by block.

    Parameters
    ----------
    samples
        B.
    """

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []

    def add(self, keys: NDArray[np.int64], place: NDArray[np.int64], begin: int) -> None:
        """Add the steps of a block from `begin` on, alike where `keys` and `place` are the same, shape (B, T)."""
        there = np.flatnonzero(place >= 0)
        sample = np.arange(self._samples)[:, None]
        found, first, times = _alike(((keys * 3 + place) * self._samples + sample).ravel()[there])
        self._parts.append((found, begin + there[first] % keys.shape[1], times))
        if len(self._parts) > _MOST_PARTS:
            self._join()

    def found(self) -> _Class:
        """Return the classes."""
        self._join()
        ((keys, steps, times),) = self._parts
        return _Class(keys % self._samples, steps, times)

    def _join(self) -> None:
        """Join what was found in several blocks."""
        if len(self._parts) > 1:
            keys, steps, times = map(np.concatenate, zip(*self._parts, strict=True))
            keys, first, which = np.unique(keys, return_index=True, return_inverse=True)
            self._parts = [(keys, steps[first], np.bincount(which, times).astype(np.int64))]


def _alike(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the different `keys`, where one of each is, and how often each is there."""
    least, most = int(keys.min()), int(keys.max())
    if most - least > 8 * len(keys):
        return np.unique(keys, return_index=True, return_counts=True)
    times = np.bincount(keys - least)
    found = np.flatnonzero(times)
    where = np.zeros(len(times), dtype=np.int64)
    where[keys - least] = np.arange(len(keys))
    return found + least, where[found], times[found]


class _Standing:
    """Steps that stand for those like them.

    Parameters
    ----------
    step
        The whole training step.
    classes
        All classes; a step stands if it does so in any respect.
    """

    def __init__(self, step: RecordedStep, classes: list[_Class]) -> None:
        self._steps, samples = int(step.lengths.max()), len(step.lengths)
        self._pairs = np.unique(np.concatenate([one.sample * self._steps + one.step for one in classes]))
        self._sample, self._step = np.divmod(self._pairs, self._steps)
        self._first = np.searchsorted(self._sample, np.arange(samples))
        self._lengths = np.bincount(self._sample, minlength=samples)
        self.shape = samples, int(self._lengths.max())

    def number(self, found: _Class) -> NDArray[np.int64]:
        """Return the numbers of steps among those of their sample that stand."""
        of_all = np.searchsorted(self._pairs, found.sample * self._steps + found.step)
        number: NDArray[np.int64] = of_all - self._first[found.sample]
        return number

    def of(self, step: RecordedStep) -> RecordedStep:
        """Return a training step of those that stand."""
        number = np.arange(len(self._pairs)) - self._first[self._sample]

        def few(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
            chosen = np.zeros((*self.shape[::-1], mask.shape[-1]), dtype=np.bool_)
            chosen[number, self._sample] = mask[self._step, self._sample]
            return chosen

        return _changed(step, self._lengths, few)
