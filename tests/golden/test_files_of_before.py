"""Files that an earlier version wrote are read as what they are, or refused in one line that names the version."""

from __future__ import annotations

import json
import shutil

import pytest
from golden_cases import HERE, printed, ran

from deltatrain.accel.result import Result
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.training.learning_state import load
from deltatrain.workloads.workload import Workload

FILES = HERE / "files_of_before"


@pytest.mark.parametrize(
    ("trace", "workload", "then"),
    [
        ("trace.npz", "workload.toml", {}),
        ("spikes.npz", "spikes.toml", {"neuron.listed_share": 0.25}),  # before a workload could say it
    ],
)
def test_a_trace_is_read_and_is_that_of_its_workload(trace, workload, then, tmp_path):
    found, described = Trace.load(FILES / trace), Workload.named(FILES / workload, then)
    assert found.workload == described
    assert len(found.recorded) == len(found.epochs) == described.training.epochs
    step = found.recorded[-1]
    assert len(set(step.lengths)) > 1  # ragged
    widths = (found.inputs, *described.hidden)
    assert [mask.shape[-1] for mask in step.fired_x] == list(widths[:-1])
    found.save(tmp_path / "again.npz")
    assert Trace.load(tmp_path / "again.npz") == found


def test_what_only_some_traces_have_is_there():
    assert Trace.load(FILES / "trace.npz").recorded[-1].weights
    assert Trace.load(FILES / "spikes.npz").recorded[-1].asked_h


def test_a_result_is_read_and_says_the_same():
    path = FILES / "result.json"
    found = Result.load(path)
    before, now = json.loads(path.read_text()), json.loads(found.model_dump_json())
    assert {name: now[name] for name in before} == before
    assert not any(now[name] for name in now.keys() - before.keys()), "what it did not know is empty"
    assert found.counters.cycles < found.dense.cycles


def test_a_learning_state_is_read_by_the_workload_it_is_of():
    workload = Workload.named(FILES / "workload.toml")
    state, trace = load(FILES / "training_state.npz", workload.digest()), Trace.load(FILES / "trace.npz")
    assert state.epochs == trace.epochs and len(state.recorded) == workload.training.epochs
    assert state.parameters.shape == state.mask.shape and not state.mask.all()
    assert not state.parameters[~state.mask].any()


def test_a_sweep_goes_on_from_its_journal_or_names_the_version(tmp_path):
    """The identity of a sweep has the version that made it, so that another version may refuse to add points to it."""
    shutil.copytree(FILES / "sweep", tmp_path / "sweep")
    journal = tmp_path / "sweep" / "journal.jsonl"
    before = journal.read_bytes()
    status, _, said = ran("sweep {here}/space.toml --out {out}/sweep --workers 1", tmp_path)
    assert journal.read_bytes() == before
    if status:
        assert status == 2 and "version of deltatrain" in said.splitlines()[-1]
    else:
        assert (tmp_path / "sweep" / "table.csv").read_text().count("\n") == before.count(b"\n")


def test_a_sweep_of_before_compares_with_itself(tmp_path):
    sides = printed("compare {here}/files_of_before/sweep {here}/files_of_before/sweep --json", tmp_path)
    assert json.loads(sides)
