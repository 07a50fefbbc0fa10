"""From a table with a row for each step to sequences: which rows belong together, in which order, and what they say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.documents import shown
from deltatrain.accel.errors import ConfigError, unknown_name
from deltatrain.workloads.data.columns import Columns
from deltatrain.workloads.data.found import PARTS, Found, Targets, numbered
from deltatrain.workloads.tasks import Wanted

_HIGHEST = float(np.finfo(np.float32).max)


class Table(NamedTuple):
    """A table, column by column.

    Attributes
    ----------
    source
        The file.
    names
        Of the columns.
    columns
        Their values, numbers or texts, shape (columns, rows).
    numbers
        The number of each row in the file, shape (rows,).
    row_word
        What a row is called there: "line" or "row".
    """

    source: str
    names: list[str]
    columns: list[Sequence[Any]]
    numbers: Sequence[int]
    row_word: str

    def column(self, field: str, name: str) -> Sequence[Any]:
        """Return the values of the column that a field names."""
        if not self.names:
            raise ConfigError(f"{self.source} is empty; names of columns are needed, and rows below them")
        if name not in self.names:
            raise ConfigError(f"{self.source}: columns.{field}: {unknown_name('column', name, self.names)}")
        return self.columns[self.names.index(name)]

    def optional(self, field: str, name: str | None) -> Sequence[Any] | None:
        """Return the values of the column that a field names, or of the one called like the field if there is one."""
        if name is None and field not in self.names:
            return None
        return self.column(field, name or field)

    def refuse(self, row: int, column: str, accepted: str) -> NoReturn:
        """Raise a `ConfigError` about the value in a row, counted from 0."""
        value = self.columns[self.names.index(column)][row]
        raise ConfigError(
            f"{self.source}, {self.row_word} {self.numbers[row]}, column {column!r}: "
            f"found {shown(value)}, accepted is {accepted}"
        )

    def floats(self, name: str) -> NDArray[np.float64]:
        """Return a column as numbers that are finite in float32, too."""
        values = self.columns[self.names.index(name)]
        try:
            found = np.array(values, np.float64)
        except (ValueError, TypeError):
            found = np.array([_number(value) for value in values])
        if len(wrong := np.flatnonzero(~(np.abs(found) <= _HIGHEST))):
            self.refuse(int(wrong[0]), name, f"a finite number, of at most {_HIGHEST:.3g} to either side of 0")
        return found


def sequences_of(table: Table, columns: Columns, wants: Wanted = "classes") -> Found:
    """Return the sequences of a table, and of them what is wanted.

    Raises
    ------
    ConfigError
        In one line with row and column, if a column is missing, a value is no number, a step comes twice, or rows of
        one sequence disagree.
    """
    if len(set(table.names)) != len(table.names):
        twice = next(name for name in table.names if table.names.count(name) > 1)
        raise ConfigError(f"{table.source}: two columns are called {twice!r}; names must differ")
    table.column("sequence", columns.sequence), [table.column(*named) for named in _wanted(columns, wants)]
    if not table.numbers:
        raise ConfigError(f"{table.source} has no rows below its column names; at least one is needed")
    whose = [str(value) for value in table.column("sequence", columns.sequence)]
    names, first, number = np.unique(whose, return_index=True, return_inverse=True)
    by_appearance = np.argsort(first, kind="stable")
    place = np.empty_like(by_appearance)
    place[by_appearance] = np.arange(len(names))
    sequence = place[number]
    order = _in_order(table, columns, sequence)
    lengths = np.bincount(sequence)
    bounds = np.cumsum(lengths) - lengths
    values = np.stack([table.floats(name) for name in _features(table, columns, wants)], axis=1)[order].astype(
        np.float32
    )
    firsts = order[bounds]
    told = {
        field: [found[row] for row in firsts] if found is not None else None
        for field, found in _told(table, columns, order, sequence, wants).items()
    }
    if wants == "classes":
        targets: Targets = []
        labels, class_names = numbered(told["label"] or [])
    else:
        labels = np.zeros(len(lengths), np.int64)
        targets, class_names = _targets(table, columns, wants, order, bounds)
    parts = None if told["part"] is None else [_part(table, columns, int(row)) for row in firsts]
    return Found(
        "values",
        lambda n: values[bounds[n] : bounds[n] + lengths[n]],
        labels,
        class_names,
        [f"{table.source}, sequence {name!r}" for name in names[by_appearance].tolist()],
        None if told["group"] is None else np.array([str(one) for one in told["group"]]),
        None if parts is None else np.array(parts, np.int64),
        targets=targets,
        wants=wants,
    )


def _wanted(columns: Columns, wants: Wanted) -> list[tuple[str, str]]:
    """Return the fields and names of the columns that say what is wanted."""
    if wants.endswith("numbers") and columns.numbers is not None:
        return [("numbers", name) for name in columns.numbers]
    return [("label", columns.label)]


def _targets(
    table: Table, columns: Columns, wants: Wanted, order: NDArray[np.int64], bounds: NDArray[np.int64]
) -> tuple[Targets, tuple[str, ...]]:
    """Return what is wanted of each sequence, and what the classes of steps or the numbers are called."""
    names = tuple(name for _, name in _wanted(columns, wants))
    if wants == "step_classes":
        texts = table.column("label", columns.label)
        for row in np.flatnonzero(_empty(texts)).tolist():
            table.refuse(row, columns.label, "a label")
        labels, class_names = numbered([texts[row] for row in order])
        return np.split(labels, bounds[1:]), class_names
    numbers = np.stack([table.floats(name) for name in names], axis=1)[order].astype(np.float32)
    if wants == "step_numbers":
        return np.split(numbers, bounds[1:]), names
    first = np.repeat(numbers[bounds], np.diff([*bounds, len(order)]), axis=0)
    for row, column in np.argwhere(numbers != first)[:1]:
        table.refuse(int(order[row]), names[column], f"{first[row, column]:g} as in the other rows of its sequence")
    return list(numbers[bounds]), names


def _features(table: Table, columns: Columns, wants: Wanted) -> list[str]:
    if columns.features is not None:
        for name in columns.features:
            table.column("features", name)
        return list(columns.features)
    others = {columns.sequence, *(name for _, name in _wanted(columns, wants))}
    others |= {*(getattr(columns, f) or f for f in ("step", "group", "part"))}
    features = [name for name in table.names if name not in others]
    if not features:
        raise ConfigError(f"{table.source}: no column is left for features (there are: {', '.join(table.names)})")
    return features


def _in_order(table: Table, columns: Columns, sequence: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows, sequence by sequence, by step in each."""
    if table.optional("step", columns.step) is None:
        return np.argsort(sequence, kind="stable")
    name = columns.step or "step"
    steps = table.floats(name)
    order = np.lexsort((steps, sequence))
    same = (np.diff(sequence[order]) == 0) & (np.diff(steps[order]) == 0)
    if same.any():
        table.refuse(int(order[np.flatnonzero(same)[0] + 1]), name, "each step of a sequence once")
    return np.asarray(order)


