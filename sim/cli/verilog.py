"""`deltatrain verilog`: a machine's gates as Verilog, with a training step to try them on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from deltatrain.sim.cli import options
from deltatrain.sim.cli.interruption import interruptible


def verilog(
    *,
    on: options.Machine = "edge",
    workload: Annotated[
        str,
        Parameter(
            name=["--workload", "-w"],
            help="The training step, of a synthetic workload or its TOML file; its sizes are the tile's.",
        ),
    ] = "tiny",
    out: Annotated[
        Path | None,
        Parameter(name=["--out", "-o"], help="Folder for the files, made if needed. [default: out/verilog-MACHINE]"),
    ] = None,
    seed: Annotated[int, Parameter(help="Of the step's weights, inputs and labels.", validator=Number(gte=0))] = 0,
    engine: options.Engine = None,
    changes: options.Changes = None,
) -> None:
    """Write a machine's tile as Verilog, with memory images and a test bench that checks itself.

    The bench runs one training step and compares every matrix with the golden
    model and every counter with the simulation: in Icarus Verilog, Verilator
    or any other simulator. parameters.json has all parameters and addresses,
    README.txt how to run it. The same input gives the same bytes.

    For example:

      deltatrain verilog --on edge --out out/verilog-edge
      deltatrain verilog --on tiny --workload tiny --set workload.cell=delta_gru
      deltatrain verilog --set machine.placement.weights=local --seed 5
    """
    from deltatrain.accel.architecture import Architecture
    from deltatrain.accel.errors import refuse
    from deltatrain.accel.files import replace_file
    from deltatrain.sim.capabilities import against_exporting
    from deltatrain.sim.cli.progress import Stages
    from deltatrain.sim.cli.screen import show
    from deltatrain.sim.gates.drawn_step import drawn_step
    from deltatrain.sim.gates.engines import engine_named
    from deltatrain.sim.gates.export.files import check, exported
    from deltatrain.sim.output_folder import open_folder
    from deltatrain.sim.run import synthetic_trace
    from deltatrain.workloads.workload import Workload

    changed = options.overrides(changes)
    machine, described = Architecture.named(on, changed.machine), Workload.named(workload, changed.workload)
    refuse(against_exporting(machine, described))
    runner, trace = engine_named(engine), synthetic_trace(described)
    step = drawn_step(machine, trace, trace.recorded[-1], seed)
    check(step.program)
    folder = open_folder(out or Path("out") / f"verilog-{machine.name}", described.name, machine.name).path
    with interruptible(), Stages() as stages:
        files = exported(step, runner, lambda stage, share: stages(stage, share, ""))
        for name, content in files.items():
            replace_file(folder / name, content)
    show(f"Written to {folder}: {', '.join(name for name in files if not name.endswith('.hex'))}, memory images")
