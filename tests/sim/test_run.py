from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.dram import DramPart
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.result import Result
from deltatrain.sim.fidelity import FIDELITIES
from deltatrain.sim.run import simulate, synthetic_trace
from deltatrain.workloads.workload import Workload

TINY = Workload.named("tiny")


@pytest.mark.parametrize("fidelity", FIDELITIES.names())
def test_a_synthetic_workload_is_simulated_beside_its_dense_twin(fidelity: str) -> None:
    result = simulate(Architecture.named("edge"), TINY, fidelity=fidelity)
    assert result.fidelity == fidelity
    assert result.counters.macs < result.dense.macs
    assert result.speedup > 1
    for phase, counters in result.counters.phases.items():
        assert counters.macs + counters.skipped_macs == result.dense.phases[phase].macs
        assert result.dense.phases[phase].skipped_macs == 0
    assert result.training == {}


def test_every_clock_of_the_bus_and_every_starved_cycle_is_told_why() -> None:
    architecture = Architecture.named("edge")
    result = simulate(architecture, TINY)
    assert isinstance(architecture.device, DramPart)
    for run in (result.counters, result.dense):
        ticks, remote = run.remote.bus_ticks, run.remote
        assert sum(ticks.values()) == remote.active_ticks + remote.idle_ticks  # one channel, one rank
        assert ticks["read"] == remote.read_bursts * architecture.device.burst_cycles
        assert ticks["write"] == remote.write_bursts * architecture.device.burst_cycles
    assert sum(result.starved_cycles.values()) == result.counters.units["engine"].stall_cycles["stream"] > 0


def test_the_same_simulation_gives_the_same_result() -> None:
    machine = Architecture.named("edge")
    one, other = (simulate(machine, TINY) for _ in range(2))
    assert one.counters == other.counters
    assert one.dense == other.dense


def test_progress_never_falls_and_ends_at_one() -> None:
    shares: list[float] = []
    simulate(Architecture.named("tiny"), TINY, fidelity="analytic", on_progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_workload_that_must_be_trained_first_is_refused() -> None:
    with pytest.raises(ConfigError, match="'digits' must be trained before it can be simulated"):
        simulate(Architecture.named("edge"), Workload.named("digits"))


def test_a_step_that_was_not_recorded_is_refused() -> None:
    with pytest.raises(ConfigError, match="has 1 recorded training steps, so there is none with number 1"):
        simulate(Architecture.named("edge"), synthetic_trace(TINY), recorded=1)


def test_a_result_loads_back_and_in_pandas(tmp_path: Path) -> None:
    result = simulate(Architecture.named("edge"), TINY)
    path = tmp_path / "result.json"
    result.save(path)
    assert Result.load(path) == result
    row = pd.json_normalize(json.loads(path.read_text())).iloc[0]
    assert row["counters.cycles"] == result.counters.cycles
    assert row["architecture.engine.lanes"] == 8


def test_provenance_says_where_the_numbers_come_from() -> None:
    machine = Architecture.named("edge", {"engine.lanes": 4})
    provenance = simulate(machine, TINY).provenance
    assert provenance["architecture_digest"] == machine.digest() != Architecture.named("edge").digest()
    assert provenance["workload_digest"] == TINY.digest()
    assert provenance["seed"] == TINY.training.seed
