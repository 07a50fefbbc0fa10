"""Draws the runs and sweeps of a page as figures for papers, with `reports.figures`."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.origin import figure_title
from deltatrain.reports.figures import (
    energy_breakdown,
    memory_over_time,
    memory_traffic,
    memory_use,
    occupancy,
    pareto,
    phase_breakdown,
    roofline,
    sensitivity,
)
from deltatrain.reports.page.contents import Contents, Run, Sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Form = Literal["svg", "pdf", "png"]
_DATED = {"svg": "Date", "pdf": "CreationDate"}  # the metadata field for the time of writing, which is left out


def figures(contents: Contents) -> Iterator[tuple[str, Figure]]:
    """Yield every figure of the runs and sweeps, each under a name for its file: run and figure."""
    for run in contents.runs:
        for name, figure in _of_run(run):
            yield f"{run.name}-{name}", figure
    for sweep in contents.sweeps:
        yield from _of_sweep(sweep)


def encoded(figure: Figure, form: Form) -> bytes:
    """Return the figure's file, the same bytes for the same figure."""
    import matplotlib

    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "deltatrain"}):
        figure.savefig(file, format=form, metadata={_DATED[form]: None} if form in _DATED else None)
    return file.getvalue()


def _of_run(run: Run) -> Iterator[tuple[str, Figure]]:
    yield "phase_breakdown", phase_breakdown.draw(run.result, run.fidelity)
    yield "memory_traffic", memory_traffic.draw(run.result, run.fidelity)
    yield "roofline", roofline.draw(run.result, run.fidelity)
    yield "energy_breakdown", energy_breakdown.draw(run.result, run.fidelity)
    workload = str(run.result.workload.get("name", "a workload"))
    if run.held:
        machine = Architecture.from_table(run.result.architecture, "the result's machine")
        yield (
            "memory_use",
            memory_use.draw(
                run.held.local_bytes,
                run.held.remote_bytes,
                local_capacity_bytes=machine.local.bytes,
                remote_capacity_bytes=machine.remote.bytes,
                setting=f"{workload} on {machine.name}",
            ),
        )
    if run.advice:
        yield "sensitivity", sensitivity.draw(run.advice)
    if run.result.held_bytes:
        yield "memory_over_time", memory_over_time.draw(run.result, run.fidelity)
    if run.curves:
        drawn = occupancy.draw(
            run.curves.over_steps,
            run.curves.over_epochs,
            run.curves.accuracy,
            dense_epochs=run.curves.dense_epochs,
            workload=workload,
            title=figure_title("accuracy", run.result.training),
        )
        yield "occupancy", drawn


def _of_sweep(sweep: Sweep) -> Iterator[tuple[str, Figure]]:
    """Yield the first objective against each of the others."""
    first, *others = [name for name in sweep.objectives if name in sweep.table.columns] or [""]
    for other in others:
        name = f"{sweep.name}-{first}-{other}".replace(".", "_")
        yield name, pareto.draw(sweep.table, first, other, setting=f"{sweep.name}  ·  {sweep.fidelity}")