def _told(
    table: Table, columns: Columns, order: NDArray[np.int64], sequence: NDArray[np.int64], wants: Wanted
) -> dict[str, Sequence[Any] | None]:
    """Return label, group and part of each row; those of the rows of one sequence are the same."""
    told = {
        "sequence": table.column("sequence", columns.sequence),
        "label": table.column("label", columns.label) if wants == "classes" else None,
        "group": table.optional("group", columns.group),
        "part": table.optional("part", columns.part),
    }
    inside = np.flatnonzero(np.diff(sequence[order]) == 0)
    for field, values in told.items():
        if values is None:
            continue
        name = getattr(columns, field) or field
        _, kind = np.unique(np.array([str(value) for value in values]), return_inverse=True)
        for row in np.flatnonzero(_empty(values)).tolist():
            table.refuse(row, name, f"a {field}")
        unlike = kind[order[inside]] != kind[order[inside + 1]]
        if unlike.any():
            before, row = order[inside[unlike][0]], order[inside[unlike][0] + 1]
            table.refuse(int(row), name, f"{shown(values[before])} as in the other rows of its sequence")
    return told


def _part(table: Table, columns: Columns, row: int) -> int:
    name = columns.part or "part"
    word = str(table.columns[table.names.index(name)][row]).strip()
    if word not in PARTS:
        table.refuse(row, name, "one of " + ", ".join(PARTS))
    return PARTS[word]


def _empty(values: Sequence[Any]) -> NDArray[np.bool_]:
    return np.array([value is None or (isinstance(value, str) and not value.strip()) for value in values])


def _number(value: Any) -> float:
    try:
        return float(value)
    except (ValueError, TypeError):
        return math.nan
