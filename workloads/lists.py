"""The lists of columns that the engine works through: what fired, or every column for a dense machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel.engine import Engine
from accel.modes import encode
from workloads.placement import Shape
from workloads.trace import RecordedStep

Grid = NDArray[np.int64]
"""Integers of shape (B, T): a value for each sample and step."""


@dataclass(frozen=True, eq=False)
class StreamLists:
    """The lists of one stream of one layer.

    Attributes
    ----------
    width
        Elements of the stream's vector, without the bias column.
    bias
        Whether the matrix has a bias column, which fires at step 0 and is the last entry of that step's list.
    fired
        Elements that fired, bias not counted, shape (B, T).
    start
        Where each list begins in `Lists.columns`, shape (B, T).
    asked, asked_start
        Likewise all elements that are listed, which `matvec_t` works through.
    scan_cycles
        Cycles of the encoder for each vector, shape (B, T).
    """

    width: int
    bias: bool
    fired: Grid
    start: Grid
    asked: Grid
    asked_start: Grid
    scan_cycles: Grid

    def columns(self, step: Grid) -> Grid:
        """Return the columns of each list, bias counted, for the steps `step` of shape (B, T)."""
        columns: Grid = self.fired + (self.bias & (step == 0))
        return columns

    def dense_columns(self, step: Grid, *, recurrent: bool) -> Grid:
        """Return the columns a dense machine works through: at step 0 a recurrent stream has none but the bias."""
        elements = np.where(recurrent & (step == 0), 0, self.width)
        columns: Grid = elements + (self.bias & (step == 0))
        return columns


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
        Concatenated column indices. They begin with 0, 1, 2, ... as many as the widest matrix has columns, which is
        the list of whatever works through all columns.
    entry_bytes
        Bytes of one entry kept for the backward pass.
    """

    lengths: Grid
    x: tuple[StreamLists, ...]
    h: tuple[StreamLists, ...]
    columns: NDArray[np.int32]
    entry_bytes: int


def fired_lists(step: RecordedStep, shape: Shape, engine: Engine) -> Lists:
    """Return the lists of what fired in `step`; how long an entry is, the mode knows that makes them."""
    parts = [_all_columns(shape)]
    streams: dict[str, list[StreamLists]] = {"x": [], "h": []}
    begin = len(parts[0])
    for stream, masks, asked_masks, bias in (
        ("x", step.fired_x, step.asked_x or step.fired_x, shape.gates.BIAS_X),
        ("h", step.fired_h, step.asked_h or step.fired_h, shape.gates.BIAS_H),
    ):
        for mask, asked_mask in zip(masks, asked_masks, strict=True):
            columns, fired, start = _listed(mask, bias)
            start += begin
            parts.append(columns)
            begin += len(columns)
            asked, asked_start = fired, start
            if asked_mask is not mask:
                columns, asked, asked_start = _listed(asked_mask, bias=False)
                asked_start += begin
                parts.append(columns)
                begin += len(columns)
            scan = encode.scan_cycles(asked_mask.transpose(1, 0, 2), engine)
            streams[stream].append(StreamLists(mask.shape[-1], bias, fired, start, asked, asked_start, scan))
    entry = shape.encoder.list_entry_bytes(engine)
    columns = np.concatenate(parts)
    return Lists(step.lengths, tuple(streams["x"]), tuple(streams["h"]), columns, entry)


def dense_lists(lengths: Grid, shape: Shape, engine: Engine) -> Lists:
    """Return the lists of a dense machine: every column, counted instead of listed, so that an entry is a value only.

    Its encoder passes values on, `accel.engine.Engine.encoder_elements` a cycle.
    """
    steps = int(lengths.max(initial=0))
    valid = np.arange(steps) < lengths[:, None]

    def stream(width: int, bias: bool, *, recurrent: bool) -> StreamLists:
        moves = valid & (np.arange(steps) > 0) if recurrent else valid
        zero = np.zeros(valid.shape, dtype=np.int64)
        scan = zero + encode.pass_cycles(width, engine)
        # At step 0 a recurrent stream's only entry is the bias, the column after the last element.
        start = np.where(recurrent & (np.arange(steps) == 0), width, 0) + zero
        every = moves * np.int64(width)
        return StreamLists(width, bias, every, start, every, start, scan)

    x = tuple(stream(width, shape.gates.BIAS_X, recurrent=False) for width in shape.inputs)
    recurrent = [width if shape.gates.BLOCKS_H else 0 for width in shape.hidden]
    h = tuple(stream(width, shape.gates.BIAS_H, recurrent=True) for width in recurrent)
    return Lists(lengths, x, h, _all_columns(shape), engine.formats.activation.bytes)


def _all_columns(shape: Shape) -> NDArray[np.int32]:
    return np.arange(max(*shape.inputs, *shape.hidden) + 1, dtype=np.int32)


def _listed(mask: NDArray[np.bool_], bias: bool) -> tuple[NDArray[np.int32], Grid, Grid]:
    """Return the lists of a mask of shape (T, B, width), elements of each without the bias, and where each begins."""
    by_sample = np.ascontiguousarray(mask.transpose(1, 0, 2))
    columns, start = _with_bias(by_sample, bias)
    return columns, by_sample.sum(axis=-1, dtype=np.int64), start


def _with_bias(fired: NDArray[np.bool_], bias: bool) -> tuple[NDArray[np.int32], Grid]:
    """Return the concatenated indices of `fired`, (B, T, width), the bias appended at step 0, and where each begins."""
    samples, steps, width = fired.shape
    if bias and steps:
        extended = np.zeros((samples, steps, width + 1), dtype=np.bool_)
        extended[:, :, :width] = fired
        extended[:, 0, width] = True
        fired, width = extended, width + 1
    flat = np.flatnonzero(fired)
    counts = fired.sum(axis=-1, dtype=np.int64)
    ends = np.cumsum(counts.ravel()).reshape(counts.shape)
    return (flat % width if width else flat).astype(np.int32), ends - counts
