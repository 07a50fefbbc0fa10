"""What a simulation found, as tables for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich.console import RenderableType
from rich.text import Text

from deltatrain.accel import spikes_cut
from deltatrain.accel.latency import Latency
from deltatrain.accel.origin import (
    FLOAT_FIGURES,
    NO_DENSE,
    figure_title,
    figures_in,
    learned_in_integers,
    recorded_words,
)
from deltatrain.accel.quantity import figure_words, quantity, share, times
from deltatrain.accel.result import Result
from deltatrain.accel.weight_moves import WeightMoves
from deltatrain.reports.bottleneck import bottleneck
from deltatrain.reports.optimiser import machine_optimiser, optimiser_rows, remembered_words, update_note
from deltatrain.reports.table import (
    CAUSES,
    Cell,
    Row,
    area_rows,
    array_rows,
    busy_note,
    cache_note,
    cache_rows,
    energy_rows,
    memory_rows,
    own_computer_rows,
    phase_rows,
    unit_rows,
    window_note,
)
from deltatrain.sim.cli.screen import fields, table
from deltatrain.sim.fidelity import label

_COMMANDS = ("row_hits", "row_misses", "row_conflicts", "activates", "refreshes")
_CACHE_COLUMNS = ("hit share", "hits", "misses", "write-backs")
_NONE = "–"
_OF_RUNS = (("", ""), ("dense_", "dense "))
"""What fields of the run and of the dense run begin with, and their titles."""


def summary(result: Result) -> list[RenderableType]:
    """Return the tables of a result, under a headline."""
    parts = [_headline(result), *(part(result) for part in (_phases, _stalls, _units, _bytes, _memory))]
    if result.counters.cache:
        parts.append(_cache(result))
    if result.counters.arrays:
        parts.append(_arrays(result))
    if result.energy_j:
        parts.append(_energy(result))
    if result.learns:
        parts.append(_optimiser(result))
    if result.weight_moves:
        parts.append(_weight_moves(result, result.weight_moves))
    if result.area_mm2:
        parts.append(_area(result))
    if result.training:
        parts.append(training(result.training))
    if result.own_computer:
        parts.append(own_computer(result))
    return parts


def _headline(result: Result) -> Text:
    run = result.counters
    text = Text(f"{result.workload['name']} on {result.architecture['name']}", style="bold")
    text.append(f"  one {result.simulated}, {label(result)}\n", style="dim")
    text.append(f"{quantity(run.seconds, 's')} at {quantity(run.clock_hz, 'Hz')}, {_beside(result)}\n")
    if result.latency:
        text.append(_latency(result, result.latency))
    if words := recorded_words(result.workload):
        text.append(f"Deltas: {words}\n")
    text.append(f"{bottleneck(result)}\n")
    return text


def _beside(result: Result) -> str:
    if result.dense is None or result.speedup is None:
        return NO_DENSE
    return f"dense {quantity(result.dense.seconds, 's')}: {times(result.speedup)} faster"


def _latency(result: Result, found: Latency) -> str:
    clock, steps = result.counters.clock_hz, found.steps
    host = f", {quantity(found.host_s, 's')} of it the host's" if found.host_s else ""
    alone = " of the machine alone" if found.host_s else ""
    return (
        f"Latency of a step {quantity(found.mean_s(clock), 's')} on average{host}; at most "
        f"{quantity(found.worst_s(clock), 's')} (sample {found.worst_sample}, step {found.worst_step}); "
        f"{quantity(steps / result.counters.seconds)} steps a second{alone}\n"
    )


def _phases(result: Result) -> RenderableType:
    def cells(row: Row) -> list[str]:
        return [
            str(row["phase"]),
            quantity(_number(row["cycles"])),
            quantity(_number(row["time_s"]), "s"),
            share(_number(row["utilisation"])),
            share(_number(row["occupancy"])) if row["elements"] else _NONE,
            quantity(_number(row["fired"])) if row["elements"] else _NONE,
            *([quantity(_number(row["dense_cycles"])), times(_number(row["speedup"]))] if result.dense else []),
        ]

    columns = ["phase", "cycles", "time", "utilisation", "occupancy", "fired"]
    columns += ["dense cycles", "speed-up"] if result.dense else []
    note = (
        "FP forward, RF forward again, BP backward, WG weight gradient, WU weight update.\n"
        "Utilisation: multiply-accumulates done, of what all lanes could do in these cycles.\n"
        f"Occupancy: columns that fired, of all. Speed-up: {'dense cycles over cycles' if result.dense else NO_DENSE}."
    )
    lines = "\n".join(filter(None, [note, update_note(result), window_note(result), cache_note(result)]))
    return table("Phases", columns, map(cells, phase_rows(result)), lines)


def _bytes(result: Result) -> RenderableType:
    kinds = [("remote_bytes", "off-chip"), ("local_bytes", "local")]
    runs = _OF_RUNS[: len(result.runs)]
    columns = {f"{run}{name}": f"{words}{title}" for name, title in kinds for run, words in runs}

    def cells(row: Row) -> list[str]:
        return [str(row["phase"]), *(quantity(_number(row[name]), "B") for name in columns)]

    return table("Bytes moved", ["phase", *columns.values()], map(cells, phase_rows(result)))


def _stalls(result: Result) -> RenderableType:
    rows = phase_rows(result)
    causes = _present(rows)
    cells = ([str(row["phase"]), *_shares(row, _number(row["cycles"]), causes)] for row in rows)
    return table(
        "The engine's cycles", ["phase", "busy", *causes], cells, "Busy, or waiting for what the column names."
    )


def _units(result: Result) -> RenderableType:
    rows = unit_rows(result.counters)
    causes = _present(rows)
    cells = ([str(row["unit"]), *_shares(row, result.counters.cycles, causes)] for row in rows)
    return table("Units", ["unit", "busy", *causes], cells, "Shares of the run's cycles.")


def _memory(result: Result) -> RenderableType:
    def cells(row: Row) -> list[str]:
        return [
            quantity(_number(row["read_bytes"]), "B"),
            quantity(_number(row["write_bytes"]), "B"),
            quantity(_number(row["bytes_per_second"]), "B/s"),
            share(_number(row["bus_busy"])),
            *(quantity(_number(row[name])) for name in _COMMANDS),
        ]

    names = ["read", "written", "mean rate", "data bus busy", *(name.replace("_", " ") for name in _COMMANDS)]
    columns = [cells(row) for row in memory_rows(result)]
    return table("Off-chip memory", ["", *result.runs], zip(names, *columns, strict=True))


def _cache(result: Result) -> RenderableType:
    def cells(row: Row) -> list[str]:
        found = [str(row["phase"])]
        for prefix, _ in _OF_RUNS[: len(result.runs)]:
            counts = (quantity(_number(row[f"{prefix}{name}"])) for name in ("hits", "misses", "write_backs"))
            found += [share(_number(row[f"{prefix}hit_share"])), *counts]
        return found

    columns = [f"{title}{name}" for _, title in _OF_RUNS[: len(result.runs)] for name in _CACHE_COLUMNS]
    note = "Runs of columns that were looked up, and dirty lines that went out."
    return table("Column cache", ["phase", *columns], map(cells, cache_rows(result)), note)


def _arrays(result: Result) -> RenderableType:
    def cells(row: Row) -> list[str]:
        found = [str(row["phase"])]
        for prefix, _ in _OF_RUNS[: len(result.runs)]:
            counts = (quantity(_number(row[f"{prefix}{name}"])) for name in ("imbalance_cycles", "added_sums"))
            found += [share(_number(row[f"{prefix}imbalance"])), *counts]
        return found

    names = ("without a column", "cycles", "sums added")
    columns = [f"{title}{name}" for _, title in _OF_RUNS[: len(result.runs)] for name in names]
    note = "Share of the busy cycles in which an array had no column left while another had; cycles of all arrays."
    return table("Arrays of lanes", ["phase", *columns], map(cells, array_rows(result)), note)


def _energy(result: Result) -> RenderableType:
    def cells(row: Row) -> list[str]:
        beside = [quantity(_number(row["dense_energy_j"]), "J"), times(_number(row["saving"]))] if result.dense else []
        return [str(row["component"]), quantity(_number(row["energy_j"]), "J"), *beside]

    tables = result.architecture.get("energy", "")
    note = f"Modelled from action counts with the table {tables}, not measured.\n{_left_out(result, 'energy')}"
    if any(name.startswith("DRAM") for name in result.energy_j):
        note += "\nDRAM: from the part's datasheet currents, standby of the whole run included, I/O not."
    columns = ["component", *result.runs, *(["saving"] if result.dense else [])]
    return table("Energy", columns, map(cells, energy_rows(result)), note)


def _optimiser(result: Result) -> RenderableType:
    def cells(row: Row) -> list[str]:
        spent = (
            [quantity(_number(row["energy_j"]), "J"), share(_number(row["energy_share"]))] if result.energy_j else []
        )
        return [
            str(row["run"]),
            quantity(_number(row["cycles"])),
            share(_number(row["share"])),
            *(quantity(_number(row[name]), "B") for name in ("remote_bytes", "local_bytes")),
            *spent,
        ]

    columns = ["run", "cycles", "of all", "off-chip", "local", *(["energy", "of all"] if result.energy_j else [])]
    shared_out = "Energy off-chip is shared out by bytes moved." if result.energy_j else ""
    bound = "Cycles are the updates' part of the step's bound: by themselves they may take longer."
    bounded = bound if result.fidelity == "analytic" else ""
    notes = [f"Updates (WU) by {machine_optimiser(result).words}.", remembered_words(result), bounded, shared_out]
    note = "\n".join(filter(None, notes))
    return table("Optimiser", columns, map(cells, optimiser_rows(result)), note)


def _weight_moves(result: Result, found: WeightMoves) -> RenderableType:
    energy = [quantity(found.energy_j, "J")] if result.energy_j else []
    read, written = (quantity(size, "B") for size in (found.read_bytes, found.written_bytes))
    share_of_all = share(found.share(result.counters.cycles))
    cells = [str(found.moves), quantity(found.steps), quantity(found.cycles), share_of_all, read, written, *energy]
    columns = ["moves", "steps between", "cycles", "of all", "read", "written", *(["energy"] if energy else [])]
    note = (
        "One move of sparse weights at an epoch's end: compressed columns come in and go out anew. Of all: of the "
        "cycles of a training whose steps are all as this one. Which weights move is the host's to say."
    )
    return table("Moves of weights", columns, [cells], note)


def _area(result: Result) -> RenderableType:
    cells = (
        [str(row["component"]), f"{_number(row['area_mm2']):.4g}", share(_number(row["share"]))]
        for row in area_rows(result)
    )
    tables = result.architecture.get("area", "")
    note = f"From published areas in the table {tables}, not synthesised.\n{_left_out(result, 'area')}"
    return table("Area", ["component", "mm²", "share"], cells, note)


def _left_out(result: Result, what: Literal["energy", "area"]) -> str:
    """Return what the sum leaves out, in words, and which of its tables are of different nodes."""
    missing = result.not_priced.get(what, ())
    lines = [f"Not in it: {', '.join(missing)}."] if missing else []
    return "\n".join([*lines, *(f"{line.capitalize()}." for line in result.mixed_nodes.get(what, ()))])


def training(found: Mapping[str, Any]) -> RenderableType:
    """Return what training showed (`workloads.training_summary.summary`)."""
    kept = "kept" if "epoch_kept" in found else "last"
    values = [
        ("parameters", f"{found['parameters']:,}"),
        ("epochs", str(found["epochs"])),
        *_kept(found),
        *((figure_title(name, found), figure_words(name, found[name])) for name in figures_in(found)),
        ("occupancy", f"x {share(found['occupancy_x'])}, h {share(found['occupancy_h'])} in the {kept} epoch"),
        (
            "multiply-accumulates",
            f"{quantity(found['macs'])} in the matrix products of all epochs (FP + BP + WG), biases apart",
        ),
        ("saved", f"{share(found['saved'])} of the {quantity(found['dense_macs'])} of the dense network"),
    ]
    if "optimiser" in found:
        values.append(("optimiser", f"{found['optimiser']}, on the machine"))
    if "stored" in found:
        values.append(("did not fit", _not_stored(found["stored"])))
    if (cut := spikes_cut.told(found)) is not None:
        values.append((spikes_cut.SPIKES_CUT, cut))
    if "doubt" in found:
        values.append(("doubt", str(found["doubt"])))
    return fields("Training", values)


def _not_stored(stored: Mapping[str, Sequence[int]]) -> str:
    """Return which numbers of the kept epoch overflowed or vanished, as shares of those that were stored."""
    words = []
    for what, place in (("overflowed", 1), ("vanished", 2)):
        shares = {tensor: of[place] / of[0] for tensor, of in stored.items() if of[place]}
        words.append(f"{what}: {', '.join(f'{tensor} {share(part)}' for tensor, part in shares.items()) or 'none'}")
    return "; ".join(words)


def _kept(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    if "epoch_kept" not in found:
        return []
    return [("epoch kept", f"{found['epoch_kept']}, of the lowest validation loss, {found['validation_loss']:.4f}")]


def epochs(rows: list[Row], *, validated: bool) -> RenderableType:
    """Return the table of a training's epochs (`workloads.training_summary.epoch_rows`); `validated` by a part."""
    figure = next(name for name in FLOAT_FIGURES if name in rows[0])
    words, beside = figure.replace("_", " "), [name for name in figures_in(rows[0]) if name != figure]

    def cells(row: Row) -> list[str]:
        return [
            str(row["epoch"]),
            str(row["trained"]),
            f"{row['loss']:.4f}",
            figure_words(figure, _number(row[figure])),
            *(figure_words(name, _number(row[name])) for name in beside),
            *(share(_number(row[name])) for name in ("occupancy_x", "occupancy_h")),
            *(quantity(_number(row[name])) for name in ("macs", "dense_macs")),
            share(_number(row["saved"])),
        ]

    in_float = ["in floating point"] * len(beside)
    columns = [
        "epoch",
        "network",
        "loss",
        words,
        *in_float,
        "occupancy x",
        "occupancy h",
        "MACs",
        "dense MACs",
        "saved",
    ]
    part = "validation" if validated else "test"
    whose = "the machine's" if learned_in_integers(rows[0]) else "floating-point"
    note = f"{words.capitalize()} on the {part} part, of the training in {whose} numbers."
    return table("Epochs", columns, map(cells, rows), note, text_columns=2)


