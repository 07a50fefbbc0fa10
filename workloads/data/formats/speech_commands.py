"""Google Speech Commands, version 2: a folder for each word, and lists of what validates and tests.

P. Warden, arXiv:1804.03209; 105,829 files of 35 words at 16 kHz, CC BY 4.0. Where the lists are missing, the rule by
which they were made stands in: a speaker's name decides, so that no speaker is in two parts.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.documents import read_text, shown
from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.columns import Columns
from deltatrain.workloads.data.found import TEST, TRAIN, VALIDATION, Found, numbered
from deltatrain.workloads.data.sounds import sounds
from deltatrain.workloads.tasks import Wanted

LAYOUT = "WORD/SPEAKER_nohash_NUMBER.wav with validation_list.txt and testing_list.txt"
FRONT_END = "log_mel"
WANTS: tuple[Wanted, ...] = ("classes",)

_LISTS = {"validation_list.txt": VALIDATION, "testing_list.txt": TEST}
_MARK = "_nohash_"
_VALIDATION_PERCENT, _TEST_PERCENT = 10, 10
_HIGHEST = 2**27 - 1  # files of a word, more than there ever are


def fits(path: Path) -> bool:
    """Tell by the two lists."""
    return all((path / name).is_file() for name in _LISTS)


def collect(path: Path, columns: Columns, wants: Wanted = "classes") -> Found:
    """Return the words as published: what is in no list trains. Folders such as `_background_noise_` are no words."""
    files = [
        file
        for folder in sorted(one for one in path.iterdir() if one.is_dir() and one.name[0] not in "._")
        for file in sorted(folder.glob(f"*{_MARK}*.wav"))
    ]
    if not files:
        raise ConfigError(f"{path}: there is no file *{_MARK}*.wav in any folder; accepted is {LAYOUT}")
    speakers = [file.name.partition(_MARK)[0] for file in files]
    labels, names = numbered([file.parent.name for file in files])
    parts = _listed(path, files) if fits(path) else np.array([part_of(speaker) for speaker in speakers], np.int64)
    return sounds(files, labels, names, groups=np.array(speakers), parts=parts)


def part_of(speaker: str) -> int:
    """Return the part that a speaker is in, by the rule of the README of the published set."""
    percent = int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % (_HIGHEST + 1) * (100 / _HIGHEST)
    if percent < _VALIDATION_PERCENT:
        return VALIDATION
    return TEST if percent < _VALIDATION_PERCENT + _TEST_PERCENT else TRAIN


def _listed(path: Path, files: list[Path]) -> NDArray[np.int64]:
    """Return the part of each file by the two lists, all of whose lines must name one of them."""
    place = {file.relative_to(path).as_posix(): number for number, file in enumerate(files)}
    parts = np.full(len(files), TRAIN, np.int64)
    for name, part in _LISTS.items():
        for number, line in enumerate(read_text(path / name).splitlines(), 1):
            if not line.strip():
                continue
            if line.strip() not in place:
                raise ConfigError(
                    f"{path / name}, line {number}: found {shown(line)}, and there is no such file in {path}"
                )
            parts[place[line.strip()]] = part
    return parts
