"""The schedule: what every unit did over the recorded step, drawn by a script that zooms into it."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from deltatrain.accel.documents import json_text
from deltatrain.accel.quantity import share
from deltatrain.accel.result import Result
from deltatrain.reports.page.markup import element
from deltatrain.reports.palette import CAUSE_LABELS, UNIT_NAMES
from deltatrain.reports.timeline.schedule import Schedule


def drawn(schedule: Schedule, result: Result) -> Markup:
    """Return what the page's script draws the schedule from, and a line for readers without scripts."""
    told = json_text(_plain(schedule, result), separators=(",", ":")).replace("<", "\\u003c")
    script = element("script", Markup(told), type="application/json")
    alone = element("noscript", element("p", "The schedule needs scripts.", class_="about"))
    return element("div", script, alone, class_="schedule", data_about=_about(schedule, result))


def _about(schedule: Schedule, result: Result) -> str:
    """Return the schedule in words: how much of the step each unit was at work."""
    cycles = result.counters.cycles or 1
    busy = {name: sum(one.busy_cycles for one in found) / cycles for name, found in schedule.items()}
    units = ", ".join(f"{UNIT_NAMES[name]} at work {share(part)}" for name, part in busy.items())
    return f"What every unit did over the {result.simulated}: {units}"


def _plain(schedule: Schedule, result: Result) -> dict[str, Any]:
    """Return the schedule as the script reads it.

    ``units`` have a list for each property of their stretches: ``cycles``, ``what`` (a place in ``names``), ``ops``,
    and ``stalls``, in which place in ``causes`` and cycles follow each other; 0 where nothing was lost.
    """
    names: dict[str, int] = {}
    causes = list(dict.fromkeys(cause for found in schedule.values() for one in found for cause in one.stalls))
    causes.sort(key=list(CAUSE_LABELS).index)
    place = {cause: at for at, cause in enumerate(causes)}
    units = [
        {
            "name": UNIT_NAMES[name],
            "cycles": [one.cycles for one in found],
            "what": [names.setdefault(one.what, len(names)) for one in found],
            "ops": [one.ops for one in found],
            "stalls": [[part for why, lost in one.stalls.items() for part in (place[why], lost)] or 0 for one in found],
        }
        for name, found in schedule.items()
    ]
    return {
        "cycles": result.counters.cycles,
        "clock_hz": result.counters.clock_hz,
        "causes": [[cause, CAUSE_LABELS[cause]] for cause in causes],
        "names": list(names),
        "units": units,
    }
