"""`deltatrain front`: the best points of a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deltatrain.sim.cli.output import TEXT, Output


def command(
    folder: Annotated[Path, Parameter(name="DIR", help="The folder of a sweep, also of one that is under way.")],
    /,
    *,
    output: Output = TEXT,
) -> None:
    """Show the points of a sweep that no other beats.

    For example:

      deltatrain front out/sweep-edge_memory
      deltatrain front out/sweep-edge_memory --json > front.json
    """
    from deltatrain.accel.documents import json_text
    from deltatrain.sim.cli.fronts import front_rows, front_table, searches_table

    output.give(
        *searches_table(folder),
        front_table(folder),
        json=lambda: json_text(front_rows(folder), indent=1),
        rows=lambda: front_rows(folder),
    )
