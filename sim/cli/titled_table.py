"""A table with its title and note: what is printed as a person reads it, as Markdown, or for a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deltatrain.sim.cli.fitted_table import FittedTable


@dataclass(frozen=True)
class NamesAndValues:
    """Names and their values, which need no headings."""

    values: Sequence[tuple[str, str]]

    def __rich__(self) -> Table:
        """Return them in two columns."""
        shown = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
        for _ in range(2):
            shown.add_column(overflow="fold")
        for name, value in self.values:
            shown.add_row(Text(name, style="dim"), Text(value))
        return shown


@dataclass(frozen=True)
class Titled:
    """A table under its title and over its note."""

    title: str
    table: FittedTable | NamesAndValues
    note: str = ""

    def __rich__(self) -> Group:
        """Return what a terminal shows."""
        if isinstance(self.table, NamesAndValues):
            return Group(Text(self.title, style="bold"), self.table, "")
        notes: list[RenderableType] = [Text(self.note, style="dim"), ""] if self.note else []
        return Group(Text(self.title, style="bold"), self.table, *notes)

    def markdown(self) -> str:
        """Return it in GitHub's Markdown: the title as a heading, numbers set to the right, every row whole."""
        table = self.table
        if isinstance(table, NamesAndValues):
            columns, rows, text_columns = ["", ""], [list(pair) for pair in table.values], 2
        else:
            columns, rows, text_columns = list(table.columns), [list(row) for row in table.rows], table.text_columns
        rule = ["---" if at < text_columns else "---:" for at in range(len(columns))]
        lines = [_row(cells) for cells in (columns, rule, *rows)]
        note = ["", *map(escaped, self.note.splitlines())] if self.note else []
        return "\n".join([f"### {escaped(self.title)}", "", *lines, *note, ""])

    def plain(self) -> object:
        """Return it as JSON can hold it: a value for each name, or the rows with a cell for each column."""
        if isinstance(self.table, NamesAndValues):
            return dict(self.table.values)
        return [dict(zip(self.table.columns, row, strict=True)) for row in self.table.rows]

    def cells(self) -> Iterator[dict[str, str]]:
        """Yield every cell by itself, with where it stands: ``table``, ``row``, ``column`` and ``value``."""
        if isinstance(self.table, NamesAndValues):
            for name, value in self.table.values:
                yield {"table": self.title, "row": name, "column": "", "value": value}
            return
        text = self.table.text_columns
        for row in self.table.rows:
            for column, value in zip(self.table.columns[text:], row[text:], strict=True):
                yield {"table": self.title, "row": " ".join(row[:text]), "column": column, "value": value}


def escaped(text: str) -> str:
    """Return text of which Markdown takes nothing as markup."""
    return "".join(f"\\{sign}" if sign in "\\|*`<[" else sign for sign in text)


def _row(cells: Sequence[str]) -> str:
    shown = (cell if set(cell) <= set("-:") and cell else escaped(" ".join(cell.split())) for cell in cells)
    return f"| {' | '.join(shown)} |"
