"""`deltatrain verify`: the gates against the golden model and the law, on random training steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from deltatrain.sim.cli import options
from deltatrain.sim.cli.interruption import interruptible
from deltatrain.sim.cli.output import TEXT, Output

if TYPE_CHECKING:
    from deltatrain.sim.verification import Mismatch, Verified

DIFFERENT = 1

_COLUMNS = ("cell", "steps", "ops", "cycles", "values", "differ")
_NOTE = "Gates against the golden model, number for number, and against the law, cycle for cycle."


def command(
    *,
    on: options.Machine = "edge",
    cell: Annotated[
        str | None, Parameter(name=["--cell", "-c"], help="Arithmetic to compare: rnn, gru, lstm. [default: all]")
    ] = None,
    cases: Annotated[
        int, Parameter(name=["--cases", "-n"], help="Training steps of each cell.", validator=Number(gte=1))
    ] = 20,
    seed: Annotated[int, Parameter(help="Of everything that is drawn.", validator=Number(gte=0))] = 0,
    engine: options.Engine = None,
    waveform: Annotated[
        Path | None, Parameter(help="Where to write what every signal did in the first case that differs, a .vcd file.")
    ] = None,
    changes: options.Changes = None,
    output: Output = TEXT,
) -> None:
    """Run random training steps on the machine's gates, and compare all they compute and count.

    Every entry of every matrix W and dW must be the golden model's, every
    busy and stalled cycle of every unit that of the `cycle` fidelity. The
    exit status is 1 if something differs.

    For example:

      deltatrain verify --on tiny --cell rnn --cases 3
      deltatrain verify --on edge --cases 200 --seed 7
      deltatrain verify --on tiny --engine amaranth --waveform mismatch.vcd
    """
    from deltatrain.accel.architecture import Architecture
    from deltatrain.accel.documents import json_text
    from deltatrain.sim.cli.screen import table
    from deltatrain.sim.verification import verify

    machine = Architecture.named(on, options.overrides(changes).machine)
    cells = (cell,) if cell else None
    with interruptible(), output.stages() as stages:
        rows = verify(machine, cells, cases=cases, seed=seed, engine=engine, waveform=waveform, on_progress=stages)
    output.give(
        table(f"{machine.name}: gates on random training steps", _COLUMNS, map(_cells, rows), _NOTE),
        *(["\n".join(_lines(rows[-1].mismatch))] if rows[-1].mismatch else []),
        json=lambda: json_text(_plain(rows), indent=1),
        rows=lambda: _plain(rows),
    )
    if rows[-1].mismatch:
        raise SystemExit(DIFFERENT)


def _plain(rows: Sequence[Verified]) -> list[dict[str, object]]:
    return [row._asdict() | {"mismatch": row.mismatch.what if row.mismatch else ""} for row in rows]


def _cells(verified: Verified) -> list[str]:
    counts = (verified.cases, verified.ops, verified.cycles, verified.values)
    return [verified.cell, *(f"{count:,}" for count in counts), "yes" if verified.mismatch else "none"]


def _lines(mismatch: Mismatch) -> list[str]:
    lines = [f"{mismatch.cell}, case {mismatch.case}: {mismatch.what}"]
    return lines + ([f"Written: {mismatch.waveform}"] if mismatch.waveform else [])
