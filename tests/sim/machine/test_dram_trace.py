"""A run's requests in a file, replayed on the DRAM alone; and what that DRAM used."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from matrix_programs import training_steps

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.dram import DramPart
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.pricing.run_energy import energy_j
from deltatrain.accel.program import Program
from deltatrain.sim.dram.replay import replay
from deltatrain.sim.dram.trace_files import recorded
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.machine.dram_trace import write_trace
from deltatrain.workloads.lowering.matrix import lower_matrix
from deltatrain.workloads.synthetic import uniform_masks

_SLOW = settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@_SLOW
@given(program=training_steps())
def test_the_replay_does_to_the_banks_what_the_run_did(tmp_path: Path, program: Program) -> None:
    machine, file = program.architecture, tmp_path / "requests.trace"
    if not isinstance(machine.device, DramPart):
        with pytest.raises(ConfigError, match=r"needs a DRAM part as remote\.device, and 'zero_latency' has no bursts"):
            write_trace(program, file)
        assert not list(tmp_path.iterdir())
        return
    write_trace(program, file)
    replayed = replay(machine.device, machine.remote, recorded(file, machine.remote.bytes))
    remote = cycle.count(program).remote
    assert (remote.row_hits, remote.row_misses, remote.row_conflicts, remote.activates) == replayed.rows[:4]
    assert (remote.read_bursts, remote.write_bursts) == (replayed.rows.read_bursts, replayed.rows.write_bursts)
    file.unlink()


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    machine = Architecture.named("edge", {"placement.weights": "remote"})
    program = lower_matrix(machine, "matvec", uniform_masks(2, 8, 0.5, 1), 8)
    with pytest.raises(ConfigError, match="cannot be written: No such file or directory"):
        write_trace(program, tmp_path / "none" / "requests.trace")


@pytest.mark.parametrize(
    ("part", "bits", "labels"),
    [("ddr3_1600", 16, "DRAM"), ("lpddr4_4266", 32, "remote"), ("zero_latency", 64, "remote")],
)
def test_dram_is_priced_by_its_currents_where_they_are_published(part: str, bits: int, labels: str) -> None:
    changes = {"cache.bytes": 0, "remote.device": part, "remote.bus_bits": bits, "placement.weights": "remote"}
    machine = Architecture.named("edge", changes)
    program = lower_matrix(machine, "matvec", uniform_masks(20, 40, 0.5, 1), 64)
    counters = cycle.count(program)
    energy = energy_j(counters, machine)
    found = {name: joules for name, joules in energy.items() if name.startswith(("DRAM", "remote"))}
    assert {name.split()[0] for name in found} == {labels}
    if labels == "DRAM":
        # Idle all the time it would use IDD2N, open all the time IDD3N: VDD 1.35 V, two x8 devices.
        lowest, highest = (current * 1e-3 * 1.35 * 2 * counters.seconds for current in (32, 38))
        assert 0.99 * lowest <= found["DRAM standby"] <= 1.01 * highest
        reads = counters.remote.read_bytes / 16
        assert found["DRAM read"] == pytest.approx(reads * 1.35 * (157 - 38) * 1e-3 * 4 * 1.25e-9 * 2)
        assert found["DRAM write"] == 0
