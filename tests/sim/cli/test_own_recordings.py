"""Recordings of one's own through the command line: shown, trained on, simulated, and never taken for others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import recording_files as files

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.result import Result
from deltatrain.sim.sweep.point import Base, Simulator
from deltatrain.sim.sweep.space import Space
from deltatrain.sim.sweep.trained import trained_trace
from deltatrain.workloads.own_data import OwnData
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload

WORKLOAD = """
name = "mine"
dataset = {dataset}
cell = "delta_gru"
hidden = [6]
theta_x = 0.2
theta_h = 0.1

[training]
epochs = 2
batch = 8
learning_rate = 0.01
"""


def described(folder: Path, dataset: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(WORKLOAD.format(dataset=dataset))
    return path


SETS = {
    "csv": (lambda root: files.write_csv(root / "a.csv"), '"a.csv"'),
    "npz": (lambda root: files.write_npz(root / "a.npz"), '"./a.npz"'),
    "wav": (lambda root: files.write_wav_folder(root / "sounds"), '{path = "sounds", front_end = "mfcc"}'),
    "ts": (
        lambda root: [(root / f"Toy_{part}.ts").write_text(files.TS + "1,2:3,4:left\n") for part in ("TRAIN", "TEST")],
        '"Toy_TRAIN.ts"',
    ),
}


@pytest.mark.parametrize("kind", SETS)
def test_own_recordings_run_end_to_end(deltatrain, tmp_path, kind):
    write, dataset = SETS[kind]
    write(tmp_path)
    path = described(tmp_path, dataset)
    out = tmp_path / "out"
    ran = deltatrain("run", "--workload", path, "--on", "tiny", "--out", out)
    assert ran.status == 0, ran.stderr
    digest = Workload.named(path).dataset.load().digest
    result, trace = Result.load(out / "result.json"), Trace.load(out / "trace.npz")
    assert trace.data_digest == result.provenance["data_digest"] == digest
    assert [counts.accuracy >= 0 for counts in trace.epochs] == [True, True]
    again = deltatrain("simulate", out / "trace.npz", "--on", "tiny", "--json")
    found = json.loads(again.stdout)
    assert found["counters"]["cycles"] == result.counters.cycles
    assert found["provenance"]["data_digest"] == digest


def test_a_trace_is_simulated_where_its_recordings_are_not(deltatrain, tmp_path):
    files.write_npz(tmp_path / "a.npz")
    out = tmp_path / "out"
    assert deltatrain("train", "-w", described(tmp_path, '"a.npz"'), "--out", out).status == 0
    (tmp_path / "a.npz").unlink()
    assert deltatrain("simulate", out / "trace.npz", "--on", "tiny", "--fidelity", "analytic").status == 0


def test_training_does_not_go_on_with_other_recordings(deltatrain, tmp_path):
    files.write_npz(tmp_path / "a.npz")
    path, out = described(tmp_path, '"a.npz"'), tmp_path / "out"
    assert deltatrain("train", "-w", path, "--out", out).status == 0
    assert deltatrain("train", "-w", path, "--out", out, "--resume").status == 0
    values, labels = files.sequences(seed=5)
    np.savez(tmp_path / "a.npz", x=np.concatenate(values), lengths=[len(v) for v in values], y=labels)
    ran = deltatrain("train", "-w", path, "--out", out, "--resume")
    assert ran.status == 2 and "belongs to other recordings" in ran.stderr


def test_what_is_kept_of_a_training_is_known_by_its_recordings(tmp_path, monkeypatch):
    from deltatrain.sim.sweep import trained

    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path / "cache"))
    files.write_npz(tmp_path / "a.npz")
    workload = Workload.named(described(tmp_path, '"a.npz"'))
    first = trained_trace(workload)
    assert trained_trace(workload) == first
    values, labels = files.sequences(seed=5)
    np.savez(tmp_path / "a.npz", x=np.concatenate(values), lengths=[len(v) for v in values], y=labels)
    trained.forget_recordings()
    other = trained_trace(workload)
    assert other.data_digest == workload.dataset.load().digest != first.data_digest
    assert len(list((tmp_path / "cache" / "trained").glob("*.npz"))) == 2


def test_a_sweep_is_of_its_recordings(tmp_path):
    files.write_npz(tmp_path / "a.npz")
    path = described(tmp_path, '"a.npz"')
    table = {
        "name": "lanes",
        "about": "lanes",
        "machine": "tiny",
        "workload": str(path),
        "fidelity": "analytic",
        "vary": {"machine.engine.lanes": {"values": [4]}},
        "objectives": {"cycles": "minimise"},
    }
    before = Space.from_table(table).base.identity
    assert Space.from_table(table).base.identity == before
    files.write_npz(tmp_path / "a.npz", part=np.array(["train", "test"] * 15))
    assert Space.from_table(table).base.identity != before


def test_a_sweep_over_paths_is_of_the_recordings_that_lie_there(tmp_path):
    for name in ("a", "b"):
        files.write_npz(tmp_path / f"{name}.npz")
    path = described(tmp_path, '{ path = "a.npz", format = "npz" }')
    table = {
        "name": "data",
        "about": "data",
        "machine": "tiny",
        "workload": str(path),
        "fidelity": "analytic",
        "vary": {"workload.dataset.path": {"values": [str(tmp_path / "a.npz"), str(tmp_path / "b.npz")]}},
        "objectives": {"cycles": "minimise"},
    }
    before = Space.from_table(table).base.identity
    files.write_npz(tmp_path / "b.npz", part=np.array(["train", "test"] * 15))
    assert Space.from_table(table).base.identity != before


def test_a_second_sweep_reads_recordings_that_changed(tmp_path, monkeypatch):
    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path / "cache"))
    files.write_npz(tmp_path / "a.npz")
    workload = Workload.named(described(tmp_path, '"a.npz"')).model_dump(mode="json", exclude_none=True)
    machine = Architecture.named("tiny").model_dump(mode="json")
    base = Base(machine, workload, (), "analytic", False)
    first = Simulator(base).row({})
    values, labels = files.sequences(seed=5)
    np.savez(tmp_path / "a.npz", x=np.concatenate(values), lengths=[len(v) for v in values], y=labels)
    second = Simulator(base).row({})
    assert "failure" not in first | second
    assert len(list((tmp_path / "cache" / "trained").glob("*.npz"))) == 2


def test_data_show_prints_tables_and_draws(deltatrain, tmp_path):
    files.write_csv(tmp_path / "a.csv")
    out = tmp_path / "out"
    change = "workload.dataset.split.validation=0.2"
    ran = deltatrain("data", "show", tmp_path / "a.csv", "--out", out, "--set", change)
    assert ran.status == 0, ran.stderr
    rows = [line.split() for line in ran.stdout.splitlines()]
    table = {"path": str((tmp_path / "a.csv").resolve()), "split": {"validation": 0.2}}
    recordings = OwnData.from_table(table).load()
    assert ["digest", recordings.digest] in rows
    for name, part in recordings.parts().items():
        numbers = (len(part), part.lengths.min(), int(part.lengths.mean()), part.lengths.max(), part.lengths.sum())
        assert [name, *map(str, numbers)] in rows
    assert ["x", "6", "2", "2"] in rows
    assert (out / "recordings.png").read_bytes()[:4] == b"\x89PNG"


def test_data_show_takes_a_workload_and_a_name(deltatrain, tmp_path):
    files.write_wav_folder(tmp_path / "sounds")
    path = described(tmp_path, '{path = "sounds", front_end = {name = "mfcc", coefficients = 7}}')
    assert "7" in deltatrain("data", "show", path, "--out", tmp_path / "out").stdout
    ran = deltatrain("data", "show", "synthetic", "--out", tmp_path / "out")
    assert ran.status == 2 and "no recordings to show" in ran.stderr
    ran = deltatrain("data", "show", "digts")
    assert ran.status == 2 and "did you mean 'digits'?" in ran.stderr
    ran = deltatrain("data", "show", "vowels", "--set", "machine.engine.lanes=3")
    assert ran.status == 2 and "workload.dataset.FIELD=VALUE" in ran.stderr


def test_data_show_counts_words(deltatrain, tmp_path):
    files.write_ptb(tmp_path / "ptb")
    ran = deltatrain("data", "show", tmp_path / "ptb")
    assert ran.status == 0, ran.stderr
    rows = [line.split() for line in ran.stdout.splitlines()]
    assert ["vocabulary", "15", "words"] in rows
    assert ["train", "16"] in rows and ["the", "1"] in rows


def test_describe_shows_where_recordings_lie(deltatrain, tmp_path):
    shown = deltatrain("describe", described(tmp_path, '"a.npz"')).stdout
    assert shown.count("a.npz") == 1 and "delta_gru" in shown


def test_a_study_is_repeated_on_recordings_of_ones_own(deltatrain, tmp_path, monkeypatch):
    from deltatrain.sim.studies import _training, operations

    files.write_fluent_speech_commands(tmp_path / "fsc")
    short = {"training.epochs": 1, "training.dense_epochs": 0}
    monkeypatch.setattr(operations, "SMALL_SETTINGS", operations.SMALL_SETTINGS._replace(changes=short))
    trained = []

    def outcomes(workloads, load, folder, progress):
        trained.extend(workloads.values())
        return {key: _training._outcome(workload, load, folder) for key, workload in workloads.items()}

    monkeypatch.setattr(_training, "_outcomes", outcomes)  # in this process
    words = ("study", "operations", "--small", "--out", tmp_path / "out", "--json", "--data", tmp_path / "fsc")
    ran = deltatrain(*words)
    assert ran.status == 0, ran.stderr
    assert [row["trial"] for row in json.loads(ran.stdout)] == ["dense", "small"]
    assert {workload.dataset.path for workload in trained} == {str((tmp_path / "fsc").resolve())}
    assert deltatrain("study", "dram", "--data", tmp_path).stderr == (
        f"deltatrain: study 'dram' takes no recordings but its own: leave --data {tmp_path} out\n"
    )
