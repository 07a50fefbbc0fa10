"""What would make a run cheaper, as rows of a table."""

from __future__ import annotations

from deltatrain.accel.advice import Advice, Effect
from deltatrain.reports.table import Row

NOTE = (
    "Each change by itself, simulated on the same step. Sorted by gain for cost: speed-up over how many times larger "
    "the priced area gets. Not in the area: pins, memory parts, a faster clock's timing."
)
"""What must be known to read the rows."""


def advice_rows(advice: Advice) -> list[Row]:
    """Return a row for each change, the one of most gain for its cost first.

    Columns: ``change``, ``time_s`` of the step, ``speedup`` over now, ``remote_bytes``; where they are priced
    ``energy_j`` and ``area_mm2`` with their ratios to now, ``energy_times`` and ``area_times``; where networks were
    trained anew the task's figure.
    """
    learned = any(_is_trained(effect) for effect in advice.effects)
    return [
        {
            "change": effect.change,
            "time_s": effect.cost.seconds,
            "speedup": advice.speedup(effect.cost),
            "remote_bytes": effect.cost.remote_bytes,
            **_priced("energy", "j", effect.cost.energy_j, advice.now.energy_j),
            **_priced("area", "mm2", effect.cost.area_mm2, advice.now.area_mm2),
            **({advice.figure: effect.cost.figure} if learned and effect.cost.figure is not None else {}),
        }
        for effect in advice.ranked
    ]


def _is_trained(effect: Effect) -> bool:
    """Tell whether a network was trained for a change, and not just a machine changed."""
    return effect.cost.figure is not None and any(field.startswith("workload.") for field in effect.fields)


def _priced(what: str, unit: str, then: float, now: float) -> Row:
    return {f"{what}_{unit}": then, f"{what}_times": then / now} if now else {}
