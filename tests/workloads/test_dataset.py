"""The field `dataset` of a workload: a name, a path or a table; what it promises, and the digest of what is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recording_files as files
from numpy.testing import assert_allclose, assert_array_equal

from deltatrain.accel.errors import ConfigError, NetworkError
from deltatrain.workloads.dataset import makes_spikes, recordings_of
from deltatrain.workloads.datasets import DATASETS
from deltatrain.workloads.lowering.limits import workload_limits
from deltatrain.workloads.own_data import OwnData
from deltatrain.workloads.workload import Workload

MINE = """
base = "vowels"
name = "mine"
dataset = "recordings.csv"
"""


def named(changes: dict[str, Any]) -> Workload:
    return Workload.named("vowels", changes)


def test_a_name_stays_a_name_and_its_digest_what_it_was() -> None:
    workload = Workload.named("digits")
    assert workload.dataset == "digits"
    assert workload.model_dump(mode="json")["dataset"] == "digits"


def test_a_path_in_a_file_counts_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text(MINE)
    monkeypatch.chdir("/")
    expected = str(tmp_path.resolve() / "recordings.csv")
    assert Workload.named(tmp_path / "mine.toml").dataset == OwnData(path=expected)
    (tmp_path / "mine.toml").write_text(MINE.replace('"recordings.csv"', '{path = "recordings.csv", format = "csv"}'))
    assert Workload.named(tmp_path / "mine.toml").dataset == OwnData(path=expected, format="csv")


def test_a_path_in_a_change_counts_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = str(tmp_path.resolve() / "a.npz")
    assert named({"dataset": "a.npz"}).dataset == OwnData(path=expected)
    changed = named({"dataset": {"path": "b.npz"}, "dataset.path": "a.npz", "dataset.format": "npz"})
    assert changed.dataset == OwnData(path=expected, format="npz")


def test_a_table_comes_back_from_what_is_written() -> None:
    front_end = {"name": "mfcc", "channels": 20}
    workload = named({"dataset": {"path": "/x", "front_end": front_end, "split": {"by": "group", "validation": 0.1}}})
    written = json.loads(json.dumps(workload.model_dump(mode="json")))
    again = Workload.from_table(written)
    assert again == workload and again.digest() == workload.digest()
    assert written["dataset"]["front_end"]["coefficients"] == 13
    assert hash(again.dataset) == hash(workload.dataset)


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        (3, "dataset: must be a name, a path or a table, not 3"),
        ("digts", "dataset: data set 'digts' is not known, did you mean 'digits'?"),
        ({}, "dataset.path is missing"),
        ({"path": "x", "formt": "csv"}, "dataset.formt is not a field, did you mean 'format'?"),
        ({"path": "x", "format": "cvs"}, "dataset.format: data format 'cvs' is not known, did you mean 'csv'?"),
        ({"path": "x", "front_end": "mfc"}, "dataset.front_end: front end 'mfc' is not known, did you mean 'mfcc'?"),
        (
            {"path": "x", "front_end": {"name": "mfcc", "channels": 0}},
            "dataset.front_end: channels must be a positive integer, not 0",
        ),
        ({"path": "x", "columns": {"label": ""}}, "dataset.columns.label must have at least 1 characters, not ''"),
        ({"path": "x", "split": {"by": "person"}}, "dataset.split.by must be one of 'published', 'group' or 'share'"),
        ({"path": "x", "split": {"test": 1.0}}, "dataset.split.test must be less than 1.0, not 1.0"),
        ({"path": "x", "classes": ["a"]}, "dataset.classes must have at least 2 entries"),
        ({"path": "x", "standardise": "both"}, "dataset.standardise must be one of 'feature', 'all' or 'none'"),
        ({"path": "x", "delta_step": 0.0}, "dataset.delta_step must be a positive number, not 0.0"),
        ({"path": "x", "delta_step": 1.0, "spikes": True}, "dataset: delta_step must be left out"),
    ],
)
def test_a_table_that_is_wrong_is_told(dataset: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        named({"dataset": dataset})
    assert f"workload vowels: {said}" in str(caught.value)


def test_the_digest_is_of_values_labels_lengths_and_parts(tmp_path: Path) -> None:
    values, labels = files.sequences()
    x, lengths = np.concatenate(values), [len(v) for v in values]
    other = x.copy()
    other[17, 1] = np.nextafter(other[17, 1], np.float32(9))
    swapped = lengths.copy()
    swapped[0], swapped[1] = lengths[0] + 1, lengths[1] - 1
    arrays = {
        "as it is": {"x": x, "y": labels, "lengths": lengths},
        "one value by its last bit": {"x": other, "y": labels, "lengths": lengths},
        "labels": {"x": x, "y": np.roll(labels, 1), "lengths": lengths},
        "lengths": {"x": x, "y": labels, "lengths": swapped},
    }
    digests = {}
    for name, table in arrays.items():
        np.savez(tmp_path / "a.npz", **table)
        digests[name] = OwnData(path=str(tmp_path / "a.npz"), standardise="none").load().digest
    np.savez(tmp_path / "a.npz", **arrays["as it is"])
    for name, split in (("another split", {"seed": 1}), ("validation", {"validation": 0.2})):
        table = {"path": str(tmp_path / "a.npz"), "standardise": "none", "split": split}
        digests[name] = OwnData.from_table(table).load().digest
    assert len(set(digests.values())) == len(digests)
    assert digests["as it is"] == OwnData(path=str(tmp_path / "a.npz"), standardise="none").load().digest


def test_standardising_together_keeps_features_apart(tmp_path: Path) -> None:
    files.write_npz(tmp_path / "a.npz")
    one = OwnData(path=str(tmp_path / "a.npz"), standardise="all").load().train.values.astype(np.float64)
    raw = OwnData(path=str(tmp_path / "a.npz"), standardise="none").load().train.values.astype(np.float64)
    assert_allclose(one, (raw - raw.mean()) / raw.std(), atol=1e-6)


def test_groups_are_kept_out_of_training_whole(tmp_path: Path) -> None:
    group = [f"person {n // 3}" for n in range(30)]
    files.write_csv(tmp_path / "a.csv", group=group)
    table = {"path": str(tmp_path / "a.csv"), "standardise": "none", "split": {"test": 0.3, "validation": 0.2}}
    parts = OwnData.from_table(table).load().parts()
    assert {name: len(part) for name, part in parts.items()} == {"train": 18, "validation": 3, "test": 9}
    values, _ = files.sequences()
    person = {steps.tobytes(): name for steps, name in zip(values, group, strict=True)}
    people = {
        name: {person[s.tobytes()] for s in np.split(part.values, np.cumsum(part.lengths)[:-1])}
        for name, part in parts.items()
    }
    assert not people["train"] & people["test"] and not people["validation"] & (people["train"] | people["test"])


def test_a_share_has_equally_many_of_each_class(tmp_path: Path) -> None:
    files.write_npz(tmp_path / "a.npz")
    table = {"path": str(tmp_path / "a.npz"), "split": {"test": 0.2, "validation": 0.25}}
    parts = OwnData.from_table(table).load().parts()
    assert {name: np.bincount(part.labels).tolist() for name, part in parts.items()} == {
        "train": [6, 6, 6],
        "validation": [2, 2, 2],
        "test": [2, 2, 2],
    }


def test_spikes_are_told_without_reading(tmp_path: Path) -> None:
    assert makes_spikes("spikes") and makes_spikes("synthetic") and not makes_spikes("digits")
    for table, expected in (
        ({"path": "/x.npz"}, False),
        ({"path": "/x.npz", "spikes": True}, True),
        ({"path": "/x.npz", "delta_step": 0.5}, True),
        ({"path": "/x", "front_end": "cochlea"}, True),
        ({"path": "/x", "front_end": "log_mel"}, False),
        ({"path": "/x", "format": "heidelberg_spikes"}, True),
        ({"path": "/x", "format": "wav_folder"}, False),
    ):
        assert makes_spikes(OwnData.from_table(table)) is expected


def test_a_spiking_network_is_simulated_on_spikes_of_ones_own_alone(tmp_path: Path) -> None:
    files.write_npz(tmp_path / "a.npz")
    changes = {"cell": "lif", "theta_x": 0.0, "theta_h": 0.0, "training.dense_epochs": 0}
    values = Workload.named("vowels", changes | {"dataset": str(tmp_path / "a.npz")})
    assert any("dataset.spikes = true" in line for line in workload_limits(values))
    coded = Workload.named("vowels", changes | {"dataset": {"path": str(tmp_path / "a.npz"), "delta_step": 0.5}})
    assert workload_limits(coded) == []
    recordings = recordings_of(coded.dataset)
    assert_array_equal(np.unique(recordings.train.values), [0, 1])
    assert recordings.train.features == 6


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ({"name": "vowls", "validation": 0.1}, "dataset.name: data set 'vowls' is not known, did you mean 'vowels'?"),
        ({"name": "vowels"}, "dataset.validation is missing"),
        ({"name": "vowels", "validation": 1.0}, "dataset.validation must be less than 1.0, not 1.0"),
        ({"name": "vowels", "validation": 0.1, "path": "x"}, "dataset.path is not a field"),
    ],
)
def test_a_name_in_a_table_that_is_wrong_is_told(dataset: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        named({"dataset": dataset})
    assert str(caught.value).startswith(f"workload vowels: {said}")


def load(dataset: Any) -> Any:
    try:
        return recordings_of(named({"dataset": dataset}).dataset)
    except NetworkError as error:
        pytest.skip(str(error))


def test_a_data_set_by_name_gets_a_validation_part_out_of_training() -> None:
    whole, parted = load("vowels"), load({"name": "vowels", "validation": 0.1})
    assert parted.test is whole.test or parted.test.values.tobytes() == whole.test.values.tobytes()
    assert np.bincount(parted.validation.labels).tolist() == [3] * 9
    assert len(parted.train) == len(whole.train) - 27
    assert parted.digest != whole.digest

    def one_by_one(part: Any) -> list[bytes]:
        return [steps.tobytes() for steps in np.split(part.values, np.cumsum(part.lengths)[:-1])]

    assert sorted(one_by_one(parted.train) + one_by_one(parted.validation)) == sorted(one_by_one(whole.train))


def test_people_of_the_watch_validate_whole() -> None:
    whole, parted = load("watch"), load({"name": "watch", "validation": 0.25})
    groups = DATASETS.load("watch").train_groups()
    assert len(np.unique(groups)) == 8
    place = {w.tobytes(): who for w, who in zip(whole.train.values.reshape(-1, 600), groups, strict=True)}
    people = [{place[w.tobytes()] for w in part.values.reshape(-1, 600)} for part in (parted.train, parted.validation)]
    assert [len(names) for names in people] == [6, 2] and not people[0] & people[1]
