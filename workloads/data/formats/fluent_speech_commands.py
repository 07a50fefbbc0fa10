"""Fluent Speech Commands: WAV files by speaker, and a CSV for each part that tells action, object and location.

L. Lugosch et al., Interspeech 2019, arXiv:1904.03670: 30,043 utterances, 97 speakers, 31 intents; the set of Chen et
al., AAAI 2024, arXiv:2312.09391. For academic use alone; nothing of it is here.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.columns import Columns
from deltatrain.workloads.data.found import TEST, TRAIN, VALIDATION, Found, numbered
from deltatrain.workloads.data.sounds import sounds
from deltatrain.workloads.tasks import Wanted

LAYOUT = "data/{train,valid,test}_data.csv and wavs/speakers/SPEAKER/*.wav"
FRONT_END = "log_mel"
WANTS: tuple[Wanted, ...] = ("classes",)

_TABLES = {"data/train_data.csv": TRAIN, "data/valid_data.csv": VALIDATION, "data/test_data.csv": TEST}
_INTENT = ("action", "object", "location")
_NEEDED = ("path", "speakerId", *_INTENT)


class _Utterance(NamedTuple):
    file: Path
    speaker: str
    intent: str
    part: int


def fits(path: Path) -> bool:
    """Tell by the table of the training part."""
    return (path / next(iter(_TABLES))).is_file()


def collect(path: Path, columns: Columns, wants: Wanted = "classes") -> Found:
    """Return the utterances as published; a class is an intent, "action object location"."""
    utterances = [one for name, part in _TABLES.items() for one in _listed(path, name, part)]
    labels, names = numbered([one.intent for one in utterances])
    return sounds(
        [one.file for one in utterances],
        labels,
        names,
        groups=np.array([one.speaker for one in utterances]),
        parts=np.array([one.part for one in utterances], np.int64),
    )


def _listed(root: Path, name: str, part: int) -> list[_Utterance]:
    """Return what one table lists, all of whose files must be there."""
    table, found = root / name, []
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [column for column in _NEEDED if column not in (reader.fieldnames or ())]
            if missing:
                raise ConfigError(f"{table}, line 1: found {reader.fieldnames}, accepted has {', '.join(missing)} too")
            for row in reader:
                place = f"{table}, line {reader.line_num}"
                if any(row[column] is None for column in _NEEDED) or None in row:
                    raise ConfigError(
                        f"{place}: found {len([v for v in row.values() if v])} values, accepted is one a column"
                    )
                wav = root / row["path"]
                if not wav.is_file():
                    raise ConfigError(
                        f"{place}, column 'path': found {row['path']!r}, and there is no such file in {root}"
                    )
                found.append(_Utterance(wav, row["speakerId"], " ".join(row[word] for word in _INTENT), part))
    except OSError as error:
        raise ConfigError(f"{table} cannot be read: {error.strerror}; accepted is {LAYOUT}") from None
    except (UnicodeDecodeError, csv.Error):
        raise ConfigError(f"{table} is not CSV in UTF-8; accepted is {LAYOUT}") from None
    if not found:
        raise ConfigError(f"{table} lists no files; at least one is needed")
    return found
