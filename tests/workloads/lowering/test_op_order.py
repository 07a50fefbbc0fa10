"""The order of the ops: who comes before whom in the table, by the rules in words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.modes import MODES
from deltatrain.accel.op_table import NO_OP
from deltatrain.workloads.lowering.op_kinds import (
    CELL,
    CELL_BACKWARD,
    ENCODE,
    KINDS,
    MATVEC,
    MATVEC_T,
    OUTER,
    STORE_TAPE,
    OpKind,
)
from deltatrain.workloads.lowering.op_order import BACKWARD, FORWARD, OpOrder, Position, _packed
from deltatrain.workloads.lowering.ops import COLUMNS


def _ordered(layers: int, lengths: list[int]) -> OpOrder:
    steps = np.arange(max(lengths)) < np.array(lengths)[:, None]
    everywhere = np.broadcast_to(steps, (layers, *steps.shape))
    order = OpOrder(layers)
    step, stage = np.broadcast_to(np.arange(max(lengths)), steps.shape), np.zeros(steps.shape, dtype=np.int64)
    forward = Position(stage, step, True)
    backward = Position(stage + 1, np.array(lengths)[:, None] - 1 - step, False)
    for kind in (*ENCODE, *MATVEC, CELL):
        order.add(kind, everywhere, forward)
    for kind in (CELL_BACKWARD, *MATVEC_T, *OUTER):
        order.add(kind, everywhere, backward)
    order.rank()
    return order


CASES = st.tuples(st.integers(1, 4), st.lists(st.integers(1, 6), min_size=1, max_size=3))


@settings(max_examples=60)
@given(CASES)
def test_every_op_has_a_row_of_its_own(case: tuple[int, list[int]]) -> None:
    order = _ordered(*case)
    rows = np.concatenate([order.rows(kind, points) for kind, points in order.kinds()])
    assert sorted(rows.tolist()) == list(range(order.size))


@settings(max_examples=60)
@given(CASES)
def test_forward_steps_rise_backward_steps_fall_and_samples_follow_each_other(case: tuple[int, list[int]]) -> None:
    layers, lengths = case
    order = _ordered(layers, lengths)
    places: dict[int, tuple[OpKind, int, int, int]] = {}
    for kind, (layer, sample, step) in order.kinds():
        for row, *place in zip(order.rows(kind, (layer, sample, step)).tolist(), layer, sample, step, strict=True):
            places[row] = (kind, *map(int, place))
    in_order = [places[row] for row in range(order.size)]
    assert [sample for _, _, sample, _ in in_order] == sorted(sample for _, _, sample, _ in in_order)
    at = {place: row for row, place in places.items()}
    for kind, layer, sample, step in in_order:
        here = at[kind, layer, sample, step]
        forward = kind in (*ENCODE, *MATVEC, CELL)
        later = at.get((kind, layer, sample, step + 1))
        if later is not None:
            assert (later > here) == forward
        above = at.get((kind, layer + 1, sample, step))
        if above is not None:
            assert (above > here) == forward
        if kind in (ENCODE.x, MATVEC.x):  # input before recurrent deltas
            assert here < at[ENCODE.h if kind is ENCODE.x else MATVEC.h, layer, sample, step]
        if kind is MATVEC_T.h:  # the step before waits for it
            assert here < at[MATVEC_T.x, layer, sample, step]
        if kind in OUTER:  # nobody waits for a weight gradient
            assert here > at[MATVEC_T.h, layer, sample, step]
        if forward:
            assert here < at[CELL_BACKWARD, layer, sample, lengths[sample] - 1]


@settings(max_examples=60)
@given(CASES)
def test_layers_run_one_step_behind_each_other(case: tuple[int, list[int]]) -> None:
    """In the table a layer's step t stands beside the layer above's step t - 1, so neither waits for a whole pass."""
    layers, lengths = case
    order = _ordered(layers, lengths)
    points = next(points for kind, points in order.kinds() if kind is CELL)
    here = order.rows(CELL, points)
    above_before = order.rows(CELL, points, layer=1, step=-1) if layers > 1 else np.full(len(here), NO_OP)
    beside = here[above_before != NO_OP]
    between = above_before[above_before != NO_OP] - beside
    assert (between > 0).all()
    assert (between < layers).all()  # only cells of the layers between


def test_a_neighbour_outside_the_grid_is_no_op() -> None:
    order = _ordered(2, [3, 1])
    points = next(points for kind, points in order.kinds() if kind is CELL)
    before = order.rows(CELL, points, step=-1)
    assert ((before == NO_OP) == (points[2] == 0)).all()
    after = order.rows(CELL, points, step=1)
    assert ((after == NO_OP) == (points[2] == np.array([3, 1])[points[1]] - 1)).all()
    assert (order.rows(STORE_TAPE, points) == NO_OP).all()


def test_every_kind_has_columns_and_a_place_in_the_order_and_no_two_kinds_are_alike() -> None:
    placed = {kind for order in (FORWARD, BACKWARD) for kinds in order for kind in kinds}
    assert set(KINDS) == set(COLUMNS) == placed
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_a_kind_knows_its_unit() -> None:
    units = {kind.name: kind.unit for kind in (ENCODE.x, MATVEC.h, CELL, STORE_TAPE)}
    assert units == {"encode_x": "encoder", "matvec_h": "engine", "cell": "elementwise", "store_tape": "store"}
    for arithmetic in ("gru", "lif"):
        mode = ENCODE.x.mode_of(CELL_ARITHMETIC.load(arithmetic))
        assert ENCODE.x.unit == MODES.load(mode).UNIT


@pytest.mark.parametrize(("largest", "numbers"), [(2, 1), (2**9, 1), (2**20, 2), (2**40, 6), (2**62, 6)])
def test_packed_keys_sort_as_the_keys_do(largest: int, numbers: int) -> None:
    random = np.random.default_rng(largest)
    kinds = [tuple(random.integers(-1, largest, (6, size))) for size in (5, 400)]
    packed, plain = _packed(kinds), [np.concatenate(parts) for parts in zip(*kinds, strict=True)]
    assert len(packed) == numbers
    np.testing.assert_array_equal(np.lexsort(packed[::-1]), np.lexsort(plain[::-1]))
