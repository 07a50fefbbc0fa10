"""The rows of a journal as a data frame: read twice, a part at a time, so that no more is held than the frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltatrain.accel.documents import HIGHEST_INT, LOWEST_INT, json_text
from deltatrain.sim.sweep import journal
from deltatrain.sim.sweep.point import Row

if TYPE_CHECKING:
    from polars import DataFrame, Series

FIRST, LAST = ("point", "digest"), ("failure", "reason")
_HIDDEN = "host_cpu_s"  # it differs from run to run, so it is no column
_PART = 5000
_TOO_LARGE = "an integer beyond 64 bits"


@dataclass
class _Columns:
    """Which columns the rows have.

    Attributes
    ----------
    rows
        How many rows there are.
    kinds
        By column the types of its values, `_TOO_LARGE` among them.
    layouts
        The columns of rows that have the same ones, in their order, and the first point that has them.
    """

    rows: int = 0
    kinds: dict[str, set[Any]] = field(default_factory=dict)
    layouts: dict[tuple[str, ...], tuple[int, str]] = field(default_factory=dict)

    def see(self, row: Row) -> None:
        """Look at a row."""
        self.rows += 1
        layout, place = tuple(row), (row.get("point", 0), row["digest"])
        if place < self.layouts.setdefault(layout, place):
            self.layouts[layout] = place
        for name, value in row.items():
            if value is not None:
                self.kinds.setdefault(name, set()).add(_kind(value))

    @property
    def names(self) -> dict[str, None]:
        """The columns, in the order in which the points have them."""
        return dict.fromkeys(name for layout in sorted(self.layouts, key=self.layouts.__getitem__) for name in layout)

    def lacks(self, name: str) -> bool:
        """Tell whether there is a row without a column."""
        return any(name not in layout for layout in self.layouts)


def frame_of(path: Path, fields: dict[str, Any]) -> DataFrame:
    """Return the rows of the journal at `path` in the order of asking.

    Parameters
    ----------
    path
        A sweep may be writing to it: rows that come while it is read are left out.
    fields
        The varied fields, and what each is at points where it is not varied.

    Raises
    ------
    ConfigError
        If it cannot be read or is damaged.
    """
    import polars as pl

    columns = _Columns()
    for row in journal.read(path):
        columns.see(row)
    found = [name for name in columns.names if name not in {*FIRST, *fields, *LAST, _HIDDEN}]
    kinds = {name: columns.kinds.get(name, set()) for name in (*FIRST, *fields, *found, *LAST)}
    for name, usual in fields.items():
        kinds[name] |= {_kind(usual)} if usual is not None and columns.lacks(name) else set()
    types = {name: _type(of_column) for name, of_column in kinds.items()} | dict.fromkeys(LAST, str)
    parts = [
        pl.DataFrame(
            [_series(name, kind, [row.get(name, fields.get(name)) for row in rows]) for name, kind in types.items()]
        )
        for rows in _parts(islice(journal.read(path), columns.rows))
    ]
    if not parts:
        return pl.DataFrame([_series(name, kind, []) for name, kind in types.items()])
    return pl.concat(parts).sort(pl.col("point").fill_null(0), "digest", maintain_order=True)


def _parts(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while part := list(islice(rows, _PART)):
        yield part


def _kind(value: Any) -> Any:
    return _TOO_LARGE if type(value) is int and not LOWEST_INT <= value <= HIGHEST_INT else type(value)


def _type(kinds: set[Any]) -> type:
    """Return the one type of a column: integers, numbers or truth values; anything else is written as text."""
    if kinds == {bool}:
        return bool
    if kinds <= {int}:
        return int
    return float if kinds <= {int, float, _TOO_LARGE} else str


def _series(name: str, kind: type, values: list[Any]) -> Series:
    import polars as pl

    if kind is str:
        texts = [value if value is None or isinstance(value, str) else json_text(value) for value in values]
        return pl.Series(name, texts, dtype=pl.String)
    return pl.Series(name, values, dtype={bool: pl.Boolean, int: pl.Int64, float: pl.Float64}[kind], strict=False)
