"""NumPy arrays: `x`, `y` and `lengths` in one file .npz, or as files .npy in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.documents import shown
from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.arrays.archive import read_arrays
from deltatrain.workloads.data.columns import Columns
from deltatrain.workloads.data.found import PARTS, Found, Targets, numbered
from deltatrain.workloads.tasks import Wanted

LAYOUT = (
    "a file .npz, or a folder of .npy, with x (sequences, steps, features), or x (all steps, features) and lengths; "
    "y (sequences,), or as targets says of each step and of several numbers; and perhaps group and part"
)
FRONT_END = "raw"
WANTS: tuple[Wanted, ...] = ("classes", "step_classes", "numbers", "step_numbers")

_KNOWN = ("x", "y", "lengths", "group", "part")


def fits(path: Path) -> bool:
    """Tell by the suffix, or by ``x.npy`` in a folder."""
    return path.suffix.lower() in (".npz", ".npy") or (path / "x.npy").is_file()


def collect(path: Path, columns: Columns, wants: Wanted = "classes") -> Found:
    """Return the sequences: rows of `x` beyond a sequence's length are not looked at."""
    arrays = _folder(path.parent if path.suffix == ".npy" else path) if _loose(path) else _archive(path)
    for name in ("x", "y"):
        if name not in arrays:
            raise ConfigError(
                f"{path}: {name} is missing (there are: {', '.join(arrays) or 'none'}); accepted is {LAYOUT}"
            )
    x, y = arrays["x"], arrays["y"]
    if x.dtype.kind not in "fiub" or x.ndim not in (2, 3) or 0 in x.shape[-1:]:
        raise ConfigError(f"{path}: x is {_form(x)}; accepted are numbers of shape (sequences, steps, features)")
    if wants == "classes" and (y.ndim != 1 or y.dtype.kind not in "iubUS"):
        raise ConfigError(f"{path}: y is {_form(y)}; accepted are integers or texts of shape (sequences,)")
    if not len(y):
        raise ConfigError(f"{path}: y has no sequences; at least one is needed")
    lengths = _lengths(path, arrays, x)
    for name in ("y", "group", "part")[wants != "classes" :]:
        if name in arrays and arrays[name].shape != lengths.shape:
            raise ConfigError(
                f"{path}: {name} is {_form(arrays[name])}; accepted is one for each of {len(lengths)} sequences"
            )
    if wants == "classes":
        targets: Targets = []
        labels, names = numbered(_texts(y))
    else:
        labels = np.zeros(len(lengths), np.int64)
        targets, names = _targets(path, y, lengths, x.ndim == 3, wants)
    starts = np.cumsum(lengths) - lengths

    def read(number: int) -> NDArray[np.float32]:
        rows = x[number, : lengths[number]] if x.ndim == 3 else x[starts[number] :][: lengths[number]]
        with np.errstate(over="ignore"):  # what overflows is told with its place later
            return rows.astype(np.float32)

    places = [f"{path}, sequence {number}" for number in range(len(lengths))]
    group = np.array(_texts(arrays["group"])) if "group" in arrays else None
    parts = _parts(path, arrays["part"]) if "part" in arrays else None
    return Found("values", read, labels, names, places, group, parts, targets=targets, wants=wants)


def _targets(
    path: Path, y: NDArray[Any], lengths: NDArray[np.int64], padded: bool, wants: Wanted
) -> tuple[Targets, tuple[str, ...]]:
    """Return what is wanted of each sequence, and what the classes of steps or the numbers are called."""
    stepwise, numbers = wants.startswith("step"), wants.endswith("numbers")
    leading = 2 if stepwise and padded else 1
    shape = "(sequences, steps" if leading == 2 else "(all steps" if stepwise else "(sequences"
    rows = int(lengths.sum()) if stepwise and leading == 1 else len(lengths)
    kinds = "fiub" if numbers else "iubUS"
    wide = y.ndim == leading + 1 and numbers
    fits = y.dtype.kind in kinds and (y.ndim == leading or wide) and len(y) == rows and y.size
    if not fits or (leading == 2 and y.shape[1] < lengths.max()):
        what = "numbers" if numbers else "integers or texts"
        raise ConfigError(
            f'{path}: y is {_form(y)}; with targets = "{wants}" accepted are {what} of shape {shape}'
            f"{', outputs) or ' + shape if numbers else ''}), for {len(lengths)} sequences of {lengths.sum()} steps"
        )
    if numbers:
        with np.errstate(over="ignore"):
            found: NDArray[Any] = (y if wide else y[..., None]).astype(np.float32)
        names = tuple(str(number) for number in range(found.shape[-1]))
    else:
        kept = np.concatenate([y[n, :steps] for n, steps in enumerate(lengths)]) if leading == 2 else y
        found, names = numbered(_texts(kept))
        leading = 1
    if not stepwise:
        return list(found), names
    if leading == 2:
        return [found[n, :steps] for n, steps in enumerate(lengths)], names
    return np.split(found, np.cumsum(lengths)[:-1]), names


def _loose(path: Path) -> bool:
    return path.is_dir() or path.suffix == ".npy"


def _archive(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file:
            return read_arrays(file, str(path))
    except MemoryError:
        raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or 'it is damaged'}") from None
    except Exception:  # what NumPy, zipfile and zlib raise for a damaged file is listed nowhere
        raise ConfigError(
            f"{path} is no NumPy archive without objects, or it is damaged; accepted is {LAYOUT}"
        ) from None


def _folder(path: Path) -> dict[str, NDArray[Any]]:
    arrays = {}
    for file in (path / f"{name}.npy" for name in _KNOWN):
        if file.is_file():
            try:
                arrays[file.stem] = np.load(file, allow_pickle=False, mmap_mode="r")
            except (OSError, ValueError, EOFError):
                raise ConfigError(f"{file} is no NumPy array without objects, or it is damaged") from None
    return arrays


def _lengths(path: Path, arrays: dict[str, NDArray[Any]], x: NDArray[Any]) -> NDArray[np.int64]:
    """Return the steps of each sequence, checked against `x`."""
    if "lengths" not in arrays:
        if x.ndim == 2:
            raise ConfigError(f"{path}: lengths is missing, and x is {_form(x)}; accepted is {LAYOUT}")
        return np.full(len(x), x.shape[1], np.int64)
    lengths = arrays["lengths"]
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or (lengths.size and lengths.min() < 1):
        raise ConfigError(f"{path}: lengths is {_form(lengths)}; accepted are integers from 1 of shape (sequences,)")
    if x.ndim == 2 and lengths.sum() != len(x):
        raise ConfigError(f"{path}: lengths add up to {lengths.sum()}, and x has {len(x)} steps; they must agree")
    if x.ndim == 3 and (len(lengths) != len(x) or lengths.max() > x.shape[1]):
        raise ConfigError(
            f"{path}: lengths is {_form(lengths)} up to {lengths.max()}; accepted is one of up to {x.shape[1]} "
            f"for each of the {len(x)} sequences of x"
        )
    return lengths.astype(np.int64)


def _parts(path: Path, part: NDArray[Any]) -> NDArray[np.int64]:
    words = PARTS | {str(number): number for number in PARTS.values()}
    texts = _texts(part)
    for number, text in enumerate(texts):
        if text not in words:
            raise ConfigError(
                f"{path}: part of sequence {number} is {shown(text)}; accepted is one of {', '.join(words)}"
            )
    return np.array([words[text] for text in texts], np.int64)


def _texts(values: NDArray[Any]) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]


def _form(array: NDArray[Any]) -> str:
    return f"{array.dtype} of shape {array.shape}"
