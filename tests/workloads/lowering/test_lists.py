"""Lists of columns against masks, by plain loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import EVERY_CELL, architectures, recordings, shapes

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import encode
from deltatrain.workloads.lowering.lists import Lists, StreamLists, dense_lists, fired_lists
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.trace import RecordedStep


@st.composite
def cases(draw: st.DrawFn) -> tuple[Architecture, Shape, RecordedStep]:
    shape = draw(shapes(cells=EVERY_CELL))
    return draw(architectures()), shape, draw(recordings(shape))


def _fires(shape: Shape, t: int) -> bool:
    """Tell whether bias columns fire at step t."""
    return t == 0 or shape.arithmetic.ENCODER == "encode_spikes"


def _list(lists: Lists, stream: StreamLists, sample: int, step: int) -> list[int]:
    count = int(stream.columns()[sample, step])
    start = int(stream.start[sample, step])
    return lists.columns[start : start + count].tolist()


@settings(max_examples=60)
@given(cases())
def test_a_list_is_what_fired_in_order_and_the_bias_where_it_fires(
    case: tuple[Architecture, Shape, RecordedStep],
) -> None:
    architecture, shape, step = case
    lists = fired_lists(step, shape, architecture.engine)
    for streams, masks, bias in (
        (lists.x, step.fired_x, shape.arithmetic.BIAS_X),
        (lists.h, step.fired_h, shape.arithmetic.BIAS_H),
    ):
        for stream, mask in zip(streams, masks, strict=True):
            width = mask.shape[-1]
            for sample, length in enumerate(step.lengths.tolist()):
                for t in range(length):
                    wanted = [j for j in range(width) if mask[t, sample, j]] + [width] * (bias and _fires(shape, t))
                    assert _list(lists, stream, sample, t) == wanted


@settings(max_examples=60)
@given(cases())
def test_what_is_asked_is_what_fired_or_listed_for_its_gradient(case: tuple[Architecture, Shape, RecordedStep]) -> None:
    architecture, shape, step = case
    lists = fired_lists(step, shape, architecture.engine)
    of_x, of_h = (step.fired_x, step.asked_x or step.fired_x), (step.fired_h, step.asked_h or step.fired_h)
    for streams, fired, asked in ((lists.x, *of_x), (lists.h, *of_h)):
        for stream, spikes, mask in zip(streams, fired, asked, strict=True):
            for sample, length in enumerate(step.lengths.tolist()):
                for t in range(length):
                    start, count = int(stream.asked_start[sample, t]), int(stream.asked[sample, t])
                    first, all_ = (np.flatnonzero(which[t, sample]).tolist() for which in (spikes, mask))
                    wanted = first + sorted(set(all_) - set(first))  # `matvec` and `outer` stop behind the spikes
                    assert lists.columns[start : start + count].tolist() == wanted


@settings(max_examples=60)
@given(cases())
def test_the_dense_lists_hold_every_column(case: tuple[Architecture, Shape, RecordedStep]) -> None:
    architecture, shape, step = case
    lists = dense_lists(step.lengths, shape, architecture.engine)
    for streams, widths, bias, recurrent in (
        (lists.x, shape.inputs, shape.arithmetic.BIAS_X, False),
        (lists.h, shape.hidden, shape.arithmetic.BIAS_H, True),
    ):
        for stream, columns in zip(streams, widths, strict=True):
            width = 0 if recurrent and not shape.arithmetic.BLOCKS_H else columns
            for sample, length in enumerate(step.lengths.tolist()):
                for t in range(length):
                    elements = [] if recurrent and t == 0 else list(range(width))
                    wanted = elements + [width] * (bias and _fires(shape, t))
                    assert _list(lists, stream, sample, t) == wanted
                    assert stream.dense_columns()[sample, t] == len(wanted)
                    assert stream.scan_cycles[sample, t] == encode.pass_cycles(width, architecture.engine)


@settings(max_examples=60)
@given(cases())
def test_a_scan_takes_a_cycle_for_each_group_and_for_each_entry_more_than_one_in_it(
    case: tuple[Architecture, Shape, RecordedStep],
) -> None:
    architecture, shape, step = case
    group = architecture.engine.encoder_elements
    lists = fired_lists(step, shape, architecture.engine)
    for streams, masks in ((lists.x, step.asked_x or step.fired_x), (lists.h, step.asked_h or step.fired_h)):
        for stream, mask in zip(streams, masks, strict=True):
            for t, sample in np.ndindex(mask.shape[:2]):
                cycles = 0
                for begin in range(0, mask.shape[-1], group):
                    cycles += max(1, int(mask[t, sample, begin : begin + group].sum()))
                assert stream.scan_cycles[sample, t] == cycles


def test_an_entry_of_a_dense_machine_needs_no_index() -> None:
    engine = Architecture.named("tiny").engine
    assert encode.list_entry_bytes(engine) == 2 + engine.formats.activation.bytes
