"""`deltatrain train`: training alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deltatrain.accel.errors import ConfigError
from deltatrain.sim.cli import options
from deltatrain.sim.cli.interruption import interruptible
from deltatrain.sim.cli.output import TEXT, Output


def command(
    *,
    workload: options.Workload = "digits",
    on: Annotated[
        str | None,
        Parameter(
            name=["--on", "-m"],
            help="The machine in whose numbers to train: a name from `list machines`, or a TOML file. "
            "[default: none, in floating-point numbers]",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        Parameter(name=["--out", "-o"], help="Folder for the files, made if needed. [default: out/WORKLOAD]"),
    ] = None,
    resume: options.Resume = False,
    changes: options.Changes = None,
    output: Output = TEXT,
) -> None:
    """Train a workload and leave the trace of what fired, to be simulated on any machine.

    Writes trace.npz and training.json to the output folder, and after each
    epoch the state from which --resume goes on. With --on the training is in
    the integers of that machine, as it would do it: by plain gradient descent,
    or by workload.training.machine_optimiser.

    For example:

      deltatrain train
      deltatrain train -w commands --set workload.training.seed=2 --out out/two
      deltatrain train --on edge --out out/digits-in-integers
      deltatrain train --resume
    """
    from deltatrain.accel.architecture import Architecture
    from deltatrain.accel.documents import json_text
    from deltatrain.sim import flow
    from deltatrain.sim.cli.summary import epochs, training
    from deltatrain.sim.output_folder import OutputFolder
    from deltatrain.workloads import training_summary
    from deltatrain.workloads.tables import MACHINE
    from deltatrain.workloads.workload import Workload

    changed = options.overrides(changes)
    if changed.machine and on is None:
        raise ConfigError("--set machine.… has no meaning here without --on, the machine in whose numbers to train")
    if on is not None:
        changed.refuse_other_numbers(f"--on {on}", MACHINE)
    machine = None if on is None else Architecture.named(on, changed.machine)
    described = Workload.named(workload, changed.workload)
    folder = out or Path("out") / described.name
    with interruptible(OutputFolder(folder).state), output.stages() as stages:
        trace = flow.train(described, folder, on=machine, resume=resume, on_progress=stages)
    found = training_summary.summary(trace)
    rows = training_summary.epoch_rows(trace)
    output.give(
        epochs(rows, validated=trace.chosen is not None),
        training(found),
        f"Written to {folder}: trace.npz, training.json",
        json=lambda: json_text(found, indent=1),
        rows=lambda: rows,
    )