def evaluated(rows: Sequence[Mapping[str, Any]], machine: str) -> RenderableType:
    """Return the table of a network that was evaluated in a machine's numbers (`sim.evaluation.evaluate`)."""
    names = figures_in(rows[0])

    def cells(row: Mapping[str, Any]) -> list[str]:
        return [
            str(row["part"]),
            f"{row['samples']:,}",
            *(figure_words(name, row[name]) for name in names),
            *(f"{row[name]:.4f}" for name in ("loss", "float_loss")),
            *(share(row[name]) for name in ("occupancy_x", "float_occupancy_x", "occupancy_h", "float_occupancy_h")),
        ]

    columns = ["part", "samples", *(f"{names[0].replace('_', ' ')}{of}" for of in ("", ", float"))]
    columns += [f"{name}{of}" for name in ("loss", "occupancy x", "occupancy h") for of in ("", ", float")]
    note = f"In the numbers of {machine}, beside the same weights in floating point."
    return table("Evaluation", columns, map(cells, rows), note)


def own_computer(result: Result) -> RenderableType:
    """Return the table of what the same step takes on the user's own computer."""
    rows = [
        [
            str(row["device"]),
            str(row["library"]),
            str(row["threads"]),
            quantity(_number(row["time_s"]), "s"),
            times(_number(row["speedup"])),
        ]
        for row in own_computer_rows(result)
    ]
    machine = result.architecture["name"]
    columns = ["device", "library", "threads", "time", f"time over {machine}"]
    note = (
        f"Wall time of the fastest step of the ordinary network, every column worked through. {machine}: "
        f"{quantity(result.counters.seconds, 's')}, not measured but {result.fidelity}."
    )
    note = " ".join(filter(None, [note, busy_note(result)]))
    return table("This step on your own computer, measured", columns, rows, note, text_columns=2)


def _present(rows: list[Row]) -> list[str]:
    """Return the stall causes that occur in `rows`."""
    return [cause for cause in CAUSES if any(row[f"stall_{cause}_cycles"] for row in rows)]


def _shares(row: Row, cycles: float, causes: list[str]) -> list[str]:
    parts = [_number(row["busy_cycles"]), *(_number(row[f"stall_{cause}_cycles"]) for cause in causes)]
    return [share(part / cycles) if part else _NONE for part in parts]


def _number(cell: Cell) -> float:
    assert not isinstance(cell, str)
    return cell
