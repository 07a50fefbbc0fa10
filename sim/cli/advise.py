"""`deltatrain advise`: what would make a run cheaper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from deltatrain.sim.cli.interruption import StoppedError
from deltatrain.sim.cli.output import TEXT, Output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from deltatrain.accel.advice import Advice


def command(
    folder: Annotated[Path, Parameter(name="RUN", help="The folder that `run`, or `simulate --out`, wrote.")],
    trace: Annotated[
        Path | None, Parameter(name="TRACE", help="The trace that was simulated, where it is not in RUN.")
    ] = None,
    /,
    *,
    train: Annotated[
        bool,
        Parameter(
            help="Train networks with higher thresholds and fewer weights, too. They are kept, and shown from then on.",
            show_default=False,
        ),
    ] = False,
    output: Output = TEXT,
) -> None:
    """Say what takes most of a run's step, and simulate what would make it cheaper.

    Each change of the machine is simulated by itself: more lanes, a faster
    clock, more memory, a wider bus, the next faster part. The page that `report`
    writes shows them first.

    For example:

      deltatrain advise out/digits-edge
      deltatrain advise out/digits-edge --train
      deltatrain advise out/mine out/digits-edge/trace.npz
      deltatrain advise out/digits-edge --csv > advice.csv
    """
    from deltatrain.accel.result import Result
    from deltatrain.reports.advice import advice_rows
    from deltatrain.reports.bottleneck import bottleneck
    from deltatrain.sim.advice.advise import ADVICE, advise
    from deltatrain.sim.output_folder import OutputFolder

    try:
        with output.stages() as stages:
            found = advise(folder, trace, train=train, on_progress=stages)
    except KeyboardInterrupt:
        kept = (
            f"what was trained is kept in {folder / ADVICE}, and the same command goes on from there" if train else ""
        )
        raise StoppedError(advice=kept) from None
    file = folder / f"{ADVICE}.json"
    found.save(file)
    output.give(
        bottleneck(Result.load(OutputFolder(folder).result)),
        "",
        *_tables(found),
        f"Written: {file}",
        json=lambda: found.model_dump_json(indent=1),
        rows=lambda: advice_rows(found),
    )


def _tables(found: Advice) -> list[RenderableType]:
    from deltatrain.accel.quantity import figure_words, quantity, times
    from deltatrain.reports.advice import NOTE, advice_rows
    from deltatrain.sim.cli.screen import fields, table

    rows = [
        [
            str(row["change"]),
            times(float(row["speedup"])),
            quantity(float(row["time_s"]), "s"),
            quantity(float(row["remote_bytes"]), "B"),
            *(times(float(row[name])) for name in ("energy_times", "area_times") if name in row),
            *([figure_words(found.figure, float(row[found.figure]))] if found.figure in row else []),
        ]
        for row in advice_rows(found)
    ]
    columns = ["change", "faster", "step", "off-chip"]
    columns += [
        f"{what} times" for what, priced in (("energy", found.now.energy_j), ("area", found.now.area_mm2)) if priced
    ]
    columns += [found.figure.replace("_", " ")] if rows and len(rows[0]) > len(columns) else []
    parts = [table(f"What would help {found.workload} on {found.machine}, {found.fidelity}", columns, rows, NOTE)]
    return [*parts, *([fields("Not possible", found.refused.items())] if found.refused else [])]
