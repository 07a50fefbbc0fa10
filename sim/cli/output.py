"""How a command prints what it found: for a person, as Markdown, or for a program as JSON or CSV."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from deltatrain.accel.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from deltatrain.sim.cli.progress import Stages
    from deltatrain.sim.cli.titled_table import Titled

Quiet = Annotated[
    bool, Parameter(name=["--quiet", "-q"], help="Show no progress: results and errors alone.", show_default=False)
]
Rows = Sequence[Mapping[str, object]]


@Parameter(name="*")
@dataclass(frozen=True)
class Output:
    """The form in which a command prints what it found; at most one beside that for a person."""

    json: Annotated[bool, Parameter(help="Print the result as JSON, nothing else.", show_default=False)] = False
    csv: Annotated[bool, Parameter(help="Print the result as CSV, nothing else.", show_default=False)] = False
    markdown: Annotated[bool, Parameter(help="Print the tables as Markdown.", show_default=False)] = False
    quiet: Quiet = False

    def stages(self, within: str = "") -> Stages:
        """Return what shows progress, of what is part of `within`, after a look at what cannot go together.

        Raises
        ------
        ConfigError
            If two forms are asked for.
        """
        from deltatrain.sim.cli.progress import Stages

        self.check()
        return Stages(silent=self.quiet, within=within)

    def check(self) -> None:
        """Raise a `ConfigError` if two forms are asked for."""
        asked = [f"--{form}" for form in ("json", "csv", "markdown") if getattr(self, form)]
        if len(asked) > 1:
            fewer = "one" if len(asked) == 2 else "all but one"
            raise ConfigError(f"{' and '.join(asked)} do not go together: leave {fewer} out")

    def give(
        self,
        *shown: RenderableType,
        json: Callable[[], str] | None = None,
        rows: Callable[[], Rows] | None = None,
    ) -> None:
        """Print what was found.

        Parameters
        ----------
        shown
            For a person, and for Markdown.
        json, rows
            Return the JSON text, and the rows of CSV, whose keys are equal; without them the cells of `shown` are
            taken as they are.
        """
        from deltatrain.sim.cli.screen import show
        from deltatrain.sim.cli.titled_table import Titled

        self.check()
        tables = [part for part in shown if isinstance(part, Titled)]
        if self.json:
            sys.stdout.write(f"{(json() if json else _json_of(tables)).rstrip()}\n")
        elif self.csv:
            sys.stdout.write(csv_text(rows() if rows else [cell for one in tables for cell in one.cells()]))
        elif self.markdown:
            sys.stdout.write("\n".join(map(_markdown, shown)))
        else:
            show(*shown)


TEXT = Output()
"""Tables for a person, with progress."""


def csv_text(rows: Rows) -> str:
    """Return rows of equal keys as CSV, under their keys; nothing of no rows."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    if rows:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _json_of(tables: Sequence[Titled]) -> str:
    from deltatrain.accel.documents import json_text

    return json_text({one.title: one.plain() for one in tables}, indent=1)


def _markdown(part: RenderableType) -> str:
    from rich.text import Text

    from deltatrain.sim.cli.titled_table import Titled, escaped

    if isinstance(part, Titled):
        return part.markdown()
    assert isinstance(part, str | Text)
    return "  \n".join(escaped(line) for line in str(part).splitlines()) + "\n"
