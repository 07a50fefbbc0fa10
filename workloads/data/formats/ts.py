"""Files .ts of sktime and aeon: a pair that ends in `_TRAIN.ts` and `_TEST.ts`, or one file."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.documents import read_text, shown
from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.columns import Columns
from deltatrain.workloads.data.found import TEST, TRAIN, Found
from deltatrain.workloads.tasks import Wanted

LAYOUT = "NAME_TRAIN.ts and NAME_TEST.ts, or a folder that has them, or one file .ts"
FRONT_END = "raw"
WANTS: tuple[Wanted, ...] = ("classes", "numbers")

_TRAIN, _TEST = "_TRAIN", "_TEST"


class Series(NamedTuple):
    """What a file holds: values of shape (steps, features) each, their labels as text, all labels, their lines.

    Of a regression a label is a number, and all labels are the one word that numbers the only output.
    """

    values: list[NDArray[np.float32]]
    labels: list[str]
    class_names: tuple[str, ...]
    lines: list[int]


def fits(path: Path) -> bool:
    """Tell by the suffix, or by a training file in a folder."""
    return path.suffix.lower() == ".ts" or (path.is_dir() and any(path.glob(f"*{_TRAIN}.ts")))


def collect(path: Path, columns: Columns, wants: Wanted = "classes") -> Found:
    """Return the sequences of both files, or of one that has no other beside it."""
    files = _files(path)
    read = [(file, parsed(read_text(file), str(file), wants)) for file in files]
    names = read[0][1].class_names
    for file, series in read[1:]:
        if series.class_names != names:
            raise ConfigError(f"{file}, @classLabel: found {series.class_names}, accepted is {names} as in {files[0]}")
    values = [one for _, series in read for one in series.values]
    texts = [label for _, series in read for label in series.labels]
    places = [f"{file}, line {line}" for file, series in read for line in series.lines]
    counts = [len(series.values) for _, series in read]
    parts = np.repeat([TRAIN, TEST], counts) if len(read) == 2 else None
    if wants == "numbers":
        none, told = np.zeros(len(values), np.int64), [np.array([text], np.float32) for text in texts]
        return Found("values", lambda n: values[n], none, names, places, None, parts, targets=told, wants=wants)
    labels = np.array([names.index(text) for text in texts], np.int64)
    return Found("values", lambda n: values[n], labels, names, places, None, parts)


def parsed(text: str, source: str, wants: Wanted = "classes") -> Series:
    """Return what the text of a file says: a line a sequence, colons part features, commas steps, the label last.

    Raises
    ------
    ConfigError
        With the line, if it is not like that, a value is missing, or sequences have times or not what `wants` says.
    """
    lines = text.splitlines()
    keys, first = _header(lines, source)
    if keys.get("timestamps", "false").lower() == "true":
        raise ConfigError(f"{source}, @timeStamps: found true, accepted are values without times")
    series = Series([], [], _names(keys, source, wants), [])
    for number, line in enumerate(lines[first:], first + 1):
        if line.strip() and not line.startswith("#"):
            place = f"{source}, line {number}"
            *channels, label = (part.strip() for part in line.strip().split(":"))
            if not channels:
                raise ConfigError(f"{place}: found {shown(line.strip())}, accepted are values, a colon and a label")
            series.values.append(_values(channels, place))
            known = _number(label, place) if wants == "numbers" else _known(label, series.class_names, place)
            series.labels.append(known)
            series.lines.append(number)
    if not series.values:
        raise ConfigError(f"{source} has no sequences after @data; at least one is needed")
    return series


def _names(keys: dict[str, str], source: str, wants: Wanted) -> tuple[str, ...]:
    """Return the labels that the header has; of numbers the only output's."""
    targets, (told, *names) = keys.get("targetlabel", ""), keys.get("classlabel", "").split() or [""]
    if wants == "numbers":
        if targets.lower() != "true":
            raise ConfigError(f"{source}, @targetlabel: found {shown(targets)}, accepted for numbers is 'true'")
        return ("0",)
    if told.lower() != "true" or not names:
        found = '@targetlabel, which dataset.targets = "numbers" reads' if targets else "no class labels"
        raise ConfigError(f"{source}, @classLabel: found {found}, accepted is 'true' and the labels")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"{source}, @classLabel: found {shown(twice[0])} twice, accepted is each label once")
    return tuple(names)


def _header(lines: list[str], source: str) -> tuple[dict[str, str], int]:
    """Return the keys, in lower case, with what follows them, and how many lines there are up to the data."""
    keys: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        key, _, rest = line.strip().partition(" ")
        if key.lower() == "@data":
            return keys, number
        if key.startswith("@"):
            keys[key[1:].lower()] = rest.strip()
        elif key and not key.startswith("#"):
            raise ConfigError(f"{source}, line {number}: found {shown(line)}, accepted are @KEY, # and @data")
    raise ConfigError(f"{source} has no line @data; accepted is {LAYOUT}")


def _values(channels: list[str], place: str) -> NDArray[np.float32]:
    """Return the values of one sequence, shape (steps, features)."""
    features = [channel.split(",") for channel in channels]
    lengths = [len(steps) for steps in features]
    if len(set(lengths)) > 1:
        raise ConfigError(f"{place}: dimensions have {lengths} steps, and a label follows; accepted are equally many")
    try:
        with np.errstate(over="ignore"):  # what overflows is told with its place later
            return np.array(features, np.float32).T
    except ValueError:
        wrong = next((v, n, t) for n, steps in enumerate(features) for t, v in enumerate(steps) if not _is_number(v))
        value, feature, step = wrong
        raise ConfigError(
            f"{place}, dimension {feature}, step {step}: found {shown(value)}, accepted is a number"
        ) from None


def _known(label: str, names: tuple[str, ...], place: str) -> str:
    if label not in names:
        raise ConfigError(f"{place}: found label {shown(label)}, accepted is one of @classLabel: {', '.join(names)}")
    return label


def _number(label: str, place: str) -> str:
    if not _is_number(label) or not abs(float(label)) <= float(np.finfo(np.float32).max):
        raise ConfigError(f"{place}: found label {shown(label)}, accepted is a finite number")
    return label


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _files(path: Path) -> list[Path]:
    """Return the training and the test file, or the only one."""
    if path.is_dir():
        found = sorted(path.glob(f"*{_TRAIN}.ts"))
        if len(found) != 1:
            raise ConfigError(f"{path} has {len(found)} files *{_TRAIN}.ts; accepted is one, or the path of one file")
        path = found[0]
    stem = path.stem.removesuffix(_TRAIN)
    other = path.with_name(f"{stem}{_TEST}.ts")
    return [path, other] if stem != path.stem and other.is_file() else [path]
