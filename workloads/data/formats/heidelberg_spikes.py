"""Spiking Heidelberg Digits and Spiking Speech Commands: HDF5 files of spikes of 700 units.

B. Cramer et al., IEEE TNNLS 2020; SHD 8,156 and 2,264 of 20 words, SSC 75,466, 9,981 and 20,382 of 35; CC BY 4.0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.documents import shown
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.extras import require
from deltatrain.workloads.arrays.hdf5 import check_hdf5
from deltatrain.workloads.data.columns import Columns
from deltatrain.workloads.data.found import TEST, TRAIN, VALIDATION, Events, Found
from deltatrain.workloads.tasks import Wanted

LAYOUT = "a folder with {shd,ssc}_{train,valid,test}.h5, unpacked, or one such file .h5"
FRONT_END = "bins"
WANTS: tuple[Wanted, ...] = ("classes",)
UNITS = 700

_LONGEST_S = 60  # recordings are of one word
_PARTS = {"train": TRAIN, "valid": VALIDATION, "test": TEST}
_ARRAYS = ("spikes/times", "spikes/units", "labels")


class _Read(NamedTuple):
    """What one file holds: for each recording times, units and a label; speakers and class names if it tells them."""

    times: list[NDArray[Any]]
    units: list[NDArray[Any]]
    labels: NDArray[np.int64]
    speakers: NDArray[np.str_] | None
    names: tuple[str, ...]


def fits(path: Path) -> bool:
    """Tell by the suffix, or by the training file in a folder."""
    return path.suffix.lower() in (".h5", ".hdf5") or (path.is_dir() and any(path.glob("s[hs][dc]_train.h5*")))


def collect(path: Path, columns: Columns, wants: Wanted = "classes") -> Found:
    """Return the recordings as events, in the parts that there are files of."""
    require("h5py", "data in HDF5")
    files = _files(path)
    read = [_file(file) for file, _ in files]
    times, units = ([one for file in read for one in getattr(file, name)] for name in ("times", "units"))
    places = [
        f"{file}, recording {n}" for (file, _), one in zip(files, read, strict=True) for n in range(len(one.labels))
    ]
    labels = np.concatenate([one.labels for one in read])
    names = read[0].names
    if int(labels.max()) >= len(names):
        names = tuple(str(number) for number in range(int(labels.max()) + 1))
    speakers = [one.speakers for one in read if one.speakers is not None]

    def events(number: int) -> Events:
        return _events(times[number], units[number], places[number])

    return Found(
        "events",
        events,
        labels,
        names,
        places,
        np.concatenate(speakers) if len(speakers) == len(read) else None,
        np.repeat([part for _, part in files], [len(one.labels) for one in read]) if len(files) > 1 else None,
    )


def _files(path: Path) -> list[tuple[Path, int]]:
    if path.is_file():
        return [(path, TRAIN)]
    trains = sorted(path.glob("s[hs][dc]_train.h5"))
    if len(trains) != 1:
        packed = sorted(path.glob("*_train.h5.*"))
        raise ConfigError(
            f"{path} has {len(trains)} files *_train.h5"
            + (f", and {packed[0].name}, which must be unpacked" if packed else "")
            + f"; accepted is {LAYOUT}"
        )
    prefix = trains[0].name.removesuffix("train.h5")
    named = [(path / f"{prefix}{part}.h5", number) for part, number in _PARTS.items()]
    return [(file, number) for file, number in named if file.is_file()]


def _file(path: Path) -> _Read:
    import h5py

    check_hdf5(path, str(path))
    try:
        with h5py.File(path) as file:
            for name in _ARRAYS:
                if name not in file:
                    raise ConfigError(f"{path}: {name} is missing (there are: {', '.join(file)}); accepted is {LAYOUT}")
            times, units, labels = (file[name][:] for name in _ARRAYS)
            speakers = file["extra/speaker"][:].astype(str) if "extra/speaker" in file else None
            names = tuple(map(_text, file["extra/keys"][:])) if "extra/keys" in file else ()
    except (ConfigError, MemoryError):
        raise
    except Exception as error:  # what the HDF5 library raises for a damaged file is listed nowhere
        raise ConfigError(f"{path} is no HDF5 file, or it is damaged: {shown(str(error), quoted=False)}") from None
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels) or labels.min() < 0:
        raise ConfigError(f"{path}: labels is {labels.dtype} of shape {labels.shape}; accepted are integers from 0")
    if not len(times) == len(units) == len(labels):
        raise ConfigError(
            f"{path}: {len(times)} times, {len(units)} units and {len(labels)} labels; accepted are as many"
        )
    return _Read(list(times), list(units), labels.astype(np.int64), speakers, names)


def _events(times: NDArray[Any], units: NDArray[Any], place: str) -> Events:
    seconds, numbers = np.asarray(times, np.float64), np.asarray(units, np.int64)
    if seconds.shape != numbers.shape:
        raise ConfigError(f"{place}: {len(seconds)} times and {len(numbers)} units; accepted are as many")
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < UNITS:
        raise ConfigError(f"{place}: found units {numbers.min()} to {numbers.max()}, accepted are 0 to {UNITS - 1}")
    if not ((seconds >= 0) & (seconds <= _LONGEST_S)).all():
        raise ConfigError(f"{place}: found a time that is no number of seconds from 0 to {_LONGEST_S}")
    return Events(seconds, numbers, UNITS)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
