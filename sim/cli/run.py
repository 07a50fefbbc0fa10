"""`deltatrain run`: the main job, end to end."""

from __future__ import annotations

import shlex
from pathlib import Path

from deltatrain.sim.cli import options
from deltatrain.sim.cli.interruption import interruptible
from deltatrain.sim.cli.output import TEXT, Output


def command(
    *,
    workload: options.Workload = "digits",
    on: options.Machine = "edge",
    fidelity: options.Fidelity = "cycle",
    dense: options.Dense = True,
    numbers: options.NumbersOf = None,
    measure_torch: options.MeasureTorch = False,
    out: options.Out = None,
    resume: options.Resume = False,
    changes: options.Changes = None,
    output: Output = TEXT,
) -> None:
    """Train a workload, simulate one training step of it on a machine, and draw what that cost.

    Beside it the same step is simulated with every column fired, as a dense
    machine would work, unless --no-dense says otherwise. Writes result.json, trace.npz, training.json,
    schedule.json.gz and figures/*.png to the output folder.

    For example:

      deltatrain run
      deltatrain run --workload synthetic --on reneta
      deltatrain run --set machine.engine.lanes=16 --out out/wide
      deltatrain run --set workload.theta_h=0.2 --out out/sparser
      deltatrain run --numbers machine --out out/integers
      deltatrain run --measure-torch
      deltatrain run --resume
      deltatrain run --workload my.toml --on edge --json > result.json
    """
    from deltatrain.accel.architecture import Architecture
    from deltatrain.reports.table import flat
    from deltatrain.sim import flow, own_computer
    from deltatrain.sim.cli.invocation import command_line
    from deltatrain.sim.cli.summary import summary
    from deltatrain.sim.output_folder import OutputFolder
    from deltatrain.workloads.workload import Workload

    changed = options.overrides(changes)
    if numbers is not None:
        changed.refuse_other_numbers(f"--numbers {numbers}", numbers)
    changes_of = changed.workload | ({} if numbers is None else {"training.numbers": numbers})
    described, machine = Workload.named(workload, changes_of), Architecture.named(on, changed.machine)
    if measure_torch:
        own_computer.refuse_measuring(described)
    folder = out or Path("out") / f"{described.name}-{machine.name}"
    files = OutputFolder(folder)
    with interruptible(files.state), output.stages() as stages:
        result, trace = flow.train_and_simulate(
            described, machine, fidelity, folder, resume=resume, progress=stages, dense=dense, command=command_line()
        )
        if measure_torch:
            stages("PyTorch", 0.0, "")
            result = own_computer.measure_and_keep(result, trace, files.result)
    output.give(
        *summary(result),
        files.written(files.result, files.trace, files.training, files.schedule, files.figures),
        f"What would help: deltatrain advise {shlex.quote(str(folder))}",
        json=lambda: result.model_dump_json(indent=1),
        rows=lambda: [flat(result)],
    )
