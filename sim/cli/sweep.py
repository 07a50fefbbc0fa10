"""`deltatrain sweep`: the points of a design space, each simulated once."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from deltatrain.accel.errors import ConfigError
from deltatrain.sim.cli import options
from deltatrain.sim.cli.interruption import StoppedError
from deltatrain.sim.cli.output import TEXT, Output

if TYPE_CHECKING:
    from deltatrain.sim.cli.progress import Stages
    from deltatrain.sim.sweep.exploration import Progress


def command(
    space: Annotated[str, Parameter(name="SPACE", help="A name from `list spaces`, or a TOML file.")],
    /,
    *,
    out: Annotated[
        Path | None,
        Parameter(name=["--out", "-o"], help="Folder for the points, made if needed. [default: out/sweep-SPACE]"),
    ] = None,
    workers: Annotated[
        int | None, Parameter(help="Processes on this machine. [default: one on each core]", show_default=False)
    ] = None,
    cluster: Annotated[
        str | None, Parameter(help="Instead of them the scheduler of a dask cluster, as tcp://HOST:PORT.")
    ] = None,
    dense: Annotated[
        bool | None,
        Parameter(
            name="--dense",
            negative="--no-dense",
            help="Simulate each point with every column fired, too, or do not. [default: as the space says]",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        Parameter(name=["--set", "-s"], help="Change the space: FIELD=VALUE, VALUE as in TOML. May be repeated."),
    ] = None,
    output: Output = TEXT,
) -> None:
    """Simulate the points of a design space and show those that no other beats.

    Each point that is finished is kept at once in journal.jsonl: stopped and
    started again, a sweep goes on where it was, and one with more points only
    simulates the new ones. A terminal shows the front so far. Writes table.parquet, table.csv and sweep.json.

    For example:

      deltatrain sweep edge_memory
      deltatrain sweep edge_memory --set search.kind=nsga2 --set search.points=100
      deltatrain sweep my_space.toml --out out/mine --workers 8
      deltatrain sweep my_space.toml --out out/mine --cluster tcp://head:8786
    """
    from deltatrain.accel.documents import json_text
    from deltatrain.sim.cli.fronts import front_rows, front_table, searches_table
    from deltatrain.sim.sweep import sweep as run
    from deltatrain.sim.sweep.checks import named_space

    own = {} if dense is None else {"dense": dense}
    described = named_space(space, options.space_overrides(changes) | own)
    folder = out or Path("out") / f"sweep-{described.name}"
    try:
        with output.stages() as stages:
            frame = run(described, folder, workers=workers, cluster=cluster, on_progress=_teller(stages, folder))
    except KeyboardInterrupt:
        advice = f"the finished points are kept in {folder}, and the same command goes on from there"
        raise StoppedError(advice=advice) from None
    failed = frame["failure"].drop_nulls()
    if len(failed) == frame.height and not (output.json or output.csv):
        reasons = "; ".join(frame["reason"].drop_nulls().unique(maintain_order=True)[:3].to_list())
        raise ConfigError(f"none of the {frame.height} points could be simulated: {reasons}")
    count = f"{frame.height:,} points, {len(failed):,} of them not simulated for the reason in their row"
    output.give(
        *searches_table(folder),
        front_table(folder),
        f"Written to {folder}: table.parquet, table.csv, journal.jsonl, sweep.json ({count})",
        json=lambda: json_text(front_rows(folder), indent=1),
        rows=lambda: front_rows(folder),
    )


_LIVE_ROWS = 10
_LIVE_SHARE = 0.02
"""Of the time, that drawing the front of what is finished may take."""


def _teller(stages: Stages, folder: Path) -> Callable[[Progress], None]:
    """Return what shows the progress of a sweep as one stage for each search, and on a terminal the front so far."""
    from deltatrain.reports.units import heading
    from deltatrain.sim.cli.fronts import cell, front_table

    next_front = time.monotonic()

    def draw_front() -> None:
        nonlocal next_front
        began = time.monotonic()
        if began >= next_front:
            stages.below(front_table(folder, _LIVE_ROWS))
            next_front = time.monotonic() + (time.monotonic() - began) / _LIVE_SHARE

    def tell(at: Progress) -> None:
        best = ", ".join(f"{heading(name)} {cell(name, value)}" for name, value in at.best.items())
        parts = [f"{at.done:,} of {at.points:,}", f"{at.points_per_second:.3g} a second"]
        parts += [] if at.workers else ["waiting for workers"]
        parts += [f"{at.failed:,} failed"] if at.failed else []
        parts += [f"front {at.front}", f"best {best}"] if at.front else []
        stages(at.search, at.done / at.points, ", ".join(parts))
        if at.front and stages.live:
            draw_front()

    return tell
