"""`deltatrain verilog`: a machine's gates as Verilog, with a training step to try them on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from deltatrain.sim.cli import options
from deltatrain.sim.cli.interruption import interruptible
from deltatrain.sim.cli.output import Quiet
from deltatrain.sim.cli.step_source import step_source


def command(
    trace: Annotated[
        Path | None,
        Parameter(
            name="TRACE", help="A trace.npz that `train` or `run` wrote, whose last recorded step the bench runs."
        ),
    ] = None,
    /,
    *,
    on: options.Machine = "edge",
    workload: Annotated[
        str | None,
        Parameter(
            name=["--workload", "-w"],
            help="Instead of a trace: a synthetic workload, or its TOML file; weights and inputs are drawn. "
            "[default: tiny]",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        Parameter(name=["--out", "-o"], help="Folder for the files, made if needed. [default: out/verilog-MACHINE]"),
    ] = None,
    seed: Annotated[int, Parameter(help="Of weights, inputs and labels that are drawn.", validator=Number(gte=0))] = 0,
    engine: options.Engine = None,
    top: Annotated[
        Literal["tile", "axi"], Parameter(help="The tile with a test bench, or the tile behind AXI: a core for a bus.")
    ] = "tile",
    changes: options.Changes = None,
    quiet: Quiet = False,
) -> None:
    """Write a machine's tile as Verilog, with memory images and a test bench that checks itself.

    The bench runs one training step and compares every matrix with the golden
    model and every counter with the simulation: in Icarus Verilog, Verilator
    or any other simulator. The sizes of trace or workload are the tile's.
    parameters.json has all parameters and addresses, README.txt how to run it.
    The same input gives the same bytes.

    With --top axi it writes a core for a bus instead: AXI4 to memory, AXI4-Lite
    for registers, commands read from memory. Beside it are the registers as
    Markdown, SVD, C and Python, a driver in C, and a program for the shape.

    For example:

      deltatrain verilog out/digits-edge/trace.npz --on edge
      deltatrain verilog --on edge --out out/verilog-edge
      deltatrain verilog --on tiny --workload tiny --set workload.cell=delta_gru
      deltatrain verilog --set machine.placement.weights=local --seed 5
      deltatrain verilog --on edge --top axi --out out/core
    """
    from deltatrain.accel.architecture import Architecture
    from deltatrain.sim.cli.progress import Stages
    from deltatrain.sim.cli.screen import show
    from deltatrain.sim.verilog_export import verilog

    changed = options.overrides(changes)
    machine, what = Architecture.named(on, changed.machine), step_source(trace, workload, changed, default="tiny")
    folder = out or Path("out") / f"verilog-{machine.name}"
    with interruptible(), Stages(silent=quiet) as stages:
        files = verilog(machine, what, folder, seed=seed, engine=engine, top=top, on_progress=stages)
    names = ", ".join(file.name for file in files if file.suffix != ".hex")
    images = ", memory images" if top == "tile" else ""
    show(f"Written to {folder}: {names}{images}")
