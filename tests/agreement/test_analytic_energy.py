"""The analytic fidelity prices a DRAM by the least that it can do: never above the cycle fidelity, and close to it."""

from __future__ import annotations

import pytest
from checkpoint_programs import Case, cases
from hypothesis import HealthCheck, given, settings
from programs import programs, sparse_programs

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.dram import DramPart
from deltatrain.accel.dram_parts import DRAM_PARTS
from deltatrain.accel.pricing.run_energy import energy_j
from deltatrain.accel.program import Program
from deltatrain.sim.fidelity import analytic, cycle
from deltatrain.sim.run import synthetic_trace
from deltatrain.workloads.lowering import step_programs
from deltatrain.workloads.workload import Workload

_SLOW = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
WITH_CURRENTS = [name for name in DRAM_PARTS.names() if DramPart.named(name).currents]


def _is_bounded(program: Program) -> None:
    bound, counted = analytic.count(program), cycle.count(program)
    for count in ("activates", "refreshes", "read_bursts", "write_bursts", "active_ticks"):
        assert getattr(bound.remote, count) <= getattr(counted.remote, count), count
    clocks = [run.remote.active_ticks + run.remote.idle_ticks for run in (bound, counted)]
    assert clocks[0] <= clocks[1]
    least, spent = (energy_j(run, program.architecture) for run in (bound, counted))
    assert list(least) == list(spent), "one model at both fidelities"
    for component, joules in least.items():
        assert joules <= spent[component] * (1 + 1e-12), component


@settings(_SLOW, max_examples=60)
@given(programs())
def test_every_count_and_every_energy_is_a_lower_bound(program: Program) -> None:
    _is_bounded(program)


@settings(_SLOW, max_examples=15)
@given(cases(widest=14, most_tiles=3))
def test_they_are_of_checkpointed_steps(case: Case) -> None:
    _is_bounded(case.program)


@settings(_SLOW, max_examples=15)
@given(sparse_programs())
def test_they_are_on_compressed_columns(case: tuple[Program, object]) -> None:
    _is_bounded(case[0])


@pytest.mark.parametrize("policy", ["open", "closed"])
@pytest.mark.parametrize("device", WITH_CURRENTS)
def test_the_bound_is_close(device: str, policy: str) -> None:
    """A small layer from DRAM, where latencies, which have no closed form, count most: two thirds at least."""
    bus_bits = DramPart.named(device).usual_bus_bits
    remote = {"remote.device": device, "remote.bus_bits": bus_bits, "remote.row_policy": policy, "cache.bytes": 0}
    machine = Architecture.named("edge", remote | {"dma.bytes_per_cycle": max(16, bus_bits // 4)})
    small = {"hidden": [48], "training.batch": 1, "synthetic.steps": 12}
    trace = synthetic_trace(Workload.named("synthetic", small))
    program = step_programs.recorded_program(machine, trace, trace.recorded[-1])
    _is_bounded(program)
    least, spent = (_dram_j(energy_j(fidelity.count(program), machine)) for fidelity in (analytic, cycle))
    assert 2 / 3 * spent <= least <= spent


def _dram_j(energy: dict[str, float]) -> float:
    found = [joules for component, joules in energy.items() if component.startswith("DRAM")]
    assert found, "priced by its currents"
    return sum(found)
