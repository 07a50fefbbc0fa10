"""Spoken commands like those of Fluent Speech Commands, synthetic: 31 intents, said by voices unheard in training.

The set is synthesised on first use, which takes a minute or two, and kept in the cache folder under a digest of
everything that makes it: the recipe beside this file, the package `workloads.speech` and the synthesiser's wheel.
"""

from __future__ import annotations

import hashlib
import tempfile
import tomllib
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from accel.errors import ConfigError
from workloads.fetching import Progress, cache_folder
from workloads.recordings import Recordings, Sequences, standardised
from workloads.speech.casting import cast, intents
from workloads.speech.recording import features_of
from workloads.speech.synthesis import parcel

LICENCE = "Apache-2.0 (sentences); spoken by espeak-ng 1.52, which is GPL-3.0-or-later"
SOURCE = (
    "FSC-like, synthetic: the 31 intents of Fluent Speech Commands (Lugosch et al., Interspeech 2019, "
    "arXiv:1904.03670) in other words, synthesised with espeak-ng 1.52, with room and noise added"
)


def load(progress: Progress | None = None) -> Recordings:
    """Return the spoken commands as 16 log-mel features a frame of 16.4 ms, split by voice.

    Raises
    ------
    accel.errors.NetworkError
        When the set is not in the cache folder and the synthesiser cannot be fetched.
    accel.errors.ConfigError
        When there is no synthesiser for this platform, it fails, or the cache folder cannot be written.
    """
    text = recipe_text()
    recipe = tomllib.loads(text.decode())
    kept = cache_folder() / f"commands-{_digest(text)}.npz"
    parts = _read(kept)
    if parts is None:
        parts = _synthesised(recipe, progress)
        _write(kept, parts)
    return standardised(Recordings("commands", LICENCE, SOURCE, len(intents(recipe)), *parts))


def recipe_text() -> bytes:
    """Return the recipe as it stands in its file."""
    return resources.files("workloads.datasets").joinpath("commands.toml").read_bytes()


def _synthesised(recipe: dict[str, Any], progress: Progress | None) -> tuple[Sequences, Sequences]:
    """Return the training and the test part, not standardised."""
    lines = cast(recipe)
    features = features_of(lines, recipe, progress)
    everything = Sequences(
        np.concatenate(features),
        np.array([len(steps) for steps in features], np.int64),
        np.array([line.intent for line in lines], np.int64),
    )
    unseen = np.array([line.unseen for line in lines])
    return everything.take(np.flatnonzero(~unseen)), everything.take(np.flatnonzero(unseen))


def _digest(recipe: bytes) -> str:
    """Return 16 hexadecimal digits that change with anything that makes the set."""
    made_by = hashlib.sha256(recipe + parcel().sha256.encode())
    for source in sorted(resources.files("workloads.speech").iterdir(), key=lambda file: file.name):
        if source.name.endswith(".py"):
            made_by.update(source.read_bytes())
    return made_by.hexdigest()[:16]


def _read(path: Path) -> tuple[Sequences, Sequences] | None:
    """Return the two parts kept at `path`, or None when they are not there or damaged (every array has a checksum)."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            train, test = (
                Sequences(*(file[f"{part}_{array}"] for array in ("values", "lengths", "labels")))
                for part in ("train", "test")
            )
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile):
        return None
    return train, test


def _write(path: Path, parts: tuple[Sequences, Sequences]) -> None:
    arrays = {
        f"{part}_{array}": getattr(sequences, array)
        for part, sequences in zip(("train", "test"), parts, strict=True)
        for array in ("values", "lengths", "labels")
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as scratch:
            unfinished = Path(scratch) / path.name
            np.savez(unfinished, **arrays)
            unfinished.replace(path)
    except OSError as error:
        raise ConfigError(f"cache folder {path.parent} cannot be written: {error.strerror or error}") from None
