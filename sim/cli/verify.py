"""`deltatrain verify`: the gates against the golden model and the law, on random training steps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from sim.cli import options
from sim.cli.interruption import interruptible

if TYPE_CHECKING:
    from sim.verification import Verified

DIFFERENT = 1


def verify(
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
    from accel.architecture import Architecture
    from accel.gates import GATES
    from sim.cli.progress import Stages
    from sim.cli.screen import show, table
    from sim.gates.engines import engine_named
    from sim.verification import verify as compared

    machine = Architecture.named(on, options.overrides(changes).machine)
    cells = (cell,) if cell else tuple(GATES.names())
    for name in cells:
        GATES.load(name)
    runner = engine_named(engine)
    rows: list[Verified] = []
    with interruptible(), Stages() as stages:
        for verified in compared(
            machine,
            cells,
            cases=cases,
            seed=seed,
            engine=runner,
            waveform=waveform,
            on_progress=lambda share: stages("comparing", share, ""),
        ):
            rows.append(verified)
            if verified.mismatch:
                break
    columns = ("cell", "steps", "ops", "cycles", "values", "differ")
    cell_rows = [
        (
            row.cell,
            f"{row.cases:,}",
            f"{sum(row.ops.values()):,}",
            f"{row.cycles:,}",
            f"{row.values:,}",
            "yes" if row.mismatch else "none",
        )
        for row in rows
    ]
    note = "Gates against the golden model, number for number, and against the law, cycle for cycle."
    show(table(f"{machine.name}: gates on random training steps", columns, cell_rows, note))
    if rows[-1].mismatch:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(rows[-1])))
        raise SystemExit(DIFFERENT)


def _lines(verified: Verified) -> list[str]:
    mismatch = verified.mismatch
    assert mismatch is not None
    lines = [f"{mismatch.cell}, case {mismatch.case}: {mismatch.what}"]
    return lines + ([f"Written: {mismatch.waveform}"] if mismatch.waveform else [])
