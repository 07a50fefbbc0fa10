"""The sentence on the bottleneck says what the counters say."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.counters import PhaseCounters
from deltatrain.reports.bottleneck import bottleneck
from deltatrain.reports.palette import CAUSE_LABELS

IDLE = PhaseCounters(
    busy_cycles=0, stall_cycles={}, macs=0, skipped_macs=0, fired=0, elements=0, remote_bytes=0, local_bytes=0
)


def _of(result, phases):
    phases = {name: IDLE.model_copy(update=phases.get(name, {})) for name in ("FP", "BP", "WG", "WU")}
    cycles = sum(phase.cycles for phase in phases.values())
    counters = result.counters.model_copy(update={"phases": phases, "cycles": cycles})
    return result.model_copy(update={"counters": counters})


@given(
    st.dictionaries(st.sampled_from(["FP", "BP", "WG", "WU"]), st.integers(1, 10**9), min_size=1),
    st.sampled_from(list(CAUSE_LABELS)),
    st.integers(0, 10**9),
)
def test_names_the_longest_phase_and_its_longest_wait(random_result, busy, cause, waited):
    result = _of(
        random_result(1),
        {name: {"busy_cycles": count, "stall_cycles": {cause: waited}} for name, count in busy.items()},
    )
    phases = result.counters.phases
    longest = max(phases.values(), key=lambda phase: phase.cycles)
    said = bottleneck(result)
    assert phases[re.search(r"\((\w+)\)", said)[1]].cycles == longest.cycles
    shares = [float(number) for number in re.findall(r"([\d.]+) %", said)]
    assert abs(shares[0] - 100 * longest.cycles / result.counters.cycles) < 0.06
    assert abs(shares[1] - 100 * longest.busy_cycles / longest.cycles) < 0.06
    if waited >= 0.005 * longest.cycles:
        assert CAUSE_LABELS[cause].removeprefix("waits ") in said


def test_a_forward_pass_alone_is_no_step(random_result):
    """Its latency is told of a step, which is a part of it."""
    result = _of(random_result(1), {"FP": {"busy_cycles": 3}})
    assert "100.0 % of the step" in bottleneck(result)
    alone = result.model_copy(update={"workload": result.workload | {"phases": ["FP"]}})
    assert "100.0 % of the pass" in bottleneck(alone)
    assert "step" not in bottleneck(alone)


def test_a_run_without_work_says_so(random_result):
    assert "nothing" in bottleneck(_of(random_result(1), {}))
