"""`deltatrain front`: the best points of a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deltatrain.sim.cli import options


def command(
    folder: Annotated[Path, Parameter(name="DIR", help="The folder of a sweep, also of one that is under way.")],
    /,
    *,
    json: options.Json = False,
) -> None:
    """Show the points of a sweep that no other beats.

    For example:

      deltatrain front out/sweep-edge_memory
      deltatrain front out/sweep-edge_memory --json > front.json
    """
    from deltatrain.sim.cli.fronts import front_table, print_json, searches_table
    from deltatrain.sim.cli.screen import show

    if json:
        print_json(folder)
    else:
        show(*searches_table(folder), front_table(folder))
