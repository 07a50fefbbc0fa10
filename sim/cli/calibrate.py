"""`deltatrain calibrate`: a described machine fitted to step times that were measured on a board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deltatrain.sim.cli import options
from deltatrain.sim.cli.interruption import interruptible
from deltatrain.sim.cli.output import TEXT, Output


def command(
    measured: Annotated[
        Path, Parameter(name="CSV", help="Measured steps: columns cell, inputs, hidden, layers, columns, seconds.")
    ],
    /,
    *,
    on: options.Machine = "edgedrnn",
    fit: Annotated[
        list[str] | None,
        Parameter(
            help="A field to fit, with a whole number. May be repeated. "
            "[default: engine.clock_hz, engine.layer_cycles, dma.request_cycles, dma.bytes_per_cycle]"
        ),
    ] = None,
    out: Annotated[Path, Parameter(name=["--out", "-o"], help="File for the fitted machine.")] = Path(
        "calibrated.toml"
    ),
    output: Output = TEXT,
) -> None:
    """Fit the few fields of a machine that nobody publishes to measured times of inference steps.

    Each row of the file is a network of equal layers at batch 1, and the
    seconds that a step of it took when so many columns fired. The fitted
    machine is written as a change of the one it began with.

    For example:

      deltatrain calibrate board.csv --on edgedrnn --out board.toml
      deltatrain calibrate board.csv --on my.toml --fit engine.clock_hz --fit engine.layer_cycles
    """
    from deltatrain.accel.architecture import Architecture
    from deltatrain.accel.described import is_path
    from deltatrain.accel.documents import json_text
    from deltatrain.sim.calibration import FIELDS, calibrate, check_target, measurements, write_machine
    from deltatrain.sim.cli.screen import fields, table

    check_target(out, measured, on)
    rows = measurements(measured)
    with interruptible(), output.stages() as stages:
        found = calibrate(Architecture.named(on), rows, tuple(fit or FIELDS), on_progress=stages)
    write_machine(out, str(Path(on).resolve()) if is_path(on) else on, found, measured)
    cells = [
        [
            f"{row.step.cell} {row.step.layers} x {row.step.hidden}",
            f"{row.step.columns:g}",
            f"{row.seconds:.4g}",
            f"{seconds:.4g}",
            f"{100 * off:+.2f} %",
        ]
        for row, seconds, off in zip(rows, found.seconds.tolist(), found.off.tolist(), strict=True)
    ]
    unrounded = [
        row.step._asdict() | {"measured_s": row.seconds, "simulated_s": seconds, "off": off}
        for row, seconds, off in zip(rows, found.seconds.tolist(), found.off.tolist(), strict=True)
    ]
    idle = f"Without effect on these steps, so left as they were: {', '.join(found.without_effect)}."
    note = "Measured, as the file says; simulated, on the fitted machine."
    output.give(
        fields("Fitted", [(name, f"{value:,}") for name, value in found.values.items()]),
        table("Steps", ["network", "columns", "measured s", "simulated s", "off"], cells, note),
        *([idle] if found.without_effect else []),
        f"Written: {out}",
        json=lambda: json_text({"fitted": found.values, "steps": unrounded}, indent=1),
        rows=lambda: unrounded,
    )
