from __future__ import annotations

import json

import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.result import Result
from deltatrain.sim.gathering import gather
from deltatrain.sim.run import synthetic_trace
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.workload import Workload


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a run, the same trace on another machine, and a sweep."""
    from deltatrain.sim.cli import main
    from deltatrain.sim.sweep import sweep

    folder = tmp_path_factory.mktemp("out") / "several"
    assert main(["run", "-w", "tiny", "--on", "tiny", "--out", str(folder / "run")]) == 0
    trace = str(folder / "run" / "trace.npz")
    assert main(["simulate", trace, "--on", "edge", "--out", str(folder / "simulated")]) == 0
    space = {
        "name": "lanes",
        "machine": "tiny",
        "workload": "tiny",
        "vary": {"machine.engine.lanes": [2, 4, 8]},
        "objectives": {"seconds": "minimise", "local_bytes": "minimise"},
    }
    sweep(space, folder / "sweep", workers=1)
    return folder


def test_a_folder_of_several_is_one_page(folder, deltatrain, tmp_path):
    page = tmp_path / "page.html"
    ran = deltatrain("report", folder, "--out", page)
    assert ran.status == 0 and ran.stdout.startswith("Written to") and str(page.name) in ran.stdout
    text = page.read_text()
    for name in ("several", "tiny on tiny · ", "tiny on edge · ", "Sweep lanes", "Side by side"):
        assert name in text


def test_a_run_has_its_page_beside_it(folder, deltatrain):
    ran = deltatrain("report", folder / "run")
    assert ran.status == 0
    text = (folder / "run" / "report.html").read_text()
    assert '<h1 id="run-0-title">tiny on tiny</h1>' in text
    again = deltatrain("report", folder / "run")
    assert again.status == 0 and (folder / "run" / "report.html").read_text() == text
    (folder / "run" / "report.html").unlink()


def test_what_the_memories_hold_is_what_the_program_keeps(folder, tmp_path):
    run, simulated = gather(folder, tmp_path / "page.html").runs
    trace = synthetic_trace(Workload.named("tiny"))
    shape = Shape.of(trace.workload.cell, trace.inputs, trace.workload.hidden, trace.classes)
    program = lower(Architecture.named("tiny"), shape, trace.recorded[-1], trace.workload.readout)
    assert (run.held.local_bytes, run.held.remote_bytes) == (program.local_bytes, program.remote_bytes)
    assert sum(run.held.local_bytes.values()) <= run.result.architecture["local"]["bytes"]
    assert simulated.held is None and simulated.curves is None  # there is no trace in its folder


def test_another_workloads_trace_is_not_taken_for_the_runs(folder, tmp_path, deltatrain):
    (tmp_path / "run").mkdir()
    for name in ("result.json", "trace.npz"):
        (tmp_path / "run" / name).write_bytes((folder / "run" / name).read_bytes())
    path = tmp_path / "run" / "result.json"
    table = json.loads(path.read_text())
    table["provenance"]["workload_digest"] = "0" * 16
    path.write_text(json.dumps(table))
    (run,) = gather(tmp_path, tmp_path / "page.html").runs
    assert run.held is None and run.curves is None


def test_a_timeline_is_linked_from_where_the_page_is(folder, tmp_path):
    timeline = folder / "run" / "timeline.json"
    timeline.write_text("{}")
    try:
        runs = gather(folder, folder / "pages" / "page.html").runs
        assert [run.timeline for run in runs] == ["../run/timeline.json", ""]
    finally:
        timeline.unlink()


def test_a_sweep_is_the_table_that_it_left(folder, tmp_path):
    (sweep,) = gather(folder, tmp_path / "page.html").sweeps
    assert sweep.fields == ("machine.engine.lanes",) and len(sweep.table) == 3
    assert sweep.objectives == {"seconds": "minimise", "local_bytes": "minimise"}


def test_figures_for_papers_come_with_the_page(folder, deltatrain, tmp_path):
    ran = deltatrain("report", folder, "--out", tmp_path / "page.html", "--figures", "svg")
    assert ran.status == 0
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "figures").iterdir()}
    names = {
        f"simulated-{name}"
        for name in ("phase_breakdown", "memory_traffic", "roofline", "energy_breakdown", "memory_over_time")
    }
    names |= {name.replace("simulated", "run") for name in names} | {"run-memory_use", "run-occupancy"}
    assert set(written) == {f"{name}.svg" for name in names | {"lanes-seconds-local_bytes"}}
    assert all(text.rstrip().endswith("</svg>") for text in written.values())


def test_mistakes_are_one_line(folder, deltatrain, tmp_path):
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "result.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    for words, named in (
        ((tmp_path / "nowhere",), "nowhere"),
        ((tmp_path / "empty",), "result.json"),
        ((tmp_path / "damaged",), "result.json"),
        ((folder, "--out", tmp_path / "nowhere" / "page.html"), "page.html"),
        ((folder, "--figures", "bmp"), "bmp"),
    ):
        ran = deltatrain("report", *words)
        assert ran.status == 2 and ran.stdout == ""
        assert ran.stderr.startswith("deltatrain: ") and ran.stderr.count("\n") == 1 and named in ran.stderr


def test_an_unknown_machine_of_another_version_is_one_line(folder, deltatrain, tmp_path):
    (tmp_path / "run").mkdir()
    table = Result.load(folder / "run" / "result.json").model_dump(mode="json")
    table["architecture"]["engine"]["warps"] = 3
    (tmp_path / "run" / "result.json").write_text(json.dumps(table))
    ran = deltatrain("report", tmp_path)
    assert ran.status == 2 and ran.stderr.count("\n") == 1 and "engine.warps" in ran.stderr


@pytest.mark.parametrize("forged", [9, None, True, "0"])
def test_a_step_that_the_trace_does_not_have_is_said(deltatrain, tmp_path, forged):
    assert deltatrain("run", "-w", "tiny", "--on", "tiny", "-f", "analytic", "--out", str(tmp_path / "run")).status == 0
    path = tmp_path / "run" / "result.json"
    result = json.loads(path.read_text())
    result["provenance"]["recorded_step"] = forged
    path.write_text(json.dumps(result))
    ran = deltatrain("report", str(tmp_path / "run"))
    assert ran.status == 2
    assert f"provenance.recorded_step must be 0 to 0, which its trace has, not {forged!r}" in ran.stderr
