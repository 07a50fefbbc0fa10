"""A folder of WAV files, in a folder for each class; or such folders in `train` and `test`, and `validation`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.columns import Columns
from deltatrain.workloads.data.found import PARTS, Found, numbered
from deltatrain.workloads.data.sounds import sounds
from deltatrain.workloads.tasks import Wanted

LAYOUT = "CLASS/*.wav, or {train,test}/CLASS/*.wav"
FRONT_END = "log_mel"
WANTS: tuple[Wanted, ...] = ("classes",)

_WAV = "*.[wW][aA][vV]"


def fits(path: Path) -> bool:
    """Tell whether there are WAV files one or two folders down, and no lists that split them."""
    if not path.is_dir() or any(path.glob("*_list.txt")) or any(path.glob("data/*_data.csv")):
        return False
    return any(any(path.glob(depth)) for depth in (f"*/{_WAV}", f"*/*/{_WAV}"))


def collect(path: Path, columns: Columns, wants: Wanted = "classes") -> Found:
    """Return the sounds; folders whose names begin with "_" or "." are no classes, and hidden files are no sounds."""
    tops = _folders(path)
    parted = bool(tops) and all(top.name in PARTS for top in tops)
    classes = [(PARTS[top.name], folder) for top in tops for folder in _folders(top)] if parted else []
    classes = classes or [(0, folder) for folder in tops]
    files = [(file, part, folder.name) for part, folder in classes for file in _sounds(folder)]
    for _, folder in classes:
        if not _sounds(folder):
            raise ConfigError(f"{folder}: the folder of a class has no WAV file; accepted is {LAYOUT}")
    if not files:
        raise ConfigError(f"{path}: there are no WAV files in folders of classes; accepted is {LAYOUT}")
    labels, names = numbered([name for _, _, name in files])
    parts = np.array([part for _, part, _ in files], np.int64) if parted else None
    return sounds([file for file, _, _ in files], labels, names, parts=parts)


def _sounds(folder: Path) -> list[Path]:
    """Return the WAV files in a folder and below it, without hidden ones, such as macOS leaves beside each file."""
    return sorted(file for file in folder.rglob(_WAV) if not file.name.startswith("."))


def _folders(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if one.is_dir() and one.name[0] not in "._")
