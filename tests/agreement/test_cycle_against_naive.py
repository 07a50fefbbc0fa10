"""The cycle fidelity against a machine that is stepped cycle by cycle and word by word (`naive_machine`)."""

from __future__ import annotations

from typing import Any

import pytest
from checkpoint_programs import Case, cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naive_machine import NaiveDram, NaiveMachine
from programs import (
    ARRAYS,
    architectures,
    cached_programs,
    grouped_programs,
    online_programs,
    optimised_programs,
    programs,
    sparse_programs,
)
from request_log import machine_with_log

from deltatrain.accel.program import PHASES, Program
from deltatrain.sim.fidelity import analytic, cycle
from deltatrain.sim.machine.machine import Machine
from deltatrain.sim.machine.starved_lanes import StarvedLanes
from deltatrain.workloads.lowering.matrix import lower_matrix
from deltatrain.workloads.synthetic import uniform_masks

_SLOW = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def _busy(stalls: Any) -> dict[str, int]:
    return {cause: cycles for cause, cycles in stalls.items() if cycles}


def _check_equal(program: Program) -> tuple[NaiveMachine, int]:
    """Compare every counter; return the naive machine, which has run, and its cycles."""
    naive = NaiveMachine(program)
    total = naive.run()
    lanes = StarvedLanes()
    counted = cycle.count(program, observer=lanes)
    assert counted.cycles == total
    assert lanes.cycles == naive.starved
    assert lanes.cycles.total() == counted.units["engine"].stall_cycles.get("stream", 0)
    for name in program.units:
        assert counted.units[name].busy_cycles == naive.units[name].busy
        assert _busy(counted.units[name].stall_cycles) == _busy(naive.units[name].stalls)
    for name in PHASES:
        assert counted.phases[name].busy_cycles == naive.phase_busy[name]
        assert _busy(counted.phases[name].stall_cycles) == _busy(naive.phase_stalls[name])
    remote = counted.remote
    assert (remote.read_bytes, remote.write_bytes) == (naive.read_bytes, naive.write_bytes)
    assert remote.asked_bytes == naive.read_bytes + naive.write_bytes
    if isinstance(naive.memory, NaiveDram):
        rows = naive.memory.channels.counts
        assert (remote.row_hits, remote.row_misses, remote.row_conflicts) == (rows.hits, rows.misses, rows.conflicts)
        assert (remote.activates, remote.refreshes) == (rows.activates, rows.refreshes)
        assert remote.bus_ticks == naive.memory.channels.bus_ticks(naive.memory.clock)._asdict()
    return naive, total


def _check_all(program: Program) -> None:
    """Compare every counter, when each op is done, and when each request is made, with columns ahead and one by one."""
    (naive, total), ahead, (machine, listener) = _check_equal(program), Machine(program), machine_with_log(program)
    assert machine.run() == ahead.run() == total
    done_at = [naive.done[op] for op in range(len(program.ops))]
    assert list(machine.scoreboard.done_at) == list(ahead.scoreboard.done_at) == done_at
    assert listener.requests == naive.requests


@settings(_SLOW, max_examples=25)
@given(cases(widest=14, most_tiles=3))
def test_a_checkpointed_step_too(case: Case) -> None:
    _check_equal(case.program)


@_SLOW
@given(programs(widest=14, most_steps=4))
def test_every_counter_op_and_request_is_that_of_the_naive_machine(program: Program) -> None:
    _check_all(program)


@settings(_SLOW, max_examples=40)
@given(programs(widest=14, most_steps=4, arrays=ARRAYS))
def test_on_arrays_that_take_different_columns_too(program: Program) -> None:
    _check_equal(program)


@settings(_SLOW, max_examples=30)
@given(sparse_programs(arrays=ARRAYS))
def test_arrays_take_compressed_columns_as_long_as_on_the_naive_machine(case: Any) -> None:
    _check_equal(case[0])


@settings(_SLOW, max_examples=4)
@given(programs(widest=60, most_steps=3, arrays=ARRAYS))
def test_arrays_take_columns_larger_than_the_buffer_too(program: Program) -> None:
    _check_equal(program)


@settings(_SLOW, max_examples=40)
@given(cached_programs(widest=14, most_steps=4))
def test_with_a_column_cache_too(program: Program) -> None:
    _check_all(program)


@settings(_SLOW, max_examples=20)
@given(grouped_programs(widest=14, most_steps=4))
def test_with_weight_gradients_in_groups_too(program: Program) -> None:
    _check_all(program)


@settings(_SLOW, max_examples=4)
@given(online_programs(widest=9, most_steps=3))
def test_where_each_step_learns_at_once_too(program: Program) -> None:
    _check_equal(program)


@pytest.mark.long
@settings(_SLOW, max_examples=300)
@given(st.one_of(programs(), cached_programs(), grouped_programs(), online_programs()))
def test_larger_programs_with_a_column_cache_or_without(program: Program) -> None:
    _check_all(program)


@settings(_SLOW, max_examples=15)
@given(optimised_programs(widest=9, most_steps=2))
def test_with_another_optimiser_every_request_is_made_in_the_same_cycle(program: Program) -> None:
    naive, (machine, listener) = NaiveMachine(program), machine_with_log(program)
    assert machine.run() == naive.run() >= analytic.count(program).cycles
    assert listener.requests == naive.requests


@settings(_SLOW, max_examples=18)
@given(sparse_programs() | sparse_programs(most_tiles=4) | sparse_programs(groups=(2, 3, 40)))
def test_compressed_columns_take_as_long_as_on_the_naive_machine(case: Any) -> None:
    _check_equal(case[0])


@settings(_SLOW, max_examples=4)
@given(programs(widest=60, most_steps=3))
def test_columns_larger_than_the_buffer_and_than_a_row(program: Program) -> None:
    _check_equal(program)


@settings(_SLOW, max_examples=40)
@given(
    architectures(),
    st.sampled_from(["matvec", "matvec_t", "outer"]),
    st.integers(1, 12),
    st.integers(1, 40),
    st.integers(1, 40),
    st.floats(0, 1),
)
def test_plain_matrices(architecture: Any, mode: str, steps: int, columns: int, rows: int, occupancy: float) -> None:
    _check_equal(lower_matrix(architecture, mode, uniform_masks(steps, columns, occupancy, 1), rows))


@settings(_SLOW, max_examples=40)
@given(programs())
def test_no_column_is_read_before_it_has_been_written_back(program: Program) -> None:
    machine, listener = machine_with_log(program)
    machine.run()
    gradients = [t for t in program.tensors if t.kind == "gradients" and t.remote]
    for tensor in gradients:
        reads: dict[int, int] = {}
        writes: dict[int, int] = {}
        for _, kind, address, size in listener.requests:
            if tensor.address <= address < tensor.address + tensor.bytes:
                count = writes if kind == "write" else reads
                for byte in range(address, address + size, tensor.word_bytes):
                    count[byte] = count.get(byte, 0) + 1
                    # A word is fetched for the n-th time only after it has gone back n - 1 times, and the other way.
                    assert 0 <= reads.get(byte, 0) - writes.get(byte, 0) <= 1
        assert reads == writes


@pytest.mark.parametrize("seed", range(3))
def test_two_runs_are_the_same(seed: int) -> None:
    from deltatrain.accel.architecture import Architecture

    machine = Architecture.named("edge", {"placement.weights": "remote"})
    program = lower_matrix(machine, "outer", uniform_masks(20, 40, 0.3, seed), 40)
    assert cycle.count(program) == cycle.count(program)
