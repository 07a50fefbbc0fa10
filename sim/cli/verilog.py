"""`deltatrain verilog`: a machine's gates as Verilog, with a training step to try them on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from deltatrain.sim.cli import options
from deltatrain.sim.cli.interruption import interruptible


def command(
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
    from deltatrain.sim.cli.progress import Stages
    from deltatrain.sim.cli.screen import show
    from deltatrain.sim.verilog_export import verilog
    from deltatrain.workloads.workload import Workload

    changed = options.overrides(changes)
    machine, described = Architecture.named(on, changed.machine), Workload.named(workload, changed.workload)
    folder = out or Path("out") / f"verilog-{machine.name}"
    with interruptible(), Stages() as stages:
        files = verilog(machine, described, folder, seed=seed, engine=engine, on_progress=stages)
    names = ", ".join(file.name for file in files if file.suffix != ".hex")
    show(f"Written to {folder}: {names}, memory images")
