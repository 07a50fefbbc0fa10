"""The page of published figures beside ours: one self-contained HTML file, the same bytes for the same contents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from deltatrain.reports.page import frame
from deltatrain.reports.page.table import NOTHING, Cell, Table

_HEADINGS = {"what": "What", "unit": "Unit", "theirs": "Theirs", "ours": "Ours", "off": "Difference"}


class StudySection(NamedTuple):
    """A study on the page.

    Attributes
    ----------
    name, about
        What it is called and what is asked.
    comparisons
        Published figures beside ours, as `sim.studies._comparisons.Comparison` has them, by name.
    """

    name: str
    about: str
    comparisons: Sequence[Mapping[str, str]]


def render_published(title: str, about: str, sections: Sequence[StudySection], version: str) -> str:
    """Return the page as the text of one HTML file. It needs no network and no other file."""
    shown = [
        {"name": section.name, "about": section.about, "tables": _tables(section.comparisons)}
        for section in sections
        if section.comparisons
    ]
    return (
        frame.environment()
        .get_template("published.html")
        .render(
            words=title,
            about=about,
            version=version,
            sections=shown,
            others=[section.name for section in sections if not section.comparisons],
            style=frame.style(),
            script=frame.script(("theme", "sorting")),
        )
    )


def _tables(comparisons: Sequence[Mapping[str, str]]) -> list[Table]:
    """Return a table for all figures of one source that were found in the same way."""
    tables = []
    for (source, found, conditions), rows in groupby(comparisons, _footing):
        cells = [[_cell(row[key]) for key in _HEADINGS] for row in rows]
        note = f"{conditions}. Theirs: {found}."
        tables.append(Table(source, list(_HEADINGS.values()), cells, note=note, unfolded=True))
    return tables


def _footing(row: Mapping[str, str]) -> tuple[str, str, str]:
    return row["source"], row["found"], row["conditions"]


def _cell(words: str) -> Cell:
    """Return a cell with its number, before ``%`` or ``points``, if it is one; what was not compared is none."""
    if not words:
        return Cell(NOTHING)
    try:
        return Cell(words, float(words.removesuffix("points").removesuffix("%")))
    except ValueError:
        return Cell(words)
