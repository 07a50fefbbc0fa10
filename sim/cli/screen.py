"""Tables and text on standard output."""

from __future__ import annotations

import csv
import io
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from deltatrain.reports.table import TOTAL

_WIDTH = 100
"""Columns of a table that goes to a file or a pipe, where there is no terminal to ask."""


def show(*parts: RenderableType) -> None:
    """Print `parts`; a broken pipe stays a `BrokenPipeError`, which rich would turn into an exit of its own."""
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else _WIDTH
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=width, highlight=False, markup=False, emoji=False)
    for part in parts:
        console.print(part)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()))


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], note: str = "", text_columns: int = 1
) -> RenderableType:
    """Return a table under its heading and over its note, and a blank line.

    The first `text_columns` columns are text, the others numbers, set to the right. A last row called "total" is set
    apart.
    """
    shown = Table(box=box.SIMPLE_HEAD, collapse_padding=True)
    for position, name in enumerate(columns):
        heading = name.replace(" ", "\n")  # narrow columns: a table should fit 80 characters
        justify: JustifyMethod = "left" if position < text_columns else "right"
        shown.add_column(heading, vertical="bottom", justify=justify, no_wrap=True)
    for row in rows:
        if row[0] == TOTAL:
            shown.add_section()
        shown.add_row(*(Text(cell) for cell in row), style="bold" if row[0] == TOTAL else None)
    notes: list[RenderableType] = [Text(note, style="dim"), ""] if note else []
    return Group(Text(title, style="bold"), shown, *notes)


def csv_text(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows of equal keys as CSV, under their keys."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def fields(title: str, values: Iterable[tuple[str, str]]) -> RenderableType:
    """Return names and values in two columns under a heading, and a blank line."""
    shown = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
    for name, value in values:
        shown.add_row(Text(name, style="dim"), Text(value))
    return Group(Text(title, style="bold"), shown, "")
