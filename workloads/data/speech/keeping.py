"""Synthesised sets are kept: a file under a digest of everything that makes it, two parts of sequences in it."""

from __future__ import annotations

import hashlib
import zipfile
from importlib import resources
from pathlib import Path

import numpy as np

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import make_folder, replacing
from deltatrain.workloads.data.recordings import Sequences
from deltatrain.workloads.data.speech.synthesis import parcel


def made_by(recipe: bytes) -> str:
    """Return 16 hexadecimal digits that change with anything that makes the set."""
    digest = hashlib.sha256(recipe + parcel().sha256.encode())
    for source in sorted(resources.files("deltatrain.workloads.data.speech").iterdir(), key=lambda file: file.name):
        if source.name.endswith(".py"):
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def read(path: Path) -> tuple[Sequences, Sequences] | None:
    """Return the two parts kept at `path`, or None when they are not there or damaged (every array has a checksum)."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            train, test = (
                Sequences(*(file[f"{part}_{array}"] for array in ("values", "lengths", "labels")))
                for part in ("train", "test")
            )
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, ConfigError, zipfile.BadZipFile):
        return None
    return train, test


def keep(path: Path, parts: tuple[Sequences, Sequences]) -> None:
    """Write the two parts to `path`, whole or not at all; a folder that cannot be written is a `HostError`."""
    arrays = {
        f"{part}_{array}": getattr(sequences, array)
        for part, sequences in zip(("train", "test"), parts, strict=True)
        for array in ("values", "lengths", "labels")
    }
    make_folder(path.parent)
    with replacing(path) as file:
        np.savez(file, **arrays)
