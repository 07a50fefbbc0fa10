"""What would make a run cheaper: a bar for each change beside the run as it is, and the table of them."""

from __future__ import annotations

from dataclasses import replace

from markupsafe import Markup

from deltatrain.accel.advice import Advice
from deltatrain.accel.quantity import quantity, times
from deltatrain.reports.advice import NOTE, advice_rows
from deltatrain.reports.page.bars import Bar, grouped
from deltatrain.reports.page.table import Table, fields, of_rows

_AS_IT_IS = "as it is"


def drawn(advice: Advice) -> Markup:
    """Return the bars of a step's time, the run's own first."""
    now = advice.now.seconds
    bars = {_AS_IT_IS: [Bar("", now, quantity(now, "s"), "dense")]}
    for effect in advice.ranked:
        text = f"{quantity(effect.cost.seconds, 's')}, {times(advice.speedup(effect.cost))}"
        bars[effect.change] = [Bar("", effect.cost.seconds, text, "delta")]
    words = "; ".join(f"{change} {bar.text}" for change, (bar,) in bars.items())
    return grouped(bars, f"Time of a step with each change. {words}")


def tables(advice: Advice) -> list[Table]:
    """Return the table of the changes, and that of those that could not be made."""
    rows = advice_rows(advice)
    columns = {
        "change": "Change",
        "speedup": "Faster",
        "time_s": "Step",
        "remote_bytes": "Off chip",
        "energy_j": "Energy",
        "energy_times": "Energy, times",
        "area_mm2": "Area",
        "area_times": "Area, times",
        advice.figure: advice.figure.replace("_", " ").capitalize(),
    }
    there = {key: words for key, words in columns.items() if rows and key in rows[0]}
    found = [replace(of_rows("What would help", rows, there, NOTE), unfolded=True)] if rows else []
    return [*found, *([fields("Changes that are not possible", advice.refused)] if advice.refused else [])]
