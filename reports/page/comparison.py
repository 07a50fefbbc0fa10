"""Bars of a run beside those of the dense run, and bars of cycles stacked by what they were spent on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from deltatrain.accel.quantity import quantity, share
from deltatrain.reports.page.bars import MARK, Bar, grouped, legend, stacked
from deltatrain.reports.page.headline import gain
from deltatrain.reports.palette import CAUSE_LABELS
from deltatrain.reports.table import Row

_RUNS = (("delta", "delta: columns that fired"), (MARK, "dense: every column; an arrow where it is further right"))


def compared(groups: Mapping[str, Sequence[Bar]]) -> Markup:
    """Return pairs (`pair`) under the key of the runs that there are: bars of the run, marks of the dense one."""
    present = {bar.kind for bars in groups.values() for bar in bars}
    words = (f"{name}: " + "; ".join(f"{bar.name} {bar.text}".strip() for bar in bars) for name, bars in groups.items())
    return Markup("").join([legend([run for run in _RUNS if run[0] in present]), grouped(groups, ". ".join(words))])


def pair(delta: float, dense: float | None, unit: str, better: str = "less", worse: str = "more") -> list[Bar]:
    """Return the bar of a run, which says how many times less it is, and the mark of the dense run, if there is one."""
    if dense is None:
        return [Bar("delta", delta, quantity(delta, unit), "delta")]
    words = ", ".join(filter(None, [quantity(delta, unit), gain(dense, delta, better, worse)]))
    return [Bar("delta", delta, words, "delta"), Bar("", dense, f"dense {quantity(dense, unit)}", MARK)]


def parts(row: Row) -> list[Bar]:
    """Return the parts of a unit's or a phase's cycles in the order of stacking."""
    cycles = {"busy": float(row["busy_cycles"])}
    cycles |= {cause: float(row[f"stall_{cause}_cycles"]) for cause in CAUSE_LABELS}
    whole = sum(cycles.values()) or 1
    words = {"busy": "at work"} | CAUSE_LABELS
    return [
        Bar(words[part], count, f"{quantity(count)} cycles, {share(count / whole)}", part)
        for part, count in cycles.items()
        if count
    ]


def cut(rows: Mapping[str, Sequence[Bar]], about: str) -> Markup:
    """Return the bars of cycles under their key, each with its share at work."""
    present = dict.fromkeys((part.kind, part.name) for parts in rows.values() for part in parts)
    order = ["busy", *CAUSE_LABELS]
    key = legend(sorted(present, key=lambda entry: order.index(entry[0])))
    at_work = {
        name: share(sum(p.value for p in parts if p.kind == "busy") / (sum(p.value for p in parts) or 1))
        for name, parts in rows.items()
    }
    return Markup("").join([key, stacked(rows, at_work, told(about, rows))])


def told(what: str, rows: Mapping[str, Sequence[Bar]]) -> str:
    """Return what stacked bars show, in words, for a screen reader."""
    return f"{what}. " + ". ".join(
        f"{name}: " + "; ".join(f"{part.name} {part.text}" for part in parts) for name, parts in rows.items()
    )
