"""A table that fits the width it is given, and never cuts a number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from rich import box
from rich.align import Align
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from deltatrain.reports.table import TOTAL

_FEW_ROWS = 2
"""Rows up to which a table that is too wide is turned, so that its columns stand below each other."""

_SPACE, _EDGES = 2, 2
"""Characters beside each column, and beside all of them."""

_NARROW = 8, 16
"""Characters to which columns of text are folded before columns of numbers move to a further table: fewest, most."""


class FittedTable:
    """Rows under headings, as one table where it fits, else turned (few rows) or in several below each other.

    Parameters
    ----------
    columns
        Headings.
    rows
        Cells as text, as many in each row as there are columns.
    text_columns
        How many columns at the left are text, which may be folded, and which every further table repeats. The others
        are numbers, set to the right, never folded. A last row called "total" is set apart.
    """

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int) -> None:
        self.columns = columns
        self.rows = rows
        self.text_columns = text_columns

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the tables, as wide as `options` allows at most, or as the widest number or word of a heading needs."""
        every = range(len(self.columns))
        if self._narrowest(every, options.max_width) <= options.max_width:
            yield self._drawn(every)
        elif len(self.rows) <= _FEW_ROWS < len(self.columns) - 1:
            yield from self._turned().__rich_console__(console, options)
        else:
            for part in self._parts(options.max_width):
                wide = max(options.max_width, self._narrowest(part, 0))
                yield from console.render(self._drawn(part), options.update(width=wide))

    def _turned(self) -> FittedTable:
        """Return the table with a row for each column; what its first column held stands above."""
        turned = [list(cells) for cells in zip(self.columns, *self.rows, strict=True)]
        return FittedTable(turned[0], turned[1:], text_columns=1)

    def _parts(self, width: int) -> Iterator[list[int]]:
        """Yield the columns of each table: those of text, and as many of the next ones as fit."""
        key = list(range(self.text_columns))
        part = list(key)
        for column in range(self.text_columns, len(self.columns)):
            if len(part) > len(key) and self._narrowest([*part, column], width) > width:
                yield part
                part = list(key)
            part.append(column)
        yield part

    def _narrowest(self, part: Sequence[int], width: int) -> int:
        """Return the fewest characters in which the table of these columns cuts no number, of `width` characters.

        Text is folded to a share of the width; where there is none to share, to the fewest characters.
        """
        fewest, most = _NARROW
        folded = max(fewest, min(most, width // 2 // max(self.text_columns, 1)))
        widths = [min(self._width(i), folded) if i < self.text_columns else self._width(i) for i in part]
        return sum(widths) + _SPACE * len(part) + _EDGES

    def _width(self, column: int) -> int:
        cells = [*_heading(self.columns[column]).splitlines(), *(row[column] for row in self.rows)]
        return max(map(cell_len, cells), default=0)

    def _drawn(self, part: Sequence[int]) -> Table:
        shown = Table(box=box.SIMPLE_HEAD, collapse_padding=True)
        for column in part:
            text = column < self.text_columns
            justify: Literal["left", "right"] = "left" if text else "right"
            heading = Align(Text(_heading(self.columns[column]), justify=justify), justify, vertical="bottom")
            shown.add_column(heading, justify=justify, no_wrap=not text, overflow="fold")
        for row in self.rows:
            if row[0] == TOTAL:
                shown.add_section()
            shown.add_row(*(Text(row[column]) for column in part), style="bold" if row[0] == TOTAL else None)
        return shown


def _heading(name: str) -> str:
    """Return a heading with a word a line: narrow columns fit."""
    return name.replace(" ", "\n")
