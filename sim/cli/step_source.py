"""Where a command takes its training step from: a trace's file, or a workload instead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from deltatrain.accel.errors import ConfigError
from deltatrain.sim.cli import options

if TYPE_CHECKING:
    from deltatrain.workloads.trace import Trace
    from deltatrain.workloads.workload import Workload


def step_source(
    trace: Path | None, workload: str | None, changed: options.Overrides, default: str | None = None
) -> Trace | Workload:
    """Return the trace in the file, or the workload of that name.

    Parameters
    ----------
    trace
        The file.
    workload
        A preset of a workload, or its TOML file.
    changed
        What ``--set`` changes; a trace has its workload, of which only `phases` may be another.
    default
        The workload if neither is given.

    Raises
    ------
    ConfigError
        If both are given, or neither without a default, a trace's workload shall be changed, or a file is damaged.
    """
    from deltatrain.workloads.trace import Trace
    from deltatrain.workloads.workload import Workload

    if trace is None and workload is None:
        workload = default
    if (trace is None) == (workload is None):
        raise ConfigError("give either a trace file or --workload")
    if trace is None:
        return Workload.named(str(workload), changed.workload)
    if changed.workload.keys() - {"phases"}:
        raise ConfigError("--set workload.… has no meaning here, but for workload.phases: the trace has its workload")
    step = Trace.load(trace)
    return replace(step, workload=step.workload.with_changes(**changed.workload)) if changed.workload else step
