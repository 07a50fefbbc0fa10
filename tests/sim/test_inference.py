"""What a person reads of a forward pass alone: nothing in it speaks of a training step, nor of an update."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.quantity import quantity
from deltatrain.accel.result import Result
from deltatrain.reports.figures import energy_breakdown
from deltatrain.sim.cli.summary import summary
from deltatrain.sim.report import report
from deltatrain.sim.run import simulate, synthetic_trace
from deltatrain.workloads.workload import Workload


@pytest.fixture(scope="module")
def ran() -> Result:
    workload = Workload.named("tiny", {"phases": ["FP"], "training.optimiser": "adamw"})
    return simulate(Architecture.named("tiny", {"host.request_s": 1e-3}), workload)


def test_no_word_of_a_training_step_is_in_page_figure_and_tables(ran: Result) -> None:
    console = Console(file=io.StringIO(), width=200, record=True)
    console.print(*summary(ran))
    tables, page = console.export_text(), report(ran)
    (title, *_) = [text.get_text() for text in energy_breakdown.draw(ran).texts]
    assert "update (WU) is plain" not in tables + page
    assert "training step" not in tables + page + title
    assert "One forward pass in its phases" in page and title == energy_breakdown.TITLE


def test_steps_a_second_are_the_machine_s_where_latency_has_a_host_s_share(ran: Result) -> None:
    assert ran.latency
    console = Console(file=io.StringIO(), width=400, record=True)
    console.print(*summary(ran))
    rate = ran.latency.steps / ran.counters.seconds
    assert f"{quantity(rate)} steps a second of the machine alone" in console.export_text()


@pytest.mark.parametrize("policy", ["segment", "tape_to_dram"])
def test_a_checkpoint_policy_is_not_ignored(policy: str) -> None:
    machine, workload = Architecture.named("tiny", {"checkpoint.policy": policy}), Workload.named("tiny")
    simulate(machine, workload, fidelity="analytic")
    with pytest.raises(ConfigError, match=f"^checkpoint.policy must be 'store_all' or left out .*, not '{policy}'$"):
        simulate(machine, workload.with_changes(phases=("FP",)), fidelity="analytic")


def test_a_trace_of_a_whole_training_is_run_forward_alone(deltatrain, tmp_path: Path) -> None:
    path = tmp_path / "trace.npz"
    synthetic_trace(Workload.named("tiny")).save(path)
    whole, alone = (
        json.loads(deltatrain("simulate", path, "--on", "tiny", "--json", *changed).stdout)["counters"]["phases"]
        for changed in ((), ("--set", 'workload.phases=["FP"]'))
    )
    assert alone["FP"]["busy_cycles"] == whole["FP"]["busy_cycles"] > 0
    assert whole["BP"]["busy_cycles"] > 0 == alone["BP"]["busy_cycles"]
    refused = deltatrain("simulate", path, "--on", "tiny", "--set", "workload.theta_x=1")
    assert refused.status == 2 and "but for workload.phases" in refused.stderr
