"""Tables and text on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

_WIDTH = 140
"""Columns of a table that goes to a file or a pipe, where there is no terminal to ask."""


def show(*parts: RenderableType) -> None:
    """Print `parts`; a broken pipe stays a `BrokenPipeError`."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], note: str = "", text_columns: int = 1
) -> Table:
    """Return a table whose first `text_columns` columns are text and whose others are numbers, set to the right."""
    shown = Table(title=title, title_justify="left", title_style="bold", caption=note or None, caption_justify="left")
    shown.box = box.SIMPLE_HEAD
    for position, name in enumerate(columns):
        shown.add_column(name, justify="left" if position < text_columns else "right", no_wrap=position >= text_columns)
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    return shown


def fields(title: str, values: Iterable[tuple[str, str]]) -> RenderableType:
    """Return names and values in two columns under a heading."""
    shown = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in values:
        shown.add_row(Text(name, style="dim"), Text(value))
    return Group(Text(title, style="bold"), shown)
