"""Features of many files are made once, and again whenever a file or the front end is another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import recording_files as files

from deltatrain.workloads.data import kept_features
from deltatrain.workloads.data.front_ends.log_mel import LogMel
from deltatrain.workloads.own_data import OwnData


@pytest.fixture
def sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(kept_features, "WORTH_KEEPING", 10)
    files.write_wav_folder(tmp_path / "sounds")
    return tmp_path / "sounds"


def digest(sounds: Path, **fields: Any) -> str:
    return OwnData.from_table({"path": str(sounds), **fields}).load().digest


def kept(sounds: Path) -> list[Path]:
    return sorted((sounds.parent / "cache").glob("*"))


def test_they_are_made_once(sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = digest(sounds)
    (one,) = kept(sounds)
    monkeypatch.setattr(LogMel, "features", None)  # whoever makes them again fails
    assert digest(sounds) == first
    assert digest(sounds, split={"seed": 3}) != first
    assert kept(sounds) == [one]


def test_another_front_end_or_file_is_another(sounds: Path) -> None:
    first = digest(sounds)
    assert digest(sounds, front_end={"name": "log_mel", "channels": 8}) != first
    files.write_wav(sounds / "low" / "3.wav", 700.0, 0.23)
    os.utime(sounds / "low" / "3.wav", ns=(1, 1))
    changed = digest(sounds)
    assert changed != first and len(kept(sounds)) == 3
    files.write_wav(sounds / "low" / "3.wav", 300.0 * 1.06, 0.23, 3)
    assert digest(sounds) == first


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign"])
def test_what_is_damaged_is_made_again(sounds: Path, damage: str) -> None:
    first = digest(sounds)
    (one,) = kept(sounds)
    whole = one.read_bytes()
    one.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "foreign": b"not an archive"}[damage])
    assert digest(sounds) == first and one.read_bytes() == whole


def test_where_nothing_can_be_kept_it_is_made_each_time(sounds: Path) -> None:
    (sounds.parent / "cache").write_text("a file in the way")
    assert digest(sounds) == digest(sounds)


def test_few_files_are_not_kept(sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_features, "WORTH_KEEPING", 21)
    digest(sounds)
    assert kept(sounds) == []
