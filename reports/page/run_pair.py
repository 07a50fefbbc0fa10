"""Two runs side by side: their phases as bars on one scale, and every quantity that both have."""

from __future__ import annotations

from markupsafe import Markup

from deltatrain.accel.quantity import quantity, times
from deltatrain.reports.page.bars import Bar, grouped, legend
from deltatrain.reports.page.contents import Run
from deltatrain.reports.page.section import Drawing, Section
from deltatrain.reports.page.table import Cell, Table, cell
from deltatrain.reports.run_pair import pair_rows, phase_times

_KINDS = ("delta", "line-1")


def section(one: Run, other: Run) -> Section:
    """Return the phases of both runs as bars, and the table of what both have."""
    bars = {
        phase: [
            Bar(run.name, seconds, quantity(seconds, "s"), kind)
            for run, seconds, kind in zip((one, other), of_both, _KINDS, strict=True)
        ]
        for phase, of_both in phase_times(one.result, other.result).items()
    }
    words = "; ".join(f"{phase}: {first.text} and {second.text}" for phase, (first, second) in bars.items())
    key = legend([(kind, run.name) for kind, run in zip(_KINDS, (one, other), strict=True)])
    chart = Markup("").join([key, grouped(bars, f"Time of each phase in {one.name} and in {other.name}. {words}")])
    rows = [
        [
            Cell(str(row["quantity"])),
            *(cell(row[side], str(row["unit"])) for side in ("one", "other")),
            Cell(times(float(row["times"])), float(row["times"])) if "times" in row else Cell("–"),
        ]
        for row in pair_rows(one.result, other.result)
        if row["one"] or row["other"]
    ]
    table = Table("Quantity by quantity", ["Quantity", one.name, other.name, "Second over first"], rows, unfolded=True)
    return Section("pair", "Side by side", "", "", [Drawing("Time of each phase", chart)], [table])
