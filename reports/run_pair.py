"""Two runs beside each other: every quantity that both have, and how many times as much the second takes."""

from __future__ import annotations

from collections.abc import Iterator

from deltatrain.accel.counters import Counters
from deltatrain.accel.origin import figure_title, figures_in
from deltatrain.accel.result import Result
from deltatrain.reports.palette import CAUSE_LABELS, PHASE_NAMES
from deltatrain.reports.table import Row, ratio


def pair_rows(one: Result, other: Result) -> list[Row]:
    """Return a row for each quantity that both results have.

    Columns: ``quantity`` in words, ``unit`` (``s``, ``B``, ``J``, ``mm²``, ``%`` of 1, or empty), ``one``, ``other``
    and ``times``, the second over the first, which shares and figures of a task have not.
    """
    first, second = dict(_quantities(one)), dict(_quantities(other))
    rows: list[Row] = []
    for (quantity, unit), value in first.items():
        if (quantity, unit) not in second:
            continue
        row: Row = {"quantity": quantity, "unit": unit, "one": value, "other": second[quantity, unit]}
        if unit not in ("", "%"):
            row["times"] = ratio(second[quantity, unit], value)
        rows.append(row)
    return rows


def phase_times(one: Result, other: Result) -> dict[str, tuple[float, float]]:
    """Return the seconds of each phase in both results, by the phase's name in words; 0 in a result without it."""
    runs = (one.counters, other.counters)
    names = [name for name in PHASE_NAMES if any(run.phases[name].cycles for run in runs if name in run.phases)]
    first, second = ({name: _phase_s(run, name) for name in names} for run in runs)
    return {f"{name} {PHASE_NAMES[name]}": (first[name], second[name]) for name in names}


def _phase_s(run: Counters, name: str) -> float:
    return run.phases[name].cycles / run.clock_hz if name in run.phases else 0.0


def _quantities(result: Result) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield what a result has, under its name and unit."""
    run = result.counters
    yield (f"{result.simulated}", "s"), run.seconds
    for name, words in PHASE_NAMES.items():
        if name in run.phases:
            yield (f"{name} {words}", "s"), _phase_s(run, name)
    lanes = run.units["engine"]
    cycles = run.cycles or 1
    yield ("lanes at work", "%"), lanes.busy_cycles / cycles
    for cause, words in CAUSE_LABELS.items():
        lost = {str(name): count for name, count in lanes.stall_cycles.items()}.get(cause, 0)
        yield (f"lanes: {words}", "%"), lost / cycles
    yield ("off-chip bytes", "B"), run.remote.asked_bytes
    yield ("local bytes", "B"), sum(phase.local_bytes for phase in run.phases.values())
    if result.energy_j:
        yield ("energy", "J"), sum(result.energy_j.values())
    if result.area_mm2:
        yield ("area", "mm²"), sum(result.area_mm2.values())
    for name in figures_in(result.training):
        yield (figure_title(name, result.training), ""), float(result.training[name])
