"""The sections of a run: its charts, each with the tables that hold the same numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from markupsafe import Markup

from deltatrain.accel.advice import Advice
from deltatrain.accel.origin import (
    MEASURED,
    MODELLED,
    NO_DENSE,
    STORED,
    figure_title,
    origin_of,
    origin_of_learned,
    recorded_words,
)
from deltatrain.reports.optimiser import update_note
from deltatrain.reports.page import advice, curves, memory, schedule
from deltatrain.reports.page.bars import Bar, legend, stacked
from deltatrain.reports.page.block_diagram import block_diagram
from deltatrain.reports.page.comparison import compared, cut, pair, parts, told
from deltatrain.reports.page.contents import Run
from deltatrain.reports.page.roofline import roofline
from deltatrain.reports.page.section import Drawing, Section, dense_value, known_columns, phase_title
from deltatrain.reports.page.table import Cell, Table, cell, fields, of_rows
from deltatrain.reports.palette import CAUSE_LABELS, LINES, UNIT_NAMES
from deltatrain.reports.table import (
    CAUSES,
    Row,
    above_the_roof,
    area_rows,
    busy_note,
    cache_note,
    energy_rows,
    own_computer_rows,
    phase_rows,
    roofline_rows,
    unit_rows,
    window_note,
)
from deltatrain.reports.units import heading, unit_of


def sections(run: Run) -> list[Section]:
    """Return the sections of a run in the order of reading."""
    found = [_advice(run, run.advice)] if run.advice else []
    found += [_machine(run), _phases(run)]
    found += [_schedule(run)] if run.schedule else []
    found += [_roofline(run), memory.section(run)]
    if run.result.energy_j:
        found.append(_energy(run))
    if run.result.area_mm2:
        found.append(_area(run))
    if run.curves:
        found.append(_learning(run))
    if run.result.own_computer:
        found.append(_own_computer(run))
    return [*found, _provenance(run)]


def _advice(run: Run, found: Advice) -> Section:
    return Section(
        "advice",
        "What would help",
        "The same step again with each change by itself, the one of most gain for its cost first.",
        origin_of(run.result.fidelity),
        [Drawing(f"Time of one {run.result.simulated}", advice.drawn(found))],
        advice.tables(found),
    )


def _machine(run: Run) -> Section:
    rows = unit_rows(run.result.counters)
    cycles = {UNIT_NAMES.get(str(row["unit"]), str(row["unit"])): parts(row) for row in rows}
    about = (
        f"Bars inside the blocks: what each did, of what it could have done in the time of this {run.result.simulated}."
    )
    return Section(
        "machine",
        "The machine",
        about,
        origin_of(run.result.fidelity),
        [
            Drawing("Blocks, flows and how busy each was", block_diagram(run)),
            Drawing("Each unit's cycles: at work, with its share, or waiting", cut(cycles, "Cycles of each unit")),
        ],
        [_stalls("Cycles of each unit", rows, "unit", "Unit")],
    )


def _phases(run: Run) -> Section:
    rows = phase_rows(run.result)
    clock = run.result.counters.clock_hz
    times_of = {}
    for row in rows:
        dense = float(row["dense_cycles"]) / clock if "dense_cycles" in row else None
        times_of[phase_title(row)] = pair(float(row["time_s"]), dense, "s", "faster", "slower")
    cycles = {str(row["phase"]): parts(row) for row in rows}
    note = (
        "Lanes used: multiply-accumulates done, of what all lanes could do in these cycles. Lanes empty: cycles of "
        "busy lanes without a weight, as in the last word of a column, added up over the lanes. Occupancy: columns "
        f"that fired, of all. Speed-up: {'dense cycles over cycles' if run.result.dense else NO_DENSE}. MACs: those "
        "with bias columns included."
    )
    note = " ".join(filter(None, [note, update_note(run.result), window_note(run.result), cache_note(run.result)]))
    columns = {
        "phase": "Phase",
        "time_s": "Time",
        "share": "Of run",
        "cycles": "Cycles",
        "dense_cycles": "Dense cycles",
        "speedup": "Speed-up",
        "utilisation": "Lanes used",
        "empty_lane_cycles": "Lanes empty",
        "occupancy": "Occupancy",
        "macs": "MACs done",
        "skipped_macs": "MACs skipped",
    }
    return Section(
        "phases",
        "Where the time went",
        f"One {run.result.simulated} in its phases, " + _BESIDE[run.result.dense is not None],
        origin_of(run.result.fidelity),
        [
            Drawing("Time of each phase", compared(times_of)),
            Drawing("The lanes' cycles: at work, with their share, or waiting", cut(cycles, "The lanes' cycles")),
        ],
        [
            replace(of_rows("Phases", rows, known_columns(columns, rows), note), unfolded=True),
            _stalls("The lanes' cycles by phase", rows, "phase", "Phase"),
        ],
    )


def _schedule(run: Run) -> Section:
    about = (
        f"What every unit did over the recorded {run.result.simulated}. Drag over a stretch of it to see it larger. "
        "Where a pixel holds more than one thing, it is cut by their shares."
    )
    drawings = [Drawing("Units over time", schedule.drawn(run.schedule, run.result))]
    return Section("schedule", "Schedule", about, origin_of(run.result.fidelity), drawings)


def _roofline(run: Run) -> Section:
    rows = roofline_rows(run.result)
    columns = {
        "phase": "Phase",
        "run": "Run",
        "macs_per_remote_byte": "Intensity",
        "macs_per_second": "Attained",
        "roof_macs_per_second": "Roof",
        "of_roof": "Of roof",
        "roof": "Roof set by",
    }
    entries = [[cell(row[key], unit_of(key)) for key in columns] for row in rows]
    about = (
        "What the lanes attained against what lanes and off-chip memory allow. Skipping "
        "columns skips their multiply-accumulates and their bytes alike, so it buys time without moving the intensity."
    )
    about = " ".join(filter(None, [about, above_the_roof(rows)]))
    note = (
        "Off-chip memory works ahead of the lanes, so bytes of one phase may move during another: a single phase may "
        "stand above its roof, the total cannot. A phase at the right edge moves no off-chip byte."
    )
    return Section(
        "roofline",
        "Roofline",
        about,
        origin_of(run.result.fidelity),
        [Drawing("Attained multiply-accumulates a second", roofline(run.result))],
        [Table("Roofline", list(columns.values()), entries, note=note)],
    )


def _energy(run: Run) -> Section:
    rows = energy_rows(run.result)
    bars = {str(row["component"]): pair(float(row["energy_j"]), dense_value(row, "energy_j"), "J") for row in rows}
    table = run.result.architecture.get("energy", "a table")
    columns = {"component": "Component", "energy_j": "Delta", "dense_energy_j": "Dense", "saving": "Dense over delta"}
    return Section(
        "energy",
        "Energy",
        f"Not measured: action counts times the table {table}. {left_out(run, 'energy')}",
        MODELLED,
        [Drawing(f"Energy of one {run.result.simulated}", compared(bars))],
        [of_rows("Energy", rows, known_columns(columns, rows))],
    )


def _area(run: Run) -> Section:
    *parts, total = area_rows(run.result)
    tables = run.result.architecture.get("area", "tables")
    bars = [
        Bar(str(row["component"]), float(row["area_mm2"]), f"{float(row['area_mm2']):.3g} mm²", f"line-{index % LINES}")
        for index, row in enumerate(parts)
    ]
    rows = {"Area": bars}
    chart = stacked(rows, {"Area": f"{float(total['area_mm2']):.3g} mm² priced"}, told("Area", rows))
    columns = {"component": "Component", "area_mm2": "Area", "share": "Of what is priced"}
    return Section(
        "area",
        "Area",
        f"Not synthesised: published areas from the table {tables}. {left_out(run, 'area')}",
        MODELLED,
        [Drawing("Area of the machine", Markup("").join([legend([(bar.kind, bar.name) for bar in bars]), chart]))],
        [of_rows("Area", [*parts, total], columns)],
    )


def left_out(run: Run, what: Literal["energy", "area"]) -> str:
    """Return what a sum leaves out, in words, and which of its tables are of different process nodes."""
    missing, mixed = run.result.not_priced.get(what), run.result.mixed_nodes.get(what, ())
    words = [] if missing is None else [f"Not in it: {', '.join(missing)}."]  # a result of an older version
    return " ".join([*words, *(f"{line.capitalize()}." for line in mixed)])


def _stored(stored: Mapping[str, Sequence[int]]) -> Table:
    """Return what a machine's formats did to the numbers of the kept epoch; see `accel.origin.STORED`."""
    shown = [
        [Cell(words), *(cell(number, "") for number in stored[tensor])]
        for tensor, words in STORED.items()
        if tensor in stored
    ]
    columns = ["In the kept epoch", "Stored", "Overflowed", "Rounded to zero"]
    return Table("What the machine's formats did to the numbers of training", columns, shown)


