"""The data buses of the off-chip memory: when they moved data, why they did not, and what waiting lanes lacked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from markupsafe import Markup

from deltatrain.accel.quantity import quantity, share
from deltatrain.accel.result import Result
from deltatrain.reports.page.bars import Bar, legend, stacked
from deltatrain.reports.page.comparison import told
from deltatrain.reports.page.table import Cell, Table, cell
from deltatrain.reports.palette import BUS_COLOURS, BUS_LABELS, STARVED_COLOURS, STARVED_LABELS

_Why = TypeVar("_Why", bound=str)


def starved(result: Result) -> Markup:
    """Return a bar of the cycles in which lanes waited for off-chip columns, stacked by what they lacked."""
    parts = _parts(result.starved_cycles, STARVED_LABELS, STARVED_COLOURS, "cycles")
    key = legend([(STARVED_COLOURS[why], words) for why, words in STARVED_LABELS.items()])
    about = told("Cycles in which the lanes had no word of a column", {"lanes": parts})
    value = f"{quantity(sum(result.starved_cycles.values()))} cycles"
    return Markup("").join([key, stacked({"lanes": parts}, {"lanes": value}, about)])


def drawn(result: Result) -> Markup:
    """Return a bar for the run and one for a dense run, each with the share of clocks in which data moved."""
    rows = {name: _parts(run.remote.bus_ticks, BUS_LABELS, BUS_COLOURS, "clocks") for name, run in result.runs.items()}
    moving = {
        name: share(sum(part.value for part in parts[:2]) / (sum(part.value for part in parts) or 1))
        for name, parts in rows.items()
    }
    key = legend([(BUS_COLOURS[use], words) for use, words in BUS_LABELS.items()])
    return Markup("").join([key, stacked(rows, moving, told("Clocks of the off-chip data buses", rows))])


def table(result: Result) -> Table:
    """Return the same as numbers."""
    ticks = [run.remote.bus_ticks for run in result.runs.values()]
    rows = [[Cell(words), *(cell(of_run.get(use, 0)) for of_run in ticks)] for use, words in BUS_LABELS.items()]
    note = "A rest with requests queued is told by the burst that ends it. All channels together."
    return Table("Clocks of the off-chip data buses", ["Clocks", *map(str.capitalize, result.runs)], rows, note=note)


def _parts(
    counted: Mapping[_Why, int], labels: Mapping[_Why, str], colours: Mapping[_Why, str], unit: str
) -> list[Bar]:
    """Return the parts of a bar in the order of `labels`, with their share of the whole."""
    counts = {why: counted.get(why, 0) for why in labels}
    whole = sum(counts.values()) or 1
    return [
        Bar(words, counts[why], f"{quantity(counts[why])} {unit}, {share(counts[why] / whole)}", colours[why])
        for why, words in labels.items()
    ]
