"""The section on memory: where a run's bytes went, what the data buses did, and what lies where."""

from __future__ import annotations

from markupsafe import Markup

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.memory import IdealDevice
from deltatrain.accel.origin import origin_of
from deltatrain.accel.quantity import quantity, share
from deltatrain.reports.page import column_cache, curves, off_chip
from deltatrain.reports.page.bars import Bar, legend, stacked
from deltatrain.reports.page.comparison import compared, pair, told
from deltatrain.reports.page.contents import Run
from deltatrain.reports.page.section import Drawing, Section, dense_value, known_columns, phase_title
from deltatrain.reports.page.table import Cell, Table, cell, of_rows
from deltatrain.reports.palette import LINES
from deltatrain.reports.table import memory_rows, phase_rows
from deltatrain.reports.units import heading, unit_of


def section(run: Run) -> Section:
    """Return where the bytes of a run went, and what lies where."""
    rows = phase_rows(run.result)
    drawings = []
    for key, caption in (("remote_bytes", "Bytes moved off chip"), ("local_bytes", "Bytes moved in local SRAM")):
        bars = {phase_title(row): pair(float(row[key]), dense_value(row, key), "B") for row in rows}
        drawings.append(Drawing(caption, compared(bars), narrow=True))
    moved = {
        "phase": "Phase",
        "remote_bytes": "Off chip",
        "dense_remote_bytes": "Off chip, dense",
        "local_bytes": "Local",
        "dense_local_bytes": "Local, dense",
    }
    tables = [of_rows("Bytes moved", rows, known_columns(moved, rows)), _remote(run)]
    if run.result.counters.remote.bus_ticks:
        caption = "The off-chip data buses: moving data, with its share, or why not"
        drawings.append(Drawing(caption, off_chip.drawn(run.result)))
        tables.append(off_chip.table(run.result))
    if run.result.starved_cycles:
        drawings.append(Drawing("What the lanes lacked that waited for matrix columns", off_chip.starved(run.result)))
    if run.result.counters.cache:
        tables.append(column_cache.table(run.result))
    if run.held:
        drawings.append(_held(run))
        tables.append(_held_table(run))
    result = run.result
    if result.held_bytes:
        chart = curves.held_over_time(result.held_bytes, result.counters.clock_hz, result.counters.cycles)
        drawings.append(Drawing("Tapes and states in local memory, over the training step", chart))
    about = "Where the bytes went, and what lies where. A memory less than 5 % full is drawn without its free part."
    return Section("memory", "Memory", about, origin_of(run.result.fidelity), drawings, tables)


def _held(run: Run) -> Drawing:
    assert run.held
    machine = Architecture.from_table(run.result.architecture, "the result's machine")
    rows: dict[str, list[Bar]] = {}
    whole: dict[str, float] = {}
    of_all: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for name, held, capacity in (
        ("Local SRAM", run.held.local_bytes, machine.local.bytes),
        ("Off-chip memory", run.held.remote_bytes, machine.remote.bytes),
    ):
        taken = sum(held.values())
        for use in held:
            kinds.setdefault(use, f"line-{len(kinds) % LINES}")
        of_all[name] = f"{quantity(taken, 'B')} of {quantity(capacity, 'B')} ({share(taken / capacity)})"
        rows[name] = [Bar(use, size, quantity(size, "B"), kinds[use]) for use, size in held.items()]
        # a memory that is almost empty is drawn by what is in it, or there would be nothing to see
        whole[name] = float(capacity) if taken > capacity / 20 else float(taken)
    chart = stacked(rows, of_all, told("Bytes held", rows), whole=whole)
    key = legend([(kind, use) for use, kind in kinds.items()])
    return Drawing("What each memory holds, by purpose", Markup("").join([key, chart]))


def _held_table(run: Run) -> Table:
    assert run.held
    rows = [
        [Cell(memory), Cell(use), cell(size, "B")]
        for memory, held in (("local", run.held.local_bytes), ("off chip", run.held.remote_bytes))
        for use, size in held.items()
    ]
    return Table("What each memory holds", ["Memory", "Purpose", "Bytes"], rows)


def _remote(run: Run) -> Table:
    found = memory_rows(run.result)
    machine = Architecture.from_table(run.result.architecture, "the result's machine")
    unknown = {"run", "local_bytes"}
    if isinstance(machine.device, IdealDevice):  # it has no rows, no commands and no data bus
        unknown |= {key for key in found[0] if not key.endswith(("bytes", "second"))}
    rows = [
        [Cell(heading(key)), *(cell(of_run[key], unit_of(key)) for of_run in found)]
        for key in found[0]
        if key not in unknown
    ]
    rows = [[Cell(row[0].text.replace("bus busy", "data bus busy")), *row[1:]] for row in rows]
    return Table("Off-chip memory", ["Counter", *map(str.capitalize, run.result.runs)], rows)
