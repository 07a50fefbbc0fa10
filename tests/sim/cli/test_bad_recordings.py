"""Recordings of one's own that are wrong: one line each with the file, the place, what was found, what is accepted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import recording_files as files

H5 = "h5py"  # what a case needs beside the package


def csv_with(old: str, new: str) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        files.write_csv(root / "a.csv")
        text = (root / "a.csv").read_text()
        assert old in text
        (root / "a.csv").write_text(text.replace(old, new, 1))
        return root / "a.csv"

    return write


def text_in(name: str, content: str | bytes) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return root / name

    return write


def npz_with(**arrays: object) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        values, labels = files.sequences()
        whole = {"x": np.concatenate(values), "y": labels, "lengths": [len(v) for v in values]} | arrays
        np.savez(root / "a.npz", **{name: array for name, array in whole.items() if array is not None})
        return root / "a.npz"

    return write


def ts_with(old: str, new: str) -> Callable[[Path], Path]:
    return text_in("toy.ts", files.TS.replace(old, new))


def wavs_with(name: str, content: bytes | None) -> Callable[[Path], Path]:
    """Write a folder of WAV files in which one has other content, or none."""

    def write(root: Path) -> Path:
        files.write_wav_folder(root / "wavs")
        place = root / "wavs" / name
        place.parent.mkdir(exist_ok=True)
        if content is not None:
            place.write_bytes(content)
        return root / "wavs"

    return write


def gsc_with(line: str) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        files.write_speech_commands(root / "gsc")
        with (root / "gsc" / "testing_list.txt").open("a") as file:
            file.write(line)
        return root / "gsc"

    return write


def fsc_with(old: str, new: str) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        files.write_fluent_speech_commands(root / "fsc")
        table = root / "fsc" / "data" / "test_data.csv"
        table.write_text(table.read_text().replace(old, new, 1))
        return root / "fsc"

    return write


def fsc_without_a_part(root: Path) -> Path:
    files.write_fluent_speech_commands(root / "fsc")
    (root / "fsc" / "data" / "valid_data.csv").unlink()
    return root / "fsc"


def shd_with(**arrays: object) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        import h5py

        files.write_heidelberg(root / "shd_train.h5", 8, 0)
        with h5py.File(root / "shd_train.h5", "a") as file:
            for name, array in arrays.items():
                place = name.replace("_", "/")
                if array is None:
                    del file[place]
                elif place == "labels":
                    del file[place]
                    file[place] = array
                else:
                    file[place][3] = array
        return root / "shd_train.h5"

    return write


def ptb_with(part: str, text: str | None) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        files.write_ptb(root / "ptb")
        place = root / "ptb" / f"ptb.{part}.txt"
        if text is None:
            place.unlink()
        else:
            place.write_text(text)
        return root / "ptb"

    return write


def packed(root: Path) -> Path:
    (root / "shd_train.h5.gz").write_bytes(b"\x1f\x8b")
    return root


GOOD_WAV = files.wav_bytes(files.tone(440.0))
NO_UNKNOWN = "no it was black \n"

# (name, what is written, further words, what the one line says, in this order)
CASES = [
    # what is there at all
    ("nothing there", lambda root: root / "none.csv", "", "none.csv no such file"),
    ("a file of no format", text_in("notes.md", "hello"), "", "notes.md known dataset.format csv npz"),
    ("an empty folder", lambda root: root, "", "known dataset.format"),
    ("another format than said", csv_with("s00", "s00"), "format=npz", "a.csv NumPy archive accepted"),
    # CSV
    ("a column that is missing", csv_with("label", "labl"), "", "a.csv columns.label 'label' 'labl'"),
    ("a feature that is missing", csv_with("s00", "s00"), 'columns.features=["a","d"]', "a.csv columns.features 'd'"),
    ("a word for a number", csv_with("s00,0,", "s00,0,up"), "", "a.csv line 2 column 'a' 'up accepted finite number"),
    (
        "a value left out",
        csv_with("\ns00,0,", "\ns00,0,,1.0,1.0,x\ns90,0,"),
        "",
        "a.csv line 2 column 'a' found '' finite",
    ),
    ("a value too many", csv_with(",x\n", ",x,1\n"), "", "a.csv line 7 values 6 columns"),
    ("a step twice", csv_with("s00,1,", "s00,0,"), "", "a.csv line column 'step' found '0' accepted each step once"),
    (
        "labels that disagree",
        csv_with(",x\n", ",q\n"),
        "",
        "a.csv line column 'label' accepted other rows of its sequence",
    ),
    ("no label", csv_with(",x\n", ",\n"), "", "a.csv line column 'label' found '' a label"),
    ("no rows", text_in("a.csv", "sequence,a,label\n"), "", "a.csv no rows at least one"),
    (
        "no features",
        text_in("a.csv", "sequence,label\n1,x\n"),
        "",
        "a.csv no column is left for features sequence, label",
    ),
    ("two columns of a name", csv_with("step,a,b", "step,a,a"), "", "a.csv two columns 'a' differ"),
    ("CSV that is no text", text_in("a.csv", b"sequence,\xff\n"), "", "a.csv byte 9 UTF-8"),
    (
        "an unknown part",
        text_in("a.csv", "sequence,v,label,part\n1,1,x,tain\n"),
        "",
        "line 2 column 'part' 'tain' train",
    ),
    (
        "one class",
        text_in("a.csv", "sequence,v,label\n" + "".join(f"{n},1,x\n" for n in range(9))),
        "",
        "class 'x' two",
    ),
    ("an unknown class", csv_with("s00", "s00"), 'classes=["x","w"]', "a.csv classes 'w' not known x, y, z"),
    ("groups that nobody told", csv_with("s00", "s00"), "split.by=group", 'a.csv split.by "group" no group "share"'),
    ("a split that nobody published", csv_with("s00", "s00"), "split.by=published", "a.csv split.by no parts"),
    ("a test part too small", csv_with("s00", "s00"), "split.test=0.001", "test part is empty 30 sequences split.test"),
    (
        "a validation part too small",
        csv_with("s00", "s00"),
        "split.validation=0.001",
        "validation part is empty 30 sequences split.validation",
    ),
    ("values for spikes", csv_with("s00", "s00"), "spikes=true", "a.csv dataset.spikes 0 or 1 train part has"),
    ("spikes of no sound", csv_with("s00", "s00"), "front_end=cochlea", "a.csv 'cochlea' takes sound has values"),
    ("Parquet that is none", text_in("a.parquet", "PAR1"), "", "a.parquet no Parquet file accepted"),
    # arrays
    ("an array that is missing", npz_with(y=None), "", "a.npz y is missing x, lengths accepted"),
    ("lengths of other steps", npz_with(lengths=[3] * 30), "", "a.npz lengths add up to 90 x has must agree"),
    ("labels of other sequences", npz_with(y=np.zeros(29, int)), "", "a.npz y is int64 of shape (29,) accepted 30"),
    ("text for values", npz_with(x=np.array(["a"])), "", "a.npz x is <U1 of shape (1,) accepted numbers"),
    ("objects", npz_with(y=np.array([None] * 30)), "", "a.npz without objects"),
    (
        "not a number",
        npz_with(x=np.full((len(np.concatenate(files.sequences()[0])), 3), np.nan)),
        "",
        "sequence 0 nan finite",
    ),
    ("noise for an archive", text_in("a.npz", "noise"), "", "a.npz no NumPy archive damaged"),
    # sounds
    (
        "text for a sound",
        wavs_with("low/3.wav", b"hello, world"),
        "",
        "low/3.wav begins with b'hello, world' accepted WAV",
    ),
    ("a cut sound", wavs_with("low/3.wav", GOOD_WAV[:-50]), "", "low/3.wav cut bytes"),
    ("a sound of no samples", wavs_with("low/3.wav", files.wav_bytes(np.zeros(0))), "", "low/3.wav no samples"),
    (
        "a compressed sound",
        wavs_with("low/3.wav", files.wav_bytes(files.tone(440.0), code=85)),
        "",
        "low/3.wav format 85 16 bits accepted",
    ),
    (
        "another sample rate",
        wavs_with("low/3.wav", files.wav_bytes(files.tone(440.0), rate_hz=8_000)),
        "",
        "low/3.wav 8000 Hz 16000 Hz one rate",
    ),
    ("a class without sounds", wavs_with("none/readme.txt", b"-"), "", "wavs/none no WAV file accepted"),
    ("filters too high", wavs_with("low/3.wav", None), "front_end.highest_hz=9000", "front_end name is missing"),
    (
        "frames too long",
        wavs_with("low/3.wav", None),
        'front_end={name="mfcc", frame_s=0.1}',
        "wav front_end 'mfcc' 1600 samples fft_points 1024",
    ),
    (
        "more cepstra than channels",
        wavs_with("low/3.wav", None),
        'front_end={name="mfcc",coefficients=30}',
        "26 channels 30",
    ),
    # published sets
    (
        "a file in a list alone",
        gsc_with("yes/gone_nohash_0.wav\n"),
        "",
        "testing_list.txt line 3 'yes/gone_nohash_0.wav'",
    ),
    ("an utterance that is missing", fsc_with("0eabc", "9eabc"), "", "test_data.csv line 2 'path' no such file"),
    ("a table without a column", fsc_with("speakerId", "speaker"), "", "test_data.csv line 1 speakerId"),
    ("a part that is missing", fsc_without_a_part, "", "valid_data.csv No such file accepted"),
    ("a packed file", packed, "format=heidelberg_spikes", "shd_train.h5.gz unpacked accepted"),
    ("a unit beyond the last", shd_with(spikes_units=np.full(20, 700, np.uint16)), "", "recording 3 times units"),
    ("spikes without labels", shd_with(labels=None), "", "shd_train.h5 labels is missing spikes accepted"),
    ("noise for HDF5", text_in("a.h5", "noise"), "", "a.h5 no HDF5 file"),
    ("units that are too many", shd_with(), "front_end={name='bins',channels=80}", "700 units evenly 80"),
    # series and texts
    ("a series without data", ts_with("@data", "#"), "", "toy.ts line 10 found '1,2,3:4,5,6:right' accepted @KEY"),
    ("dimensions of other lengths", ts_with("4,5,6", "4,5"), "", "toy.ts line 10 [3, 2] steps accepted equally many"),
    ("a value that is missing", ts_with("4,5,6", "4,?,6"), "", "toy.ts line 10 dimension 1 step 1 '?' number"),
    (
        "a series without a label",
        ts_with("1,2,3:4,5,6:right", "1,2,3"),
        "",
        "toy.ts line 10 found accepted a colon and a label",
    ),
    ("a label twice", ts_with("true left right", "true left left"), "", "toy.ts @classLabel 'left' twice once"),
    ("classes in place of numbers", ts_with("#", "#"), "targets=numbers", "@targetlabel found accepted 'true'"),
    ("an unknown label", ts_with("6:right", "6:up"), "", "toy.ts line 10 label 'up' left, right"),
    (
        "a series to be predicted",
        ts_with("@classLabel true left right", "@targetlabel true"),
        "",
        "@targetlabel accepted",
    ),
    (
        "series with times",
        ts_with("@timeStamps false", "@timestamps true"),
        "",
        "@timeStamps true accepted without times",
    ),
    ("a text without a part", ptb_with("valid", None), "", "ptb 0 files 'valid' accepted"),
    ("a word without a number", ptb_with("train", NO_UNKNOWN), "", "ptb.valid.txt line 1 'the' training part"),
    ("an empty text", ptb_with("test", ""), "", "ptb.test.txt is empty"),
]


@pytest.mark.parametrize(("name", "write", "change", "said"), CASES, ids=[case[0] for case in CASES])
def test_what_is_wrong_is_one_line(deltatrain, tmp_path, name, write, change, said):
    if "h5" in said or "unit" in name:
        pytest.importorskip(H5)
    (tmp_path / "in").mkdir()
    path = write(tmp_path / "in")
    words = ["--set", f"workload.dataset.{change}"] if change else []
    ran = deltatrain("data", "show", f"{path}", "--out", tmp_path / "out", *words)
    assert (ran.status, ran.stdout) == (2, ""), ran.stdout
    lines = [line for line in ran.stderr.splitlines() if not line.startswith("data set ")]
    (line,) = lines
    assert line.startswith("deltatrain: ") and "Traceback" not in ran.stderr
    at = 0
    for word in said.split():
        found = line.find(word, at)
        assert found >= 0, f"{word!r} is missing in {line!r}"
        at = found
    assert not (tmp_path / "out").exists(), "nothing half-written stays"


def test_a_missing_library_is_named_with_the_command_that_installs_it(deltatrain, tmp_path, monkeypatch):
    from deltatrain.accel import extras

    monkeypatch.setattr(extras, "installed", lambda module: False)
    for name, line in (
        ("a.parquet", "data in Parquet needs Polars: python -m pip install 'deltatrain[sweep]'"),
        ("a.h5", "data in HDF5 needs h5py: python -m pip install 'deltatrain[hdf5]'"),
    ):
        (tmp_path / name).write_bytes(b"")
        ran = deltatrain("data", "show", tmp_path / name)
        assert (ran.status, ran.stderr) == (2, f"deltatrain: {line}\n")


def test_a_group_that_is_the_only_one_is_not_parted(deltatrain, tmp_path):
    files.write_csv(tmp_path / "a.csv", group=["anna"] * 30)
    ran = deltatrain("data", "show", tmp_path / "a.csv")
    assert ran.status == 2 and "all sequences are of 'anna', so no group can be set apart" in ran.stderr
