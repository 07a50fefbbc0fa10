"""A few lines about something, for a terminal and for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple


class Glance(NamedTuple):
    """What is said of something at a glance.

    Attributes
    ----------
    title
        What it is.
    facts
        Name, value with its unit, and how the value was found (a key of `accel.origin.ORIGINS`).
    columns, rows
        A table; its first column is text, the others are numbers.
    """

    title: str
    facts: Sequence[tuple[str, str, str]]
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """Return it as lines of text, columns aligned."""
        name_width = max(len(name) for name, *_ in self.facts)
        facts = [f"  {name:<{name_width}}  {value} ({origin})" for name, value, origin in self.facts]
        table = [self.columns, *self.rows]
        widths = [max(len(row[place]) for row in table) for place in range(len(self.columns))]
        lines = [
            "  ".join([f"  {row[0]:<{widths[0]}}", *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in table
        ]
        return "\n".join([self.title, *facts, *lines])

    def html(self) -> str:
        """Return it as an HTML fragment, everything escaped."""
        facts = "".join(
            f"<li>{escape(name)}: <b>{escape(value)}</b> <small>{escape(origin)}</small></li>"
            for name, value, origin in self.facts
        )
        heading = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in self.rows)
        table = f"<table><thead><tr>{heading}</tr></thead><tbody>{rows}</tbody></table>"
        return f"<div><strong>{escape(self.title)}</strong><ul>{facts}</ul>{table}</div>"
