"""Ops alike in one row say what all ops say one by one: every counter is the same, on any machine."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from programs import ARRAYS, EVERY_CELL, READOUTS, architectures, other_schedules, recorded_step, recordings, shapes

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.sim.fidelity import analytic
from deltatrain.workloads.lowering import alike_steps
from deltatrain.workloads.lowering.alike_ops import RESPECTS, program_of_alike
from deltatrain.workloads.lowering.alike_steps import dense_alike, fired_alike
from deltatrain.workloads.lowering.costs.dram_commands import touched_bytes
from deltatrain.workloads.lowering.lowering import lower, lower_dense
from deltatrain.workloads.lowering.op_kinds import (
    COPY_STATE,
    KINDS,
    LOAD_STATE,
    OUTER_WORDS,
    RESTORE_STATE,
    SEND_UNDO,
    STORE_STATE,
    UNDO,
    UNDO_CELL,
)
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.trace import RecordedStep

NEVER_PLAIN = {COPY_STATE, RESTORE_STATE, STORE_STATE, LOAD_STATE, UNDO_CELL, *SEND_UNDO, *UNDO, OUTER_WORDS}
"""Kinds of ops that there are only where steps are run again, or look words up."""

Case = tuple[Architecture, Shape, RecordedStep, str]


@st.composite
def cases(draw: st.DrawFn, most_tiles: int) -> Case:
    arrays = (1, *ARRAYS) if most_tiles == 1 else (1,)
    machine = draw(other_schedules(draw(architectures(most_tiles, arrays))))
    shape = replace(draw(shapes(cells=EVERY_CELL)), learns=draw(st.booleans()))
    return machine, shape, draw(recordings(shape, most_steps=12)), draw(READOUTS)


@pytest.mark.parametrize("most_tiles", [1, 5])
@settings(max_examples=150)
@given(data=st.data())
def test_counters_are_those_of_all_ops(most_tiles: int, data: st.DataObject) -> None:
    machine, shape, step, readout = data.draw(cases(most_tiles))
    engine, tiles = machine.engine, machine.tiles.count
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike_steps, "_BLOCK_STEPS", data.draw(st.integers(1, 20)))
        fired = fired_alike(step, shape, engine, tiles)
    dense = dense_alike(step.lengths, shape, engine, tiles)
    for whole, few in (
        (lower(machine, shape, step, readout), program_of_alike(machine, shape, fired, readout)),
        (lower_dense(machine, shape, step.lengths, readout), program_of_alike(machine, shape, dense, readout)),
    ):
        assert analytic.count(few) == analytic.count(whole)
        assert few.touched_bytes == touched_bytes(whole)
        assert int(np.sum(few.times)) == len(whole.ops)
        assert few.local_bytes == whole.local_bytes
        assert few.remote_bytes == whole.remote_bytes


def test_every_kind_of_op_says_in_what_its_ops_are_alike() -> None:
    assert set(RESPECTS) | NEVER_PLAIN == set(KINDS)
    assert not set(RESPECTS) & NEVER_PLAIN


@pytest.mark.parametrize("width", [3, 300])
def test_steps_alike_are_found_however_many_different_lists_there_may_be(width: int) -> None:
    """Few different lists are counted, many are sorted."""
    random = np.random.default_rng(0)
    keys = random.integers(-width, width, 40) * 7
    found, first, times = alike_steps._alike(keys)
    assert_array_equal(found, np.unique(keys))
    assert_array_equal(keys[first], found)
    assert_array_equal(times, [(keys == key).sum() for key in found])


def test_rows_do_not_grow_with_the_steps() -> None:
    """And neither does what finding them holds: masks are there before."""
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (6, 12), (12, 8), 4)
    machine, rows, peaks = Architecture.named("edge").without_cache(), [], []
    for steps in (20_000, 160_000):
        step = recorded_step(shape, np.array([steps]), 0.2, 0)
        tracemalloc.start()
        program = program_of_alike(machine, shape, fired_alike(step, shape, machine.engine, 1), "last")
        analytic.count(program)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        rows.append(len(program.ops))
    assert rows[1] < 1.3 * rows[0] < 2000
    assert peaks[1] < 1.1 * peaks[0]
