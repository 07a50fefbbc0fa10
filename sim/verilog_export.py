"""A machine's gates as Verilog, written to a folder with a training step to try them on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import refuse
from deltatrain.accel.files import AnyPath, replace_file
from deltatrain.sim.capabilities import against_core, against_exporting
from deltatrain.sim.driver.core_files import core_files
from deltatrain.sim.gates import layout
from deltatrain.sim.gates.compiled.verilog import builtin_yosys
from deltatrain.sim.gates.engines import engine_named
from deltatrain.sim.gates.export.files import exported
from deltatrain.sim.gates.recorded_step import recorded_step
from deltatrain.sim.output_folder import open_folder
from deltatrain.sim.progress import Progress, tell_nobody
from deltatrain.sim.run import chosen, described, synthetic_trace
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload

__all__ = ["verilog"]


def verilog(
    architecture: Architecture | AnyPath,
    what: Workload | Trace | AnyPath,
    out: AnyPath,
    *,
    seed: int = 0,
    engine: str | None = None,
    top: Literal["tile", "axi"] = "tile",
    on_progress: Progress = tell_nobody,
) -> list[Path]:
    """Write a machine's tile as Verilog, with memory images and a test bench that checks itself, or a core for a bus.

    The bench runs one training step. It compares every matrix with the golden model and every counter with the
    simulation. The core is the tile behind AXI; beside it are its registers as texts, a driver and a program, and no
    bench. The same input gives the same bytes.

    Parameters
    ----------
    architecture
        The machine, its preset's name, or its TOML file.
    what
        A trace or its file, which ends in ``.npz``: the bench runs its last recorded step, on the weights and inputs
        that it was recorded with. Or a synthetic workload, its preset's name, or its TOML file: weights and inputs are
        drawn. Its sizes are the tile's.
    out
        Folder for the files, made if it is not there. ``README.txt`` in it says how to run the bench.
    seed
        Of the weights, inputs and labels that are drawn.
    engine
        What runs the gates, to find when off-chip memory answers: "amaranth", or "compiled", which is taken where the
        tools for it are there.
    top
        "tile", or "axi" for the core.
    on_progress
        Told the stage, the share of it that is done, and what is being done.

    Returns
    -------
    list of pathlib.Path
        The files.

    Raises
    ------
    ConfigError
        If the gates cannot be built for the machine or the workload, a trace has no weights and inputs, the folder
        cannot be written or belongs to others, or a tool is missing.
    """
    machine, what = Architecture.of(architecture), described(what)
    refuse(against_core(machine, what) if top == "axi" else against_exporting(machine, what))
    runner, trace = engine_named(engine), what if isinstance(what, Trace) else synthetic_trace(what)
    step = recorded_step(machine, trace, chosen(trace, -1), seed)
    if top == "tile":
        layout.check(step.program)
    with builtin_yosys():  # a missing package is told before the gates run, which takes longest
        folder = open_folder(Path(out), trace.workload.name, machine.name).path
        if top == "axi":
            on_progress("Verilog", 0.0, "")
            files = core_files(step)
        else:
            files = exported(step, runner, lambda stage, share: on_progress(stage, share, ""))
    for name, content in files.items():
        replace_file(folder / name, content)
    return [folder / name for name in files]
