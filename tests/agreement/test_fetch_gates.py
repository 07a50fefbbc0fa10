"""Fetch and lanes as gates, in lock-step with the memory, against the cycle law and the integer results."""

from __future__ import annotations

import pytest
from fetch_bench import FetchBench, Operands
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matrix_programs import matrix_programs, training_steps
from request_log import RequestLog, machine_with_log

from deltatrain.accel.program import Program

_SLOW = settings(suppress_health_check=list(HealthCheck))


def check(program: Program, seed: int) -> None:
    """Compare the cycles of all ops and requests, and all that is computed."""
    (machine, expected), operands = machine_with_log(program), Operands(program, seed)
    total = machine.run()
    bench = FetchBench(operands)
    seen = RequestLog(bench.port)
    outcome, golden = bench.run(), operands.golden()
    assert [bench.units.done[op] for op in range(len(program.ops))] == list(machine.scoreboard.done_at)
    assert seen.requests == expected.requests
    assert bench.cycles == total
    assert outcome.image == golden.image
    assert outcome.results == golden.results
    assert (outcome.memory == golden.memory).all()


@settings(_SLOW, max_examples=8)
@given(matrix_programs(), st.integers(0, 2**16))
def test_random_ops(program: Program, seed: int) -> None:
    check(program, seed)


@settings(_SLOW, max_examples=3)
@given(training_steps(), st.integers(0, 2**16))
def test_training_steps(program: Program, seed: int) -> None:
    check(program, seed)


@pytest.mark.long
@settings(_SLOW, max_examples=400)
@given(st.one_of(matrix_programs(), matrix_programs(), matrix_programs(), training_steps()), st.integers(0, 2**16))
def test_many_of_both(program: Program, seed: int) -> None:
    check(program, seed)
