"""The lists of columns that the engine works through: what fired, or every column for a dense machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.arrays import most_of_an_array, of_first_columns
from deltatrain.accel.cells import bias_steps
from deltatrain.accel.engine import Engine
from deltatrain.accel.modes import encode
from deltatrain.accel.tape_words import value_bytes
from deltatrain.accel.tiles import by_tile, dealt, own_elements
from deltatrain.workloads.lowering.groups import GroupLists, Groups
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.trace import RecordedStep

Grid = NDArray[np.int64]
"""Integers of shape (B, T): a value for each sample and step."""


class Begun(NamedTuple):
    """What a mini-batch is beside its lengths, whatever fires in it.

    Attributes
    ----------
    carried
        Whether samples go on from a state.
    words
        The word that each step looks up, shape (T, B); None without an embedding, or where nobody knows.
    """

    carried: bool = False
    words: NDArray[np.int64] | None = None


ANEW = Begun()


@dataclass(frozen=True, eq=False)
class StreamLists:
    """The lists of one stream of one layer.

    Attributes
    ----------
    width
        Elements of the stream's vector, without the bias column.
    biased
        Where the matrix's bias column fires and is the last entry of the list, boolean, shape (B, T).
    fired
        Elements that fired, bias not counted, shape (B, T).
    start
        Where each list begins in `Lists.columns`, shape (B, T).
    asked, asked_start
        The same of all elements that are listed, which `matvec_t` works through.
    turns, asked_turns
        In how many turns the engine's arrays take the columns of each list, bias counted, and those of what is asked
        for (`accel.arrays`), shape (B, T).
    scan_cycles
        Cycles of the encoder for each vector, shape (B, T).
    tape_bytes
        Bytes of each list on the tape, each tile's part padded to whole words, shape (B, T).
    own_tape_bytes
        The same in the tile with the longest part of the list, shape (B, T).
    kept_bytes
        Bytes of all of a sample's lists on the tape of each tile, shape (B, n).
    most_tape_bytes, most_own_bytes
        Bytes on the tape of a list of all elements, and those in the tile with the most elements.
    begins_silent
        Whether nothing fires at step 0: there is no h yet.
    groups
        The lists of groups of steps (`workloads.lowering.groups`); None where each step is a group.
    """

    width: int
    biased: NDArray[np.bool_]
    fired: Grid
    start: Grid
    asked: Grid
    asked_start: Grid
    turns: Grid
    asked_turns: Grid
    scan_cycles: Grid
    tape_bytes: Grid
    own_tape_bytes: Grid
    kept_bytes: Grid
    most_tape_bytes: int
    most_own_bytes: int
    begins_silent: bool = False
    groups: GroupLists | None = None

    def columns(self) -> Grid:
        """Return the columns of each list, bias counted, shape (B, T)."""
        columns: Grid = self.fired + self.biased
        return columns

    def dense_columns(self) -> Grid:
        """Return the columns a dense machine works through: none but the bias where there is no h yet."""
        step = np.arange(self.biased.shape[1])
        columns: Grid = np.where(self.begins_silent & (step == 0), 0, self.width) + self.biased
        return columns


class WordLists(NamedTuple):
    """What is looked up in a table of words, one column a step.

    Attributes
    ----------
    words
        The word of each step, shape (B, T).
    start
        Where each step's list of this one column begins in `Lists.columns`, shape (B, T).
    occurring, occurring_start
        How many words occur, and where the list of them begins.
    """

    words: Grid
    start: Grid
    occurring: int
    occurring_start: int


@dataclass(frozen=True, eq=False)
class Lists:
    """All lists of a training step.

    Attributes
    ----------
    lengths
        Steps of each sample, shape (B,).
    x, h
        One for each layer.
    columns
        Concatenated column indices, each list in the order of the tiles. They begin with 0, 1, 2, ..., as many as the
        widest matrix has columns: the list of every op that works through all columns.
    entry_bytes
        Bytes of one entry kept for the backward pass.
    carried
        Whether samples go on from a state.
    words
        What is looked up; None without an embedding.
    """

    lengths: Grid
    x: tuple[StreamLists, ...]
    h: tuple[StreamLists, ...]
    columns: NDArray[np.int32]
    entry_bytes: int
    carried: bool = False
    words: WordLists | None = None


def fired_lists(step: RecordedStep, shape: Shape, engine: Engine, tiles: int = 1) -> Lists:
    """Return the lists of what fired in `step`; the mode that makes them says how long an entry is."""
    sized, parts = sized_lists(step, shape, engine, tiles), [_all_columns(shape)]
    streams: list[list[StreamLists]] = []
    begin = len(parts[0])

    def listed(mask: NDArray[np.bool_], biased: NDArray[np.bool_]) -> Grid:
        """Put the lists of a mask behind all others, and return where each begins."""
        nonlocal begin
        order = by_tile(mask.shape[-1], engine.lanes, tiles)
        columns, start = _with_bias(np.ascontiguousarray(mask.transpose(1, 0, 2)), biased, order)
        start += begin
        parts.append(columns)
        begin += len(columns)
        return start

    def spikes_first(mask: NDArray[np.bool_], asked_mask: NDArray[np.bool_]) -> Grid:
        """Put the lists of all that is listed behind all others, in each what fired before what only learns."""
        nonlocal begin
        order, width = by_tile(mask.shape[-1], engine.lanes, tiles), mask.shape[-1]
        both = np.concatenate([mask[..., order], (asked_mask & ~mask)[..., order]], axis=-1).transpose(1, 0, 2)
        columns, start = _with_bias(
            np.ascontiguousarray(both), np.zeros(both.shape[:2], np.bool_), np.arange(2 * width)
        )
        parts.append(order[columns % max(width, 1)].astype(np.int32))
        begin += len(columns)
        return start + (begin - len(columns))

    for lists, masks in zip((sized.x, sized.h), _masks(step), strict=True):
        streams.append([])
        for one, (mask, asked_mask) in zip(lists, masks, strict=True):
            start = asked_start = listed(mask, one.biased)
            if asked_mask is not mask:
                asked_start = spikes_first(mask, asked_mask)
            streams[-1].append(replace(one, start=start, asked_start=asked_start))
    placed = replace(sized, x=tuple(streams[0]), h=tuple(streams[1]), columns=np.concatenate(parts))
    fired = [[mask.transpose(1, 0, 2) for mask, _ in masks] for masks in _masks(step)]
    return _with_words(_with_groups(placed, fired, engine.outer_steps), step.words)


def sized_lists(step: RecordedStep, shape: Shape, engine: Engine, tiles: int = 1) -> Lists:
    """Return how long the lists of what fired in `step` are, without their entries, of which none begins anywhere.

    Lists of words are left out.
    """
    entry, biased = shape.encoder.list_entry_bytes(engine), _biased(step.lengths, shape)
    nowhere = np.broadcast_to(np.int64(0), biased.shape)

    def sized(mask: NDArray[np.bool_], asked_mask: NDArray[np.bool_], bias: bool, *, silent: bool) -> StreamLists:
        of_asked = asked_mask.transpose(1, 0, 2)
        own = dealt(of_asked, engine.lanes, tiles).sum(axis=-1, dtype=np.int64)
        asked = own.sum(axis=-1)
        fired = asked if mask is asked_mask else mask.transpose(1, 0, 2).sum(axis=-1, dtype=np.int64)
        scan = encode.scan_cycles(of_asked, engine, tiles)
        on_tape = _on_tape(own, mask.shape[-1], entry, engine)
        of_lists = biased & bias, fired, nowhere, asked, nowhere
        if engine.arrays == 1:
            turns, asked_turns = fired + of_lists[0], asked
        else:
            with_bias = np.concatenate([mask.transpose(1, 0, 2), of_lists[0][..., None]], axis=-1)
            turns = most_of_an_array(with_bias, engine.arrays)
            asked_turns = most_of_an_array(of_asked, engine.arrays)
        return StreamLists(mask.shape[-1], *of_lists, turns, asked_turns, scan, *on_tape, silent)

    bias_x, bias_h = shape.arithmetic.BIAS_X, shape.arithmetic.BIAS_H
    x, h = _masks(step)
    return Lists(
        step.lengths,
        tuple(sized(*masks, bias_x, silent=False) for masks in x),
        tuple(sized(*masks, bias_h, silent=not step.carried) for masks in h),
        _all_columns(shape),
        entry,
        step.carried,
    )


def _masks(step: RecordedStep) -> list[list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]]:
    """Return for x and for h the masks of each layer: what fired, and what is listed, the same array if it is that."""
    of_streams = ((step.fired_x, step.asked_x or step.fired_x), (step.fired_h, step.asked_h or step.fired_h))
    return [list(zip(*masks, strict=True)) for masks in of_streams]


def dense_lists(lengths: Grid, shape: Shape, engine: Engine, tiles: int = 1, begun: Begun = ANEW) -> Lists:
    """Return the lists of a dense machine, which work through every column; an entry is a value without an index.

    Its encoder passes on `accel.engine.Engine.encoder_elements` values a cycle. Of words it looks up what any does.
    """
    steps = int(lengths.max(initial=0))
    valid = np.arange(steps) < lengths[:, None]
    entry = engine.formats.activation.bytes
    biased = _biased(lengths, shape)

    def stream(width: int, bias: bool, *, recurrent: bool) -> StreamLists:
        silent = recurrent and not begun.carried
        listed = valid & (np.arange(steps) > 0) if silent else valid
        zero = np.zeros(valid.shape, dtype=np.int64)
        own = own_elements(width, engine.lanes, tiles)
        scan = zero + encode.pass_cycles(int(own.max()), engine)
        # At step 0 a recurrent stream's only entry is the bias, the column after the last element.
        start = np.where(silent & (np.arange(steps) == 0), width, 0) + zero
        on_tape = _on_tape(listed[:, :, None] * own, width, entry, engine)
        every, of_bias = listed * np.int64(width), biased & bias
        asked_turns = listed * np.int64(of_first_columns(width, engine.arrays))
        with_bias = of_first_columns(width + 1, engine.arrays)
        turns = np.where(of_bias, np.where(listed, with_bias, 1), asked_turns)
        of_lists = of_bias, every, start, every, start, turns, asked_turns
        return StreamLists(width, *of_lists, scan, *on_tape, silent)

    x = tuple(stream(width, shape.arithmetic.BIAS_X, recurrent=False) for width in shape.inputs)
    returning = [width if shape.arithmetic.BLOCKS_H else 0 for width in shape.hidden]
    h = tuple(stream(width, shape.arithmetic.BIAS_H, recurrent=True) for width in returning)
    words = begun.words
    if words is None and shape.words:
        words = np.zeros((steps, len(lengths)), dtype=np.int64)  # any will do where nothing but room is asked for
    dense = Lists(lengths, x, h, _all_columns(shape), entry, begun.carried)
    every = [[np.broadcast_to(one.fired[..., None] > 0, (*valid.shape, one.width)) for one in side] for side in (x, h)]
    return _with_words(_with_groups(dense, every, engine.outer_steps), words)


def idle_lists(lengths: Grid, shape: Shape, engine: Engine, tiles: int = 1) -> Lists:
    """Return the lists of a delta machine when nothing fires: their sizes are the least that lists can have."""
    entry = shape.encoder.list_entry_bytes(engine)

    def idle(stream: StreamLists, width: int) -> StreamLists:
        zero = np.zeros_like(stream.fired)
        on_tape = _on_tape(np.repeat(zero[..., None], tiles, 2), width, entry, engine)
        of_lists = (zero, stream.start, zero, stream.asked_start, stream.biased * np.int64(1), zero)
        return StreamLists(width, stream.biased, *of_lists, stream.scan_cycles, *on_tape, stream.begins_silent)

    dense = dense_lists(lengths, shape, engine, tiles)
    return replace(
        dense, x=tuple(map(idle, dense.x, shape.inputs)), h=tuple(map(idle, dense.h, shape.hidden)), entry_bytes=entry
    )


def _with_groups(lists: Lists, fired: list[list[NDArray[np.bool_]]], size: int) -> Lists:
    """Return the lists with those of groups of `size` steps; as they are where each step is a group.

    `fired` has for x and for h the elements of each layer that are listed, shape (B, T, width).
    """
    if size == 1:
        return lists
    groups, parts, begin = Groups(lists.lengths, size), [lists.columns], len(lists.columns)
    streams: list[list[StreamLists]] = []
    for side, masks in zip((lists.x, lists.h), fired, strict=True):
        streams.append([])
        for one, mask in zip(side, masks, strict=True):
            columns, start = groups.listed(np.concatenate([mask, one.biased[..., None]], axis=2))
            found = GroupLists(groups.total(one.columns()), groups.total(one.dense_columns()), start + begin)
            streams[-1].append(replace(one, groups=found))
            parts.append(columns)
            begin += len(columns)
    return replace(lists, x=tuple(streams[0]), h=tuple(streams[1]), columns=np.concatenate(parts))


def _with_words(lists: Lists, words: Grid | None) -> Lists:
    """Return the lists with those of the words that each step looks up, shape (T, B); as they are without any."""
    if words is None:
        return lists
    by_sample = np.ascontiguousarray(words.T)
    running = np.arange(by_sample.shape[1]) < lists.lengths[:, None]
    occurring, begin = np.unique(by_sample[running]), len(lists.columns)
    start = begin + np.arange(by_sample.size).reshape(by_sample.shape)
    of_words = WordLists(by_sample, start, len(occurring), begin + by_sample.size)
    columns = np.concatenate([lists.columns, by_sample.ravel(), occurring]).astype(np.int32)
    return replace(lists, columns=columns, words=of_words)


def _all_columns(shape: Shape) -> NDArray[np.int32]:
    return np.arange(max(*shape.inputs, *shape.hidden) + 1, dtype=np.int32)


def _on_tape(own: NDArray[np.int64], width: int, entry_bytes: int, engine: Engine) -> tuple[Grid, Grid, Grid, int, int]:
    """Return `StreamLists.tape_bytes` and all behind it, of `own` entries of each tile, shape (B, T, n)."""
    word_bytes = engine.lanes * value_bytes(engine.formats)

    def padded(entries: NDArray[np.int64]) -> NDArray[np.int64]:
        return -(-entries * entry_bytes // word_bytes) * word_bytes

    kept, most = padded(own), padded(own_elements(width, engine.lanes, own.shape[-1]))
    return kept.sum(axis=-1), kept.max(axis=-1), kept.sum(axis=1), int(most.sum()), int(most.max())


def _biased(lengths: Grid, shape: Shape) -> NDArray[np.bool_]:
    """Return at which steps of each sample bias columns fire, shape (B, T)."""
    steps = int(lengths.max(initial=0))
    biased: NDArray[np.bool_] = bias_steps(shape.arithmetic, steps) & (np.arange(steps) < lengths[:, None])
    return biased


def _with_bias(
    fired: NDArray[np.bool_], biased: NDArray[np.bool_], order: NDArray[np.int64]
) -> tuple[NDArray[np.int32], Grid]:
    """Return the concatenated indices of `fired`, (B, T, width), the bias behind them, and where each list begins.

    `biased` tells where the bias column fires, shape (B, T); `order` in which order elements are listed, (width,).
    """
    width, listed = fired.shape[-1], fired[:, :, order]
    if biased.any():
        listed, order = np.concatenate([listed, biased[:, :, None]], axis=2), np.append(order, width)
    places = np.flatnonzero(listed) % max(len(order), 1)
    counts = listed.sum(axis=-1, dtype=np.int64)
    ends = np.cumsum(counts.ravel()).reshape(counts.shape)
    return order[places].astype(np.int32), ends - counts
