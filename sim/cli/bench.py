"""`deltatrain bench`: how fast deltatrain is on this computer, and whether a machine is better than what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deltatrain.sim.cli.interruption import interruptible
from deltatrain.sim.cli.output import TEXT, Output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from deltatrain.sim.speed.bench import Bench
    from deltatrain.sim.speed.figure import Figure


def command(*, output: Output = TEXT) -> None:
    """Measure how fast deltatrain is on this computer, in a minute, beside the baseline of the package.

    A training step on the machine edge is put beside the same step of PyTorch on
    this computer, where PyTorch is installed. `simulate --measure-torch` does so
    for any workload and machine.

    For example:

      deltatrain bench
      deltatrain bench --json
      deltatrain bench --csv > speed.csv
    """
    from deltatrain.accel.documents import json_text
    from deltatrain.sim.speed.bench import bench

    with interruptible(), output.stages() as stages:
        found = bench(stages)
    output.give(
        *_tables(found),
        json=lambda: json_text(_plain(found), indent=1),
        rows=lambda: [_row(figure) for figure in found.figures],
    )


def _tables(found: Bench) -> list[RenderableType]:
    from deltatrain.sim.cli.screen import fields

    about = [("computer", found.computer), ("baseline", _written(found))]
    parts: list[RenderableType] = [fields("Host speed", about), _figures(found)]
    if found.left_out:
        parts += [f"Left out, this computer being busy: {'; '.join(found.left_out)}.", ""]
    return [*parts, *_step(found)]


def _figures(found: Bench) -> RenderableType:
    from deltatrain.accel.quantity import quantity, times
    from deltatrain.sim.cli.screen import table
    from deltatrain.sim.speed.figure import SLOWER

    rows = [
        [
            figure.what,
            quantity(figure.value, "s"),
            "" if figure.theirs is None else quantity(figure.theirs, "s"),
            "" if figure.times_baseline is None else times(figure.times_baseline),
            figure.verdict,
        ]
        for figure in found.figures
    ]
    note = (
        "CPU seconds of one core, the fastest of some repeats. Over baseline: both relative to fixed work measured in "
        f"the same minute, so that computers compare; beyond {times(SLOWER)} it is slower."
    )
    return table("Measured", ["what", "time", "PyTorch", "over baseline", "verdict"], rows, note)


def _step(found: Bench) -> list[RenderableType]:
    """Return the table of a training step on this computer; without PyTorch a line on how to get it."""
    from deltatrain.accel.errors import ConfigError
    from deltatrain.accel.extras import require
    from deltatrain.accel.quantity import quantity
    from deltatrain.sim.cli.summary import own_computer

    if found.step.own_computer:
        return [own_computer(found.step)]
    took = f"A training step of {found.step.workload['name']} on {found.step.architecture['name']}"
    took += f" takes {quantity(found.step.counters.seconds, 's')}, simulated."
    try:
        require("torch", "The same step on this computer")
    except ConfigError as error:
        took = f"{took} {error}"
    return [took]


def _written(found: Bench) -> str:
    run = found.baseline
    return f"{run.machine}; {run.date}, commit {run.commit}" if run else "none of these figures"


def _row(figure: Figure) -> dict[str, Any]:
    return {
        "what": figure.what,
        "cpu_s": figure.value,
        "peer": figure.peer,
        "peer_cpu_s": "" if figure.theirs is None else figure.theirs,
        "references": figure.relative,
        "baseline_references": "" if figure.baseline is None else figure.baseline,
        "times_baseline": "" if figure.times_baseline is None else figure.times_baseline,
        "verdict": figure.verdict,
    }


def _plain(found: Bench) -> dict[str, Any]:
    own = [one.model_dump(mode="json") for one in found.step.own_computer]
    step = {
        "workload": found.step.workload["name"],
        "machine": found.step.architecture["name"],
        "simulated_s": found.step.counters.seconds,
        "own_computer": own,
    }
    rows = [{name: None if value == "" else value for name, value in _row(figure).items()} for figure in found.figures]
    baseline = found.baseline.model_dump(mode="json", exclude={"relative"}) if found.baseline else None
    left_out = list(found.left_out)
    return {"computer": found.computer, "baseline": baseline, "figures": rows, "left_out": left_out, "step": step}