def _learning(run: Run) -> Section:
    assert run.curves
    drawings = [Drawing("Deltas that fired, over the recorded training step", curves.over_steps(run.curves.over_steps))]
    if len(run.curves.accuracy):
        title = figure_title("accuracy", run.result.training)
        chart = curves.over_epochs(run.curves.over_epochs, run.curves.accuracy, run.curves.dense_epochs, title)
        drawings.append(Drawing(f"Deltas that fired and {title}, over training", chart))
    tables = []
    if run.result.training:
        told = {key: value for key, value in run.result.training.items() if key != "stored"}
        known = [[Cell(heading(key, told)), cell(value, unit_of(key))] for key, value in told.items()]
        tables.append(Table("What training showed", ["Quantity", "Value"], known))
    if "stored" in run.result.training:
        tables.append(_stored(run.result.training["stored"]))
    about = "The deltas are those of the network itself: what fired was recorded while it learned."
    origin = origin_of_learned(run.result.training)
    if not run.result.training:
        about = "The deltas were drawn from the workload's statistics; nothing was trained."
        origin = ""
    if words := recorded_words(run.result.workload):
        about = f"The deltas were {words}; nothing was trained here."
    return Section("learning", "Sparsity and learning", about, origin, drawings, tables)


def _own_computer(run: Run) -> Section:
    columns = {"device": "Device", "library": "Library", "threads": "Threads", "time_s": "Time"}
    columns |= {"speedup": f"Time over {run.result.architecture['name']}"}
    about = (
        f"How long the same {run.result.simulated} takes without a machine of its own: the ordinary network of the "
        "same sizes, in which every column is worked through. The fastest step's wall time; the machine's is simulated."
    )
    rows = own_computer_rows(run.result)
    table = replace(of_rows("This step on your own computer", rows, columns, note=busy_note(run.result)), unfolded=True)
    return Section("own-computer", "Your own computer", about, MEASURED, (), [table])


def _provenance(run: Run) -> Section:
    result = run.result
    tables = [
        replace(fields("Where the numbers come from", {"fidelity": run.fidelity} | result.provenance), unfolded=True),
        fields("Machine", result.architecture),
        fields("Workload", result.workload),
    ]
    about = "The same description and seed give the same numbers."
    return Section("provenance", "Provenance", about, "", (), tables)


_BESIDE = {
    True: "beside the same one on the same machine with every column worked through.",
    False: f"alone: {NO_DENSE} was made beside it.",
}


def _stalls(caption: str, rows: Sequence[Row], key: str, what: str) -> Table:
    """Return the table of busy cycles and of every cause that occurs, with the colours of the bars as its key."""
    causes = [cause for cause in CAUSES if any(row[f"stall_{cause}_cycles"] for row in rows)]
    columns = {key: what, "busy_cycles": "At work"} | {f"stall_{cause}_cycles": f"Waits: {cause}" for cause in causes}
    note = "Busy and waiting cycles add up to the cycles of the run. " + "; ".join(
        f"{cause}: {CAUSE_LABELS[cause]}" for cause in causes
    )
    return of_rows(caption, rows, columns, note + ".")
