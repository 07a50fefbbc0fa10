"""The analytic fidelity is never above the cycle fidelity, and equals it where nothing can stall."""

from __future__ import annotations

from typing import Any

import numpy as np
from checkpoint_programs import Case, cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import architectures, online_programs, programs, sparse_programs

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.program import PHASES, Program
from deltatrain.sim.fidelity import analytic, cycle
from deltatrain.workloads.lowering.matrix import lower_matrix
from deltatrain.workloads.synthetic import uniform_masks

_SLOW = settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
MODES = st.sampled_from(["matvec", "matvec_t", "outer"])


@_SLOW
@given(programs())
def test_the_closed_form_is_a_lower_bound(program: Program) -> None:
    assert analytic.count(program).cycles <= cycle.count(program).cycles


@settings(_SLOW, max_examples=25)
@given(programs(widest=70, most_steps=12))
def test_the_closed_form_is_a_lower_bound_of_larger_steps(program: Program) -> None:
    assert analytic.count(program).cycles <= cycle.count(program).cycles


@settings(_SLOW, max_examples=40)
@given(cases(widest=14, most_tiles=3))
def test_the_closed_form_is_a_lower_bound_of_checkpointed_steps(case: Case) -> None:
    assert analytic.count(case.program).cycles <= cycle.count(case.program).cycles


@settings(_SLOW, max_examples=60)
@given(sparse_programs())
def test_the_closed_form_is_a_lower_bound_on_compressed_columns(case: Any) -> None:
    bound, counted = analytic.count(case[0]), cycle.count(case[0])
    assert bound.cycles <= counted.cycles
    assert bound.work == counted.work
    assert bound.remote.asked_bytes == counted.remote.asked_bytes


@settings(_SLOW, max_examples=12)
@given(online_programs(most_steps=9))
def test_the_closed_form_is_a_lower_bound_where_each_step_learns_at_once(program: Program) -> None:
    bound, counted = analytic.count(program), cycle.count(program)
    assert bound.cycles <= counted.cycles
    assert bound.work == counted.work
    assert bound.remote.asked_bytes == counted.remote.asked_bytes


@settings(_SLOW, max_examples=60)
@given(programs())
def test_what_is_counted_and_not_timed_is_the_same(program: Program) -> None:
    bound, counted = analytic.count(program), cycle.count(program)
    assert bound.work == counted.work
    for moved in ("asked_bytes", "read_bytes", "write_bytes"):
        assert getattr(bound.remote, moved) == getattr(counted.remote, moved)
    for name in PHASES:
        one, other = bound.phases[name], counted.phases[name]
        for same in ("busy_cycles", "macs", "skipped_macs", "fired", "elements", "remote_bytes", "local_bytes"):
            assert getattr(one, same) == getattr(other, same), same
    for name, unit in bound.units.items():
        assert unit.busy_cycles == counted.units[name].busy_cycles


@settings(_SLOW, max_examples=60)
@given(architectures(), MODES, st.integers(1, 20), st.integers(1, 40), st.integers(1, 40), st.floats(0, 1))
def test_a_local_matrix_takes_its_words_and_one_pipeline(
    architecture: Architecture, mode: str, steps: int, columns: int, rows: int, occupancy: float
) -> None:
    """n * K cycles an op, one where nothing fired, ops back to back, and the last op's pipeline at the end."""
    local = architecture.model_copy(
        update={"placement": architecture.placement.model_copy(update={"weights": "local", "gradients": "local"})}
    )
    fired = uniform_masks(steps, columns, occupancy, 1)
    program = lower_matrix(local, mode, fired, rows)
    words = -(-rows // local.engine.lanes)
    issue = int(np.maximum(fired.sum(axis=1) * words, 1).sum())
    pipeline = cycle.count(program).cycles - issue
    assert pipeline == int(program.drain_cycles[-1])
    assert 0 < pipeline <= 12 + (local.engine.lanes - 1).bit_length()
    assert issue <= analytic.count(program).cycles <= issue + pipeline
