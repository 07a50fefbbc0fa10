"""`deltatrain compare`: two runs, or two sweeps, beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deltatrain.sim.cli.output import TEXT, Output


def command(
    one: Annotated[Path, Parameter(name="A", help="The folder of a run or of a sweep.")],
    other: Annotated[Path, Parameter(name="B", help="Of another run, or of a sweep for the same objectives.")],
    /,
    *,
    output: Output = TEXT,
) -> None:
    """Compare two runs, quantity by quantity, or two sweeps: the best of each objective, and whose front beats whose.

    `report A B` makes a page of both.

    For example:

      deltatrain compare out/digits-edge out/digits-reneta
      deltatrain compare out/sweep-edge_memory out/sweep-nsga2
      deltatrain compare out/sweep-edge_memory out/sweep-nsga2 --json
    """
    from deltatrain.accel.errors import ConfigError
    from deltatrain.sim.output_folder import OutputFolder

    results = {folder: OutputFolder(folder).result for folder in (one, other)}
    without = [folder for folder, result in results.items() if not result.is_file()]
    if not without:
        _runs(one, other, output)
    elif len(without) < len(results):
        run = other if without == [one] else one
        raise ConfigError(f"{without[0]} has no {results[run].name}: it is no run, as {run} is")
    else:
        _sweeps(one, other, output)


def _runs(one: Path, other: Path, output: Output) -> None:
    from deltatrain.accel.documents import json_text
    from deltatrain.accel.footing import differences, warning
    from deltatrain.accel.quantity import times
    from deltatrain.accel.result import Result
    from deltatrain.reports.page.table import said
    from deltatrain.reports.run_pair import pair_rows
    from deltatrain.sim.cli.screen import table
    from deltatrain.sim.output_folder import OutputFolder

    results = [Result.load(OutputFolder(folder).result) for folder in (one, other)]
    rows = pair_rows(*results)
    shown = [
        [
            str(row["quantity"]),
            *(said(float(row[side]), str(row["unit"])) for side in ("one", "other")),
            times(float(row["times"])) if "times" in row else "",
        ]
        for row in rows
        if row["one"] or row["other"]
    ]
    titles = [f"{result.workload.get('name')} on {result.architecture.get('name')}" for result in results]
    heading = f"A is {one}, {titles[0]}; B is {other}, {titles[1]}"
    output.give(
        table(heading, ["", "A", "B", "B over A"], shown),
        *filter(None, [warning(differences([result.footing for result in results]))]),
        json=lambda: json_text(rows, indent=1),
        rows=lambda: [
            {name: row.get(name, "") for name in ("quantity", "unit", "one", "other", "times")} for row in rows
        ],
    )


def _sweeps(one: Path, other: Path, output: Output) -> None:
    from deltatrain.accel.documents import json_text
    from deltatrain.accel.footing import warning
    from deltatrain.accel.quantity import share
    from deltatrain.reports.page.table import dotted
    from deltatrain.reports.units import heading
    from deltatrain.sim.cli.fronts import cell
    from deltatrain.sim.cli.screen import table
    from deltatrain.sim.sweep.results import compare, load_results

    sides = compare(one, other)
    folders = zip("AB", (one, other), sides, strict=True)
    found = {letter: {"folder": str(folder)} | side._asdict() for letter, folder, side in folders}
    columns = [load_results(folder).columns for folder in (one, other)]
    names = {
        name: " / ".join(dict.fromkeys(heading(name, known) for known in columns))
        for side in sides
        for name in side.best
    }
    rows = [
        ["points", *(f"{side.points:,}" for side in sides)],
        ["feasible", *(f"{side.feasible:,}" for side in sides)],
        ["on the front", *(f"{side.front:,}" for side in sides)],
        *([f"best {title}", *(cell(name, side.best.get(name)) for side in sides)] for name, title in names.items()),
        ["hypervolume", *(f"{side.hypervolume:.4f}" for side in sides)],
        ["front beaten", *(share(side.beaten) for side in sides)],
    ]
    note = (
        "Hypervolume: scaled by the front of both together (best 0, worst 1, reference 1.1).\n"
        "Front beaten: share of a front's points than which the other sweep has a better one."
    )
    parts = [table(f"A is {one}, B is {other}", ["", "A", "B"], rows, note)]
    output.give(
        *parts,
        *filter(None, [warning(sides[0].differs_in)]),
        json=lambda: json_text(found, indent=1),
        rows=lambda: [{"sweep": letter} | dotted(side) for letter, side in found.items()],
    )
