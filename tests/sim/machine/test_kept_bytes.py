"""How full local memory is over time, against the naive machine, and what of it a result keeps."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from checkpoint_programs import Case, cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naive_machine import NaiveMachine

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.machine.kept_bytes import KEPT, KeptBytes
from deltatrain.sim.run import simulate
from deltatrain.workloads.workload import Workload

_SLOW = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def _at_end_of_cycles(levels: list[tuple[int, int]]) -> dict[int, int]:
    return dict(levels)


@_SLOW
@given(cases(widest=14))
def test_levels_are_those_of_the_naive_machine(case: Case) -> None:
    program, held = case.program, KeptBytes()
    cycle.count(program, None, held)
    naive = NaiveMachine(program)
    naive.run()
    rows, kept = program.kept_bytes.T
    changes = np.diff(kept, prepend=0)
    ends = sorted((naive.done[row], change) for row, change in zip(rows.tolist(), changes, strict=True))
    wanted = list(zip([at for at, _ in ends], accumulate(change for _, change in ends), strict=True))
    assert _at_end_of_cycles(list(held.over_time())) == _at_end_of_cycles(wanted)


@given(st.sampled_from([1, 20, 255, 256, 257, 700, 2000]), st.integers(0, 2**32 - 1))
def test_sampled_levels_keep_the_peak_and_the_order(points: int, seed: int) -> None:
    levels, held = np.random.default_rng(seed).integers(0, 10**6, points).tolist(), KeptBytes()
    for at, value in enumerate(levels):
        held.level(KEPT, at, value)
    kept = held.over_time()
    assert len(kept) <= 256 and list(kept) == sorted(kept)
    assert max(value for _, value in kept) == max(levels)
    assert all(levels[at] == value for at, value in kept)


def test_a_result_tells_it_and_nothing_is_held_in_the_end() -> None:
    workload = Workload.named("tiny")
    result = simulate(Architecture.named("tiny", {"placement.tape": "local"}), workload)
    assert result.held_bytes[-1][1] == 0 < max(value for _, value in result.held_bytes)
    assert simulate(Architecture.named("tiny", {"placement.tape": "remote"}), workload).held_bytes == ()
    assert simulate(Architecture.named("tiny"), workload, fidelity="analytic").held_bytes == ()
