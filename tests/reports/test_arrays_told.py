"""What several arrays waited for each other is told in the summary and on the page; one array says nothing of it."""

from __future__ import annotations

import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.result import Result
from deltatrain.reports.page import arrays, sections
from deltatrain.reports.page.contents import Run
from deltatrain.reports.page.machine import blocks
from deltatrain.reports.table import array_rows
from deltatrain.sim.cli import describe, screen
from deltatrain.sim.cli.summary import summary
from deltatrain.sim.run import simulate
from deltatrain.workloads.workload import Workload


@pytest.fixture(scope="module", params=[1, 4])
def result(request: pytest.FixtureRequest) -> Result:
    machine = Architecture.named("tiny", {"engine.arrays": request.param})
    return simulate(machine, Workload.named("tiny", {"synthetic.occupancy_x": 0.5, "synthetic.occupancy_h": 0.5}))


def test_imbalance_is_the_share_of_busy_cycles_in_which_an_array_had_no_column(result: Result) -> None:
    rows = array_rows(result)
    assert bool(rows) == (result.counters.lanes > 4)
    for row in rows:
        for prefix, run in (("", result.counters), ("dense_", result.dense)):
            assert run is not None
            phase = run.phases[str(row["phase"])]
            idle_lanes = float(row[f"{prefix}imbalance"]) * phase.busy_cycles * run.lanes
            assert idle_lanes == pytest.approx(4 * float(row[f"{prefix}imbalance_cycles"]))
            assert idle_lanes <= phase.empty_lane_cycles(run.lanes)
    assert all(row["dense_imbalance"] <= row["imbalance"] for row in rows if row["phase"] != "WU")


def test_summary_and_page_have_a_table_of_it(result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    several = result.counters.lanes > 4
    screen.show(*summary(result))
    assert ("Arrays of lanes" in capsys.readouterr().out) == several
    run = Run(name="run", result=result, fidelity="cycle")
    assert bool(arrays.tables(result)) == several
    assert blocks(run)["engine"].title == ("4 x 4 lanes" if several else "4 lanes")
    captions = [table.caption for section in sections.sections(run) for table in section.tables]
    assert ("Arrays of lanes" in captions) == several


def test_describe_says_what_arrays_take(capsys: pytest.CaptureFixture[str]) -> None:
    for arrays_, told in ((1, ""), (4, "4 of 4 lanes, a column each: they take 32 bytes of weights a cycle")):
        describe.command("machine.tiny", changes=[f"machine.engine.arrays={arrays_}"])
        shown = " ".join(capsys.readouterr().out.split())
        assert (told in shown) and ("a column each" in shown) == (arrays_ > 1)
