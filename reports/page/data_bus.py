"""What the data buses of the off-chip memory did: moved data, or why not."""

from __future__ import annotations

from markupsafe import Markup

from accel.result import Counters, Result
from reports.page.bars import Bar, legend, stacked
from reports.page.comparison import told
from reports.page.table import Cell, Table, cell
from reports.palette import BUS_COLOURS, BUS_LABELS
from reports.quantity import quantity, share

_RUNS = ("delta", "dense")


def drawn(result: Result) -> Markup:
    """Return a bar for the run and one for the dense run, with the share in which data moved beside each."""
    rows = {name: _parts(run) for name, run in zip(_RUNS, (result.counters, result.dense), strict=True)}
    moving = {
        name: share(sum(part.value for part in parts[:2]) / (sum(part.value for part in parts) or 1))
        for name, parts in rows.items()
    }
    key = legend([(BUS_COLOURS[use], words) for use, words in BUS_LABELS.items()])
    return Markup("").join([key, stacked(rows, moving, told("Clocks of the off-chip data buses", rows))])


def table(result: Result) -> Table:
    """Return the same as numbers."""
    delta, dense = result.counters.remote.bus_ticks, result.dense.remote.bus_ticks
    rows = [[Cell(words), cell(delta.get(use, 0)), cell(dense.get(use, 0))] for use, words in BUS_LABELS.items()]
    note = "A rest with requests queued is told by the burst that ends it. All channels together."
    return Table("Clocks of the off-chip data buses", ["Clocks", "Delta", "Dense"], rows, note=note)


def _parts(run: Counters) -> list[Bar]:
    ticks = run.remote.bus_ticks
    whole = sum(ticks.values()) or 1
    return [
        Bar(words, ticks.get(use, 0), f"{quantity(ticks.get(use, 0))} clocks, {share(ticks.get(use, 0) / whole)}", kind)
        for (use, words), kind in zip(BUS_LABELS.items(), BUS_COLOURS.values(), strict=True)
    ]
