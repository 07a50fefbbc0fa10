"""`deltatrain simulate`: a trace that is already there, on another machine."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from deltatrain.sim.cli import options
from deltatrain.sim.cli.interruption import interruptible
from deltatrain.sim.cli.output import TEXT, Output
from deltatrain.sim.cli.step_source import step_source

if TYPE_CHECKING:
    from deltatrain.accel.architecture import Architecture
    from deltatrain.accel.result import Result
    from deltatrain.sim.machine.timeline_files import Recorder
    from deltatrain.workloads.trace import Trace
    from deltatrain.workloads.workload import Workload


def command(
    trace: Annotated[Path | None, Parameter(name="TRACE", help="A trace.npz that `train` or `run` wrote.")] = None,
    /,
    *,
    workload: Annotated[
        str | None,
        Parameter(
            name=["--workload", "-w"], help="Instead of a trace: a synthetic workload, or one with `initial_weights`."
        ),
    ] = None,
    on: options.Machine = "edge",
    fidelity: options.Fidelity = "cycle",
    dense: options.Dense = True,
    measure_torch: options.MeasureTorch = False,
    engine: options.Engine = None,
    out: Annotated[
        Path | None,
        Parameter(
            name=["--out", "-o"],
            help="Folder for result.json, schedule.json.gz and figures; without it none are written.",
        ),
    ] = None,
    timeline: Annotated[
        Path | None, Parameter(help="Write what every unit did when, for Perfetto: a file .json or .json.gz.")
    ] = None,
    vcd: Annotated[Path | None, Parameter(help="Write it as waveforms too: a file .vcd.")] = None,
    dram_trace: Annotated[
        Path | None,
        Parameter(name="--dram-trace", help="File for the requests to off-chip DRAM, as `dram --trace` reads them."),
    ] = None,
    changes: options.Changes = None,
    output: Output = TEXT,
) -> None:
    """Simulate the training step recorded in a trace, or one made of statistics, on a machine.

    For example:

      deltatrain simulate out/digits-edge/trace.npz --on reneta
      deltatrain simulate -w synthetic --set workload.synthetic.occupancy_h=0.1
      deltatrain simulate -w tiny --on tiny --fidelity rtl --engine amaranth
      deltatrain simulate -w synthetic --timeline timeline.json.gz
      deltatrain simulate -w synthetic --dram-trace step.trace
      deltatrain simulate -w synthetic --measure-torch
    """
    from deltatrain.accel.architecture import Architecture
    from deltatrain.reports.table import flat
    from deltatrain.sim import own_computer
    from deltatrain.sim.cli.summary import summary
    from deltatrain.sim.machine.timeline_files import Recorder
    from deltatrain.workloads.workload import Workload

    recorder = Recorder(timeline, vcd) if timeline or vcd else None
    changed = options.overrides(changes)
    machine = Architecture.named(on, changed.machine)
    what = step_source(trace, workload, changed)
    _check(what, machine, fidelity, engine, requests=dram_trace is not None, observed=recorder is not None)
    if measure_torch:
        own_computer.refuse_measuring(what if isinstance(what, Workload) else what.workload)
    step = _step(what, machine, dense=dense)
    result = _simulated(machine, step, fidelity, engine, out, recorder, dram_trace, output, dense=dense)
    if measure_torch:
        result = _measured(result, step, out, output)
    output.give(
        *summary(result),
        *(_left_in(out, trace) if out else []),
        *map(_written, recorder.paths if recorder else []),
        json=lambda: result.model_dump_json(indent=1),
        rows=lambda: [flat(result)],
    )


def _simulated(
    machine: Architecture,
    step: Trace,
    fidelity: str,
    engine: str | None,
    out: Path | None,
    recorder: Recorder | None,
    dram_trace: Path | None,
    output: Output,
    *,
    dense: bool,
) -> Result:
    """Simulate, and write what was asked for."""
    from deltatrain.sim import flow
    from deltatrain.sim.cli.invocation import command_line
    from deltatrain.sim.fidelity import FIDELITIES
    from deltatrain.sim.machine.dram_trace import write_trace

    with interruptible(), output.stages() as stages:
        result = flow.simulate_and_keep(
            machine, step, fidelity, out, stages, engine, recorder, dense=dense, command=command_line()
        )
        if dram_trace is not None:
            stages("requests", 0.0, "")
            program = FIDELITIES.load(fidelity).program(machine, step, step.recorded[-1])
            write_trace(program, dram_trace)
    return result


def _measured(result: Result, step: Trace, out: Path | None, output: Output) -> Result:
    """Measure the step in PyTorch, and write the result with it."""
    from deltatrain.sim.output_folder import OutputFolder
    from deltatrain.sim.own_computer import measure_and_keep

    with interruptible(), output.stages() as stages:
        stages("PyTorch", 0.0, "")
        return measure_and_keep(result, step, OutputFolder(out).result if out else None)


def _left_in(out: Path, trace: Path | None) -> list[str]:
    """Return the line that names the files in the folder, and the one with the command that says what would help."""
    from deltatrain.sim.output_folder import OutputFolder

    files, advise = OutputFolder(out), ["deltatrain", "advise", str(out), *([str(trace)] if trace else [])]
    return [files.written(files.result, files.schedule, files.figures), f"What would help: {shlex.join(advise)}"]


def _written(path: Path) -> str:
    return f"Written: {path}"


def _check(
    what: Trace | Workload, machine: Architecture, fidelity: str, engine: str | None, *, requests: bool, observed: bool
) -> None:
    """Refuse, with all reasons at once, what step, machine and what was asked for cannot do together."""
    from deltatrain.accel.errors import refuse
    from deltatrain.sim.capabilities import against_running_untrained, against_simulating
    from deltatrain.workloads.workload import Workload

    workload = what if isinstance(what, Workload) else what.workload
    untrained = against_running_untrained(what) if isinstance(what, Workload) else []
    asked = against_simulating(machine, workload, fidelity, engine=engine, requests=requests, observed=observed)
    refuse(untrained + asked)


def _step(what: Trace | Workload, machine: Architecture, *, dense: bool) -> Trace:
    """Return a trace as it is, and that of a workload that needs no training, if it can fit the machine."""
    from deltatrain.sim.fitting import check_described
    from deltatrain.sim.run import untrained_trace
    from deltatrain.workloads.workload import Workload

    if not isinstance(what, Workload):
        return what
    if what.synthetic is not None:
        check_described(machine, what, dense=dense)
    return untrained_trace(what)
