"""Results as rows: dictionaries whose keys name quantity and unit, for a screen, CSV or a data frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.counters import Cause, Counters, PhaseCounters
from deltatrain.accel.quantity import share
from deltatrain.accel.result import Result

CAUSES: tuple[Cause, ...] = get_args(Cause)
"""Stall causes, in the order of the columns."""

Cell = int | float | str
Row = dict[str, Cell]

TOTAL = "total"
"""What the last row of a table of parts is called."""

_ABOVE = 1.0005
"""Of a roof, from where it reads as more than 100.0 %."""

_MUCH_WAITED = 0.1
"""Share of the time in which a processor has other work, beyond which that is told."""


def ratio(dense: float, delta: float) -> float:
    """Return `dense` over `delta`: 1 if both are zero, infinite if only `delta` is."""
    if delta:
        return dense / delta
    return math.inf if dense else 1.0


def phases_of(result: Result) -> list[str]:
    """Return the phases that the run or its dense twin has: no RF if nothing is run again, FP alone in inference."""
    runs = [run.phases for run in result.runs.values()]
    return [name for name in runs[0] if any(run[name].cycles + run[name].remote_bytes for run in runs)]


def window_note(result: Result) -> str:
    """Return the sentences on looked up words and on a window of streams; empty where there is neither."""
    training, told = result.workload.get("training", {}), []
    if result.workload.get("embedding"):
        told.append("Each step loads its word's row of the table from off-chip memory (FP).")
        if "WU" in phases_of(result):
            told.append("The row's gradient is added to the word's (WG), and the words that occur are updated (WU).")
        told.append("The words' numbers, which the host sends, are not simulated.")
    if training.get("truncate_steps") and training.get("window_state") != "reset":
        told.append("The step is a window that goes on from a state, in local memory when it begins;")
        told.append("moving the states of several streams in and out is not simulated.")
    return " ".join(told)


def cache_note(result: Result) -> str:
    """Return the sentence on a column cache that lies idle; empty where there is none, or one that is used."""
    machine = Architecture.from_table(result.architecture, "the result's machine")
    described = "remote" in (machine.placement.weights, machine.placement.gradients)
    off_chip = described or result.counters.phases["WU"].remote_bytes > 0  # "auto", and they do not fit
    if result.counters.cache or not off_chip:
        return ""
    why = machine.idle_cache
    if machine.column_cache:
        why = f"it is less than the column buffer, {machine.dma.buffer_bytes:,} bytes"
    return f"The local memory that is left is no column cache here: {why}." if why else ""


def phase_rows(result: Result) -> list[Row]:
    """Return one row for each phase, FP, RF, BP, WG, WU, and their total.

    Columns: cycles (engine cycles of the phase) and their ``share`` of the run, ``time_s``, ``busy_cycles``,
    ``stall_<cause>_cycles``, ``utilisation`` (multiply-accumulates done over what the lanes could do),
    ``empty_lane_cycles`` (of all lanes, the busy cycles in which they had no weight), ``occupancy`` (``fired`` over
    ``elements``, both counts of columns), ``macs`` and ``skipped_macs``, ``remote_bytes`` and ``local_bytes`` moved.
    With a dense run: ``dense_cycles``, ``dense_remote_bytes``, ``dense_local_bytes`` of the same phase with every
    column fired, and ``speedup``, dense cycles over cycles.
    """
    names = phases_of(result)
    delta, *dense = [
        {name: run.phases[name] for name in names} | {TOTAL: _summed(run.phases.values())}
        for run in result.runs.values()
    ]
    return [
        {"phase": name, **_phase_row(phase, result.counters), **(_beside(phase, dense[0][name]) if dense else {})}
        for name, phase in delta.items()
    ]


def _beside(delta: PhaseCounters, dense: PhaseCounters) -> Row:
    return {
        "dense_cycles": dense.cycles,
        "dense_remote_bytes": dense.remote_bytes,
        "dense_local_bytes": dense.local_bytes,
        "speedup": ratio(dense.cycles, delta.cycles),
    }


def _phase_row(delta: PhaseCounters, run: Counters) -> Row:
    return {
        "cycles": delta.cycles,
        "share": delta.cycles / run.cycles if run.cycles else 0.0,
        "time_s": delta.cycles / run.clock_hz,
        "busy_cycles": delta.busy_cycles,
        **_stalls(delta.stall_cycles),
        "utilisation": delta.utilisation(run.lanes),
        "empty_lane_cycles": delta.empty_lane_cycles(run.lanes),
        "occupancy": delta.occupancy,
        "fired": delta.fired,
        "elements": delta.elements,
        "macs": delta.macs,
        "skipped_macs": delta.skipped_macs,
        "remote_bytes": delta.remote_bytes,
        "local_bytes": delta.local_bytes,
    }


def unit_rows(counters: Counters) -> list[Row]:
    """Return one row for each unit: ``busy_cycles``, ``busy`` (their share of the run), ``stall_<cause>_cycles``."""
    return [
        {
            "unit": name,
            "busy_cycles": unit.busy_cycles,
            "busy": unit.busy_cycles / counters.cycles if counters.cycles else 0.0,
            **_stalls(unit.stall_cycles),
        }
        for name, unit in counters.units.items()
    ]


def memory_rows(result: Result) -> list[Row]:
    """Return the off-chip memory's counters, one row for the run (``delta``) and one for a dense run (``dense``).

    Columns besides those of `RemoteCounters`: ``bytes_per_second`` over the whole run, ``row_hit_share`` of all
    requests, ``bus_busy`` (share of the run in which the data bus moved data), ``local_bytes`` of all phases.
    """
    return [{"run": name, **_memory_row(run)} for name, run in result.runs.items()]


def cache_rows(result: Result) -> list[Row]:
    """Return one row for each phase whose columns were looked up in the column cache; none without a cache.

    Columns: those of `CacheCounters` and ``hit_share`` of all lookups; of a dense run the same as ``dense_...``.
    """
    found = []
    for name in result.counters.cache:
        of_runs = {f"{run}_"[: 6 * (run == "dense")]: one.cache.get(name) for run, one in result.runs.items()}
        row: Row = {"phase": name}
        for prefix, one in of_runs.items():
            hits, misses, outs = (one.hits, one.misses, one.write_backs) if one else (0, 0, 0)
            share_hit = hits / (hits + misses) if hits + misses else 0.0
            row |= {f"{prefix}hits": hits, f"{prefix}misses": misses, f"{prefix}hit_share": share_hit}
            row[f"{prefix}write_backs"] = outs
        if any(value for column, value in row.items() if column != "phase"):
            found.append(row)
    return found


def array_rows(result: Result) -> list[Row]:
    """Return one row for each phase in which several arrays had columns; none on a machine of one array.

    Columns: those of `ArrayCounters`, and ``imbalance``, the share of the arrays' busy cycles in which one had no
    column; of a dense run the same as ``dense_...``.
    """
    found, engine = [], result.architecture["engine"]
    for name in result.counters.arrays:
        row: Row = {"phase": name}
        for run, one in result.runs.items():
            prefix, counted, busy = "dense_" * (run == "dense"), one.arrays[name], one.phases[name].busy_cycles
            row[f"{prefix}imbalance"] = counted.imbalance_cycles / (busy * engine["arrays"]) if busy else 0.0
            row[f"{prefix}imbalance_cycles"] = counted.imbalance_cycles
            row[f"{prefix}added_sums"] = counted.added_sums
        if any(run.phases[name].busy_cycles for run in result.runs.values()):
            found.append(row)
    return found


def _memory_row(run: Counters) -> Row:
    remote = run.remote
    requests = remote.row_hits + remote.row_misses + remote.row_conflicts
    return {
        "read_bytes": remote.read_bytes,
        "write_bytes": remote.write_bytes,
        "bytes_per_second": remote.asked_bytes / run.seconds if run.cycles else 0.0,
        "row_hits": remote.row_hits,
        "row_misses": remote.row_misses,
        "row_conflicts": remote.row_conflicts,
        "row_hit_share": remote.row_hits / requests if requests else 0.0,
        "activates": remote.activates,
        "refreshes": remote.refreshes,
        "bus_busy": remote.busy_cycles / run.cycles if run.cycles else 0.0,
        "local_bytes": sum(phase.local_bytes for phase in run.phases.values()),
    }


def energy_rows(result: Result) -> list[Row]:
    """Return ``energy_j`` by component, and their total.

    With a dense run ``dense_energy_j`` too, and ``saving``, dense over delta.
    """
    if result.dense is None:
        spent = [*result.energy_j.items(), (TOTAL, sum(result.energy_j.values()))]
        return [{"component": name, "energy_j": joules} for name, joules in spent]
    components = list(dict.fromkeys([*result.energy_j, *result.dense_energy_j]))
    pairs = [(name, result.energy_j.get(name, 0.0), result.dense_energy_j.get(name, 0.0)) for name in components]
    pairs.append((TOTAL, sum(result.energy_j.values()), sum(result.dense_energy_j.values())))
    return [
        {"component": name, "energy_j": delta, "dense_energy_j": dense, "saving": ratio(dense, delta)}
        for name, delta, dense in pairs
    ]


def area_rows(result: Result) -> list[Row]:
    """Return ``area_mm2`` by component and its ``share`` of what is priced, and their total."""
    total = sum(result.area_mm2.values())
    sizes = [*result.area_mm2.items(), (TOTAL, total)]
    return [{"component": name, "area_mm2": size, "share": size / total if total else 0.0} for name, size in sizes]


def own_computer_rows(result: Result) -> list[Row]:
    """Return one row for each device of the user's own computer on which the same step was measured.

    Columns: ``device``, ``library``, ``threads``, ``time_s``, ``steps`` measured, ``waited`` (share of the time in
    which the processor had other work) and ``speedup``, the device's time over the simulated machine's.
    """
    return [
        {
            "device": own.device,
            "library": own.library,
            "threads": own.threads,
            "time_s": own.seconds,
            "steps": own.steps,
            "waited": own.waited,
            "speedup": own.seconds / result.counters.seconds if result.counters.cycles else math.inf,
        }
        for own in result.own_computer
    ]


def busy_note(result: Result) -> str:
    """Return the sentence on a computer that had other work while a step was measured on it; empty otherwise."""
    waited = max((own.waited for own in result.own_computer), default=0.0)
    if waited < _MUCH_WAITED:
        return ""
    return f"The processor had other work for {share(waited)} of the time or more: on an idle one the step is faster."


def roofline_rows(result: Result) -> list[Row]:
    """Return one row for each phase with multiply-accumulates, and their total, of the run and of a dense run.

    Columns: ``run`` (``delta``, ``dense``), ``phase``, ``macs_per_remote_byte`` (infinite where nothing was moved),
    ``macs_per_second`` attained, ``roof_macs_per_second`` (what lanes and off-chip memory allow at that intensity),
    ``roof`` (which of the two is the lower, ``lanes`` or ``memory``) and ``of_roof``, attained over allowed.

    Notes
    -----
    Off-chip memory works ahead of the lanes, so bytes of one phase may move during another. A short phase can then
    stand above its roof. The total cannot.
    """
    machine = Architecture.from_table(result.architecture, "the result's machine")
    rate = machine.remote_peak_bytes_per_second
    rows: list[Row] = []
    for run, counters in result.runs.items():
        peak = counters.lanes * counters.clock_hz
        phases = [(name, counters.phases[name]) for name in phases_of(result)]
        for phase, counted in (*phases, (TOTAL, _summed(counters.phases.values()))):
            if not counted.macs or not counted.cycles:
                continue
            intensity = counted.macs / counted.remote_bytes if counted.remote_bytes else math.inf
            attained = counted.macs * counters.clock_hz / counted.cycles
            roof = min(float(peak), rate * intensity)
            rows.append(
                {
                    "run": run,
                    "phase": phase,
                    "macs_per_remote_byte": intensity,
                    "macs_per_second": attained,
                    "roof_macs_per_second": roof,
                    "roof": "lanes" if roof == peak else "memory",
                    "of_roof": attained / roof,
                }
            )
    return rows


def above_the_roof(rows: Iterable[Row]) -> str:
    """Return the sentence on phases of `roofline_rows` that stand above their roof, and why; empty if none does."""
    high = [f"{row['phase']} ({row['run']})" for row in rows if float(row["of_roof"]) > _ABOVE]
    if not high:
        return ""
    return (
        f"Above the roof: {', '.join(high)}. Some of these bytes moved during another phase; the total cannot be there."
    )


def flat(result: Result) -> dict[str, Cell]:
    """Return the whole result as one row under dotted names, with what follows from it: one line of a CSV file.

    Lists are counted from 0 (``workload.hidden.0``). What follows is ``speedup``, if there is a dense run, and under
    ``phase.<name>.`` the columns of `phase_rows`.
    """
    row = dict(_dotted("", result.model_dump(mode="json")))
    if result.speedup is not None:
        row["speedup"] = result.speedup
    for phase in phase_rows(result):
        name = phase.pop("phase")
        row |= {f"phase.{name}.{column}": value for column, value in phase.items()}
    return row


def _dotted(path: str, value: Any) -> Iterator[tuple[str, Cell]]:
    if isinstance(value, dict | list):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in entries:
            yield from _dotted(f"{path}.{key}" if path else str(key), inner)
    elif value is not None:
        yield path, value


def by_cause(stall_cycles: Mapping[Cause, int]) -> dict[str, int]:
    """Return the stall cycles of every cause, also of causes without cycles, in the order of `CAUSES`."""
    return {str(cause): stall_cycles.get(cause, 0) for cause in CAUSES}


def _stalls(stall_cycles: Mapping[Cause, int]) -> Row:
    return {f"stall_{cause}_cycles": cycles for cause, cycles in by_cause(stall_cycles).items()}


def _summed(phases: Iterable[PhaseCounters]) -> PhaseCounters:
    tables = [phase.model_dump() for phase in phases]
    stalls = {cause: sum(table["stall_cycles"].get(cause, 0) for table in tables) for cause in CAUSES}
    fields = [field for field in PhaseCounters.model_fields if field != "stall_cycles"]
    return PhaseCounters(stall_cycles=stalls, **{field: sum(table[field] for table in tables) for field in fields})
