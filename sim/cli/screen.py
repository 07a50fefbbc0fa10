"""Tables and text on standard output."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from deltatrain.sim.cli.fitted_table import FittedTable
from deltatrain.sim.cli.titled_table import NamesAndValues, Titled

_WIDTH = 100
"""Columns of a table that goes to a file or a pipe, where neither a terminal nor COLUMNS tells."""

_UNIT = re.compile(r"(?<=\d) (?=%|[nµmkMGT]?(?:s|Hz|B|B/s|J|W)\b)")
"""The space between a number and its unit."""

_HELD = "\ue000"
"""What stands for such a space while lines are broken, which rich does at every kind of space."""


def show(*parts: RenderableType) -> None:
    """Print `parts`; a broken pipe stays a `BrokenPipeError`, which rich would turn into an exit of its own.

    The variable COLUMNS says how wide, terminal or not; NO_COLOR (no-color.org) leaves plain characters.
    """
    terminal = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size((_WIDTH, 0)).columns
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=width, highlight=False, markup=False, emoji=False)
    for part in parts:
        told = _with_units(part) if isinstance(part, str | Text) else part
        console.print(told, crop=False)  # a number that does not fit runs over the edge rather than be cut
    printed = text.getvalue().replace(_HELD, " ")
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in printed.splitlines()))


def _with_units(part: str | Text) -> str | Text:
    """Return a text in which no line can end between a number and its unit."""
    plain = part if isinstance(part, str) else part.plain
    held = _UNIT.sub(_HELD, plain)
    if isinstance(part, str):
        return held
    return Text(held, style=part.style, spans=part.spans)


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], note: str = "", text_columns: int = 1
) -> Titled:
    """Return a table (`FittedTable`) under its heading and over its note, and a blank line."""
    return Titled(title, FittedTable(columns, list(rows), text_columns), note)


def fields(title: str, values: Iterable[tuple[str, str]]) -> Titled:
    """Return names and values in two columns under a heading, and a blank line."""
    return Titled(title, NamesAndValues(list(values)))
