"""The order of the ops: who comes before whom in the table, by the rules in words."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.program import NO_OP
from deltatrain.workloads.lowering.op_order import Position, Schedule


def _schedule(layers: int, lengths: list[int]) -> Schedule:
    steps = np.arange(max(lengths)) < np.array(lengths)[:, None]
    everywhere = np.broadcast_to(steps, (layers, *steps.shape))
    schedule = Schedule(layers)
    step, stage = np.broadcast_to(np.arange(max(lengths)), steps.shape), np.zeros(steps.shape, dtype=np.int64)
    forward = Position(stage, step, True)
    backward = Position(stage + 1, np.array(lengths)[:, None] - 1 - step, False)
    for kind in ("encode_x", "encode_h", "matvec_x", "matvec_h", "cell"):
        schedule.add(kind, everywhere, forward)
    for kind in ("cell_backward", "matvec_t_h", "matvec_t_x", "outer_h", "outer_x"):
        schedule.add(kind, everywhere, backward)
    schedule.rank()
    return schedule


CASES = st.tuples(st.integers(1, 4), st.lists(st.integers(1, 6), min_size=1, max_size=3))


@settings(max_examples=60)
@given(CASES)
def test_every_op_has_a_row_of_its_own(case: tuple[int, list[int]]) -> None:
    schedule = _schedule(*case)
    rows = np.concatenate([schedule.rows(kind, cells) for kind, cells in schedule.kinds()])
    assert sorted(rows.tolist()) == list(range(schedule.size))


@settings(max_examples=60)
@given(CASES)
def test_forward_steps_rise_backward_steps_fall_and_samples_follow_each_other(case: tuple[int, list[int]]) -> None:
    layers, lengths = case
    schedule = _schedule(layers, lengths)
    places: dict[int, tuple[str, int, int, int]] = {}
    for kind, (layer, sample, step) in schedule.kinds():
        for row, *place in zip(schedule.rows(kind, (layer, sample, step)).tolist(), layer, sample, step, strict=True):
            places[row] = (kind, *map(int, place))
    order = [places[row] for row in range(schedule.size)]
    assert [sample for _, _, sample, _ in order] == sorted(sample for _, _, sample, _ in order)
    at = {place: row for row, place in places.items()}
    for kind, layer, sample, step in order:
        here = at[kind, layer, sample, step]
        forward = kind in ("encode_x", "encode_h", "matvec_x", "matvec_h", "cell")
        later = at.get((kind, layer, sample, step + 1))
        if later is not None:
            assert (later > here) == forward
        above = at.get((kind, layer + 1, sample, step))
        if above is not None:
            assert (above > here) == forward
        if kind in ("encode_x", "matvec_x"):  # input before recurrent deltas
            assert here < at[kind[:-1] + "h", layer, sample, step]
        if kind == "matvec_t_h":  # the step before waits for it
            assert here < at["matvec_t_x", layer, sample, step]
        if kind.startswith("outer"):  # nobody waits for a weight gradient
            assert here > at["matvec_t_h", layer, sample, step]
        if forward:
            assert here < at["cell_backward", layer, sample, lengths[sample] - 1]


@settings(max_examples=60)
@given(CASES)
def test_layers_run_one_step_behind_each_other(case: tuple[int, list[int]]) -> None:
    """In the table a layer's step t stands beside the layer above's step t - 1, so neither waits for a whole pass."""
    layers, lengths = case
    schedule = _schedule(layers, lengths)
    cells = next(cells for kind, cells in schedule.kinds() if kind == "cell")
    here = schedule.rows("cell", cells)
    above_before = schedule.rows("cell", cells, layer=1, step=-1) if layers > 1 else np.full(len(here), NO_OP)
    beside = here[above_before != NO_OP]
    between = above_before[above_before != NO_OP] - beside
    assert (between > 0).all()
    assert (between < layers).all()  # only gates of the layers between


def test_a_neighbour_outside_the_grid_is_no_op() -> None:
    schedule = _schedule(2, [3, 1])
    cells = next(cells for kind, cells in schedule.kinds() if kind == "cell")
    before = schedule.rows("cell", cells, step=-1)
    assert ((before == NO_OP) == (cells[2] == 0)).all()
    after = schedule.rows("cell", cells, step=1)
    assert ((after == NO_OP) == (cells[2] == np.array([3, 1])[cells[1]] - 1)).all()
    assert (schedule.rows("store_tape", cells) == NO_OP).all()
