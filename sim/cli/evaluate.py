"""`deltatrain evaluate`: a trained network in a machine's numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deltatrain.accel.errors import ConfigError
from deltatrain.sim.cli import options
from deltatrain.sim.cli.output import TEXT, Output


def command(
    trained: Annotated[Path, Parameter(name="TRAINED", help="The folder of a training, or its trace.npz.")],
    /,
    *,
    on: options.Machine = "edge",
    changes: options.Changes = None,
    output: Output = TEXT,
) -> None:
    """Show how well a trained network does in the numbers of a machine, and in floating point.

    Weights, inputs and thresholds are rounded to the formats of the machine,
    however they were trained.

    For example:

      deltatrain evaluate out/digits
      deltatrain evaluate out/digits --on ipu_mk2 --json
    """
    from deltatrain.accel.architecture import Architecture
    from deltatrain.accel.documents import json_text
    from deltatrain.sim.cli.summary import evaluated
    from deltatrain.sim.evaluation import evaluate

    changed = options.overrides(changes)
    if changed.workload:
        raise ConfigError("--set workload.… has no meaning here: the trace has its workload")
    machine = Architecture.named(on, changed.machine)
    with output.stages() as stages:
        rows = evaluate(trained, machine, on_progress=stages)
    output.give(evaluated(rows, machine.name), json=lambda: json_text(rows, indent=1), rows=lambda: rows)
