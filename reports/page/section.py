"""A section of a run's page: charts beside tables of the same numbers, and what sections share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from deltatrain.reports.page.table import Table
from deltatrain.reports.palette import PHASE_NAMES
from deltatrain.reports.table import Row


@dataclass(frozen=True)
class Drawing:
    """A chart under its caption; a narrow one leaves room for another beside it."""

    caption: str
    drawn: Markup
    narrow: bool = False


@dataclass(frozen=True)
class Section:
    """One section: `key` names it in links, `about` says what to look at, `origin` how its numbers were found."""

    key: str
    title: str
    about: str
    origin: str
    drawings: Sequence[Drawing] = ()
    tables: Sequence[Table] = ()


def dense_value(row: Row, key: str) -> float | None:
    """Return what a row says of the dense run, None if there is none."""
    return float(row[f"dense_{key}"]) if f"dense_{key}" in row else None


def known_columns(columns: dict[str, str], rows: Sequence[Row]) -> dict[str, str]:
    """Return those of `columns` that the rows have: without a dense run they have none of its."""
    return {key: title for key, title in columns.items() if key in rows[0]}


def phase_title(row: Row) -> str:
    """Return the phase of a row with its name in words; a total as it is."""
    phase = str(row["phase"])
    return f"{phase} {PHASE_NAMES[phase]}" if phase in PHASE_NAMES else phase
