"""What a simulated training step takes in PyTorch on the user's own computer, measured beside the result."""

from __future__ import annotations

from pathlib import Path

from deltatrain.accel.extras import require
from deltatrain.accel.own_computer import OwnComputer, processor
from deltatrain.accel.result import Result
from deltatrain.sim.run import chosen
from deltatrain.workloads.tasks import TASKS
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload


def refuse_measuring(workload: Workload) -> None:
    """Raise a `ConfigError` if PyTorch is not installed, or has no such network."""
    require("torch", "measuring a step on this computer")
    from deltatrain.workloads.torch.ordinary_step import refuse_cell

    refuse_cell(workload.cell)


def measure(result: Result, trace: Trace) -> Result:
    """Return a result with the time that the same step takes in PyTorch on this computer: `Result.own_computer`.

    The step is that of the ordinary network of torch.nn with the same sizes, lengths, loss and update, which looks up
    the same table of words, if any, and works through every column, with as many threads as PyTorch takes by itself,
    and on a GPU where there is one.

    Parameters
    ----------
    result, trace
        What was simulated, and from which trace.

    Raises
    ------
    ConfigError
        If PyTorch is not installed, has no such cell, or the trace has no such step.
    """
    refuse_measuring(trace.workload)
    from deltatrain.workloads.torch.ordinary_step import OrdinaryStep, Sizes, devices, library, threads

    workload = trace.workload
    lengths = chosen(trace, int(result.provenance.get("recorded_step", -1))).lengths
    numbers, every = not TASKS.load(workload.task).CLASSES, workload.readout == "every"
    network = workload.cell, trace.inputs, workload.hidden, trace.classes
    sizes = Sizes(*network, lengths, every, numbers, workload.learns, trace.sizes.words)
    found = []
    for device, name in devices().items():
        timed = OrdinaryStep(sizes, device).timed()
        found.append(
            OwnComputer(
                device=name or processor(),
                library=library(),
                threads=threads(device),
                seconds=timed.seconds,
                steps=timed.steps,
                waited=timed.waited if device == "cpu" else 0.0,
            )
        )
    return result.model_copy(update={"own_computer": tuple(found)})


def measure_and_keep(result: Result, trace: Trace, file: Path | None) -> Result:
    """Return what `measure` does, and write it to `file` if there is one."""
    measured = measure(result, trace)
    if file is not None:
        measured.save(file)
    return measured
