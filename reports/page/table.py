"""Tables of a page: cells that carry the exact number beside the words, so that a reader can sort them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deltatrain.accel.quantity import quantity, share, times
from deltatrain.reports.table import TOTAL, Row
from deltatrain.reports.units import counts, takes_prefix, unit_of

NOTHING = "–"


@dataclass(frozen=True)
class Cell:
    """One cell: what is shown, and the number behind it; None for words."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Table:
    """A table with its caption.

    Attributes
    ----------
    caption
        What it shows.
    headings
        One for each column.
    rows
        Each as long as the headings.
    foot
        The row of totals, or nothing.
    note
        What a reader may need to know.
    unfolded
        Whether it is there to be read at once; others wait for a click.
    """

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    foot: Sequence[Cell] = ()
    note: str = ""
    unfolded: bool = False

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers alone, and are set to the right."""
        columns = zip(*self.rows, strict=True) if self.rows else ([] for _ in self.headings)
        return [all(one.value is not None or one.text == NOTHING for one in column) for column in columns]


def said(value: float, unit: str) -> str:
    """Return `value` as a person reads it, with its unit."""
    if unit == "%":
        return share(value)
    if unit == "×":
        return times(value)
    if takes_prefix(unit) or counts(unit):
        return quantity(value, "" if counts(unit) else unit)
    text = f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return f"{text} {unit}".rstrip()


def cell(value: float | str | None, unit: str = "") -> Cell:
    """Return the cell of a number in `unit`, or of words."""
    if value is None:
        return Cell(NOTHING)
    if isinstance(value, str):
        return Cell(value)
    if isinstance(value, float) and math.isnan(value):
        return Cell(NOTHING)
    return Cell(said(value, unit), value)


def plain(field: str, value: Any) -> Cell:
    """Return the cell of a described field: the value as it was written, unrounded, with its unit."""
    if value is None:
        return Cell(NOTHING)
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if not isinstance(value, int | float):
        return Cell(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
    unit = plain_unit(field)
    digits = f"{value:,}" if isinstance(value, int) and unit else str(value)
    return Cell(f"{digits} {unit}".rstrip(), value)


def plain_unit(field: str) -> str:
    """Return the unit of a described field; shares and ratios are written as plain numbers there."""
    unit = unit_of(field)
    return "" if unit in ("%", "×") else unit


def fields(caption: str, described: Mapping[str, Any]) -> Table:
    """Return the table of a description: every field with its value, unrounded."""
    rows = [[Cell(path), plain(path, value)] for path, value in dotted(described).items()]
    return Table(caption, ["Field", "Value"], rows)


def dotted(table: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return the leaves of nested tables by dotted path; a list is one leaf, what is None is left out."""
    leaves: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            leaves |= dotted(value, f"{path}{key}.")
        elif value is not None:
            leaves[f"{path}{key}"] = value
    return leaves


def of_rows(caption: str, rows: Sequence[Row], columns: dict[str, str], note: str = "") -> Table:
    """Return the table of `rows`; a last row that begins with "total" becomes its foot.

    Parameters
    ----------
    columns
        The key of each column, and its heading.
    """
    cells = [[cell(row[key], unit_of(key)) for key in columns] for row in rows]
    split = len(cells) - 1 if rows and rows[-1][next(iter(columns))] == TOTAL else len(cells)
    foot = cells[split] if split < len(cells) else ()
    return Table(caption, list(columns.values()), cells[:split], foot, note)
