"""Recordings in the layouts that users and published sets have on disk, small and drawn from a seed."""

from __future__ import annotations

import csv
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000


def sequences(count: int = 30, features: int = 3, classes: int = 3, seed: int = 0) -> tuple[list[NDArray], NDArray]:
    """Return ragged float32 sequences and their classes; every class is there."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    lengths = random.integers(4, 9, count)
    return [random.normal(n, 1, (t, features)).astype(np.float32) for t, n in zip(lengths, labels, strict=True)], labels


def write_csv(path: Path, delimiter: str = ",", **more: list[str]) -> None:
    """Write `sequences()` in long form, rows of all sequences mixed; `more` are columns with a text a sequence."""
    values, labels = sequences()
    rows = [
        [f"s{n:02}", t, *map(float, row), "xyz"[labels[n]], *(column[n] for column in more.values())]
        for n, steps in enumerate(values)
        for t, row in enumerate(steps)
    ]
    np.random.default_rng(1).shuffle(rows)
    rows.sort(key=lambda row: row[1], reverse=True)  # the last step first
    rows.sort(key=lambda row: row[0] if row[1] == 0 else "t")  # first rows bring sequences in order
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["sequence", "step", "a", "b", "c", "label", *more])
        writer.writerows(rows)


def write_npz(path: Path, **more: NDArray) -> None:
    values, labels = sequences()
    np.savez(path, x=np.concatenate(values), lengths=[len(v) for v in values], y=labels, **more)


def wav_bytes(
    samples: NDArray, rate_hz: int = RATE_HZ, bits: int = 16, code: int = 1, extensible: bool = False
) -> bytes:
    """Return a WAV file of samples between -1 and 1, shape (n,) or (n, channels)."""
    frames = np.atleast_2d(np.asarray(samples, np.float64).T).T
    width, channels = bits // 8, frames.shape[1]
    if code == 3:
        data = frames.astype(f"<f{width}").tobytes()
    elif bits == 8:
        data = np.round(frames * 127 + 128).astype(np.uint8).tobytes()
    else:
        whole = np.round(frames * (2 ** (bits - 1) - 1)).astype("<i4")
        data = np.ascontiguousarray(whole.reshape(-1, 1).view(np.uint8).reshape(-1, 4)[:, :width]).tobytes()
    outer = 0xFFFE if extensible else code
    form = struct.pack("<HHIIHH", outer, channels, rate_hz, rate_hz * channels * width, channels * width, bits)
    if extensible:
        form += struct.pack("<HHIH", 22, bits, 0, code) + bytes(14)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"LIST" + struct.pack("<I", 3) + b"odd\0"
    chunks += b"data" + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def tone(hz: float, seconds: float = 0.3, seed: int = 0, rate_hz: int = RATE_HZ) -> NDArray:
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    return 0.4 * np.sin(2 * np.pi * hz * time) + 0.01 * np.random.default_rng(seed).standard_normal(len(time))


def write_wav(path: Path, hz: float = 440.0, seconds: float = 0.3, seed: int = 0, rate_hz: int = RATE_HZ) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav_bytes(tone(hz, seconds, seed, rate_hz), rate_hz))


def write_wav_folder(root: Path, count: int = 10) -> None:
    """Write a folder of WAV files with two classes of tones."""
    for name, hz in (("low", 300.0), ("high", 1_500.0)):
        for n in range(count):
            write_wav(root / name / f"{n}.wav", hz * (1 + 0.02 * n), 0.2 + 0.01 * n, n)


# speakers of the published lists of Speech Commands: the part of each is a fact
GSC_SPEAKERS = {"a69b9b3e": "validation", "439c84f4": "validation", "dbaf8fc6": "validation"}


def write_speech_commands(root: Path, words: tuple[str, ...] = ("no", "yes")) -> dict[str, int]:
    """Write the layout of Speech Commands v2, and return how many files each part has."""
    listed = {"validation": ["a69b9b3e", "439c84f4"], "testing": ["00000001"]}
    for number, word in enumerate(words):
        for speaker in ("a69b9b3e", "439c84f4", "00000001", "0132a06d", "0135f3f2"):
            write_wav(root / word / f"{speaker}_nohash_0.wav", 300.0 + 400 * number, 0.2)
    write_wav(root / "_background_noise_" / "pink_noise.wav", seconds=0.5)
    for part, speakers in listed.items():
        lines = [f"{word}/{speaker}_nohash_0.wav" for word in words for speaker in speakers]
        (root / f"{part}_list.txt").write_text("\n".join(lines) + "\n")
    (root / "README.md").write_text("Speech Commands Data Set v0.02\n")
    return {"train": 2 * len(words), "validation": 2 * len(words), "test": len(words)}


FSC_HEADER = ["", "path", "speakerId", "transcription", "action", "object", "location"]


def write_fluent_speech_commands(root: Path) -> dict[str, int]:
    """Write the layout of Fluent Speech Commands, and return how many utterances each part has."""
    intents = [
        ("Turn on the lights, please", "activate", "lights", "kitchen"),
        ("Too loud", "decrease", "volume", "none"),
        ("Pause", "deactivate", "music", "none"),
    ]
    speakers = {
        "train": ("2BqVo8kVB2Skwgyb", "5o9BvRGEGvhaeBwA"),
        "valid": ("xEYa2wgAQof3wyEO",),
        "test": ("4BrX8aDqK2cLZRYl",),
    }
    for part, names in speakers.items():
        rows = []
        for name in names:
            for number, (said, *intent) in enumerate(intents):
                wav = f"wavs/speakers/{name}/{number}0eabc.wav"
                write_wav(root / wav, 300.0 + 300 * number, 0.2)
                rows.append([len(rows), wav, name, said, *intent])
        (root / "data").mkdir(exist_ok=True)
        with (root / "data" / f"{part}_data.csv").open("w", newline="") as file:
            csv.writer(file).writerows([FSC_HEADER, *rows])
    return {"train": 6, "validation": 3, "test": 3}


def write_heidelberg(path: Path, count: int, seed: int, speakers: tuple[int, ...] = (0, 1), classes: int = 4) -> list:
    """Write a file as SHD has them; return times and units of each recording."""
    import h5py

    random, events = np.random.default_rng(seed), []
    for _ in range(count):
        spikes = int(random.integers(20, 60))
        events.append(
            (random.uniform(0, 0.9, spikes).astype(np.float16), random.integers(0, 700, spikes).astype(np.uint16))
        )
    with h5py.File(path, "w") as file:
        for name, column, kind in (("times", 0, np.float16), ("units", 1, np.uint16)):
            place = file.create_dataset(f"spikes/{name}", (count,), h5py.vlen_dtype(kind))
            for number, one in enumerate(events):
                place[number] = one[column]
        file["labels"] = np.arange(count, dtype=np.uint16) % classes
        file["extra/keys"] = np.array([b"zero", b"one", b"null", b"eins"][:classes])
        file["extra/speaker"] = np.resize(np.array(speakers, np.uint16), count)
    return events


PTB = {
    "train": " no it was n't black monday \n but while the <unk> market fell N points \n",
    "valid": " the market was black \n",
    "test": " stocks fell \n it fell \n",
}


def write_ptb(root: Path, name: str = "ptb.{}.txt") -> None:
    root.mkdir(parents=True, exist_ok=True)
    for part, text in PTB.items():
        (root / name.format(part)).write_text(text)


TS = """# a comment
@problemName Toy
@timeStamps false
@missing false
@univariate false
@dimensions 2
@equalLength false
@classLabel true left right
@data
1,2,3:4,5,6:right
7:8:left
"""


def write_all(root: Path) -> dict[str, Path]:
    """Write one data set in each format; return where each is."""
    import polars

    root.mkdir(exist_ok=True)
    places = {
        name: root / name for name in ("speech_commands", "fluent_speech_commands", "heidelberg_spikes", "text", "ts")
    }
    places |= {
        "wav_folder": root / "sounds",
        "csv": root / "a.csv",
        "npz": root / "a.npz",
        "parquet": root / "a.parquet",
    }
    write_speech_commands(places["speech_commands"])
    write_fluent_speech_commands(places["fluent_speech_commands"])
    places["heidelberg_spikes"].mkdir()
    write_heidelberg(places["heidelberg_spikes"] / "shd_train.h5", 12, 0)
    write_heidelberg(places["heidelberg_spikes"] / "shd_test.h5", 8, 1, (4, 5))
    write_ptb(places["text"])
    places["ts"].mkdir()
    for part in ("TRAIN", "TEST"):
        (places["ts"] / f"Toy_{part}.ts").write_text(TS)
    write_wav_folder(places["wav_folder"])
    write_csv(places["csv"])
    write_npz(places["npz"])
    polars.read_csv(places["csv"]).write_parquet(places["parquet"])
    return places
