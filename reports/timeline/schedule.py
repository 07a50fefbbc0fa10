"""What every unit did when, also read back from a timeline, short enough for a page.

A unit's stretches follow each other from cycle 0 on. Where it did more than a page can hold, neighbours are joined, so
that busy and stalled cycles still add up to the unit's counters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from deltatrain.accel.counters import Counters
from deltatrain.accel.documents import json_value
from deltatrain.accel.program import UNITS

Schedule = Mapping[str, Sequence["Stretch"]]
"""The stretches of each unit that did anything."""

MOST_STRETCHES = 6_000
"""Of a unit; a page of six units then stays below two megabytes."""

_TILE = 1
"""The process of the units (`reports.timeline.trace_events`)."""

_WAITS = "waits: "


class Stretch(NamedTuple):
    """What a unit did in some cycles that follow each other.

    Attributes
    ----------
    cycles
        How long, in engine cycles.
    stalls
        Cycles lost by cause; in the others it got on.
    what
        The op that was under way, and where several were joined, the first one; empty while the unit only waited.
    ops
        How many ops.
    """

    cycles: int
    stalls: Mapping[str, int]
    what: str
    ops: int

    @property
    def busy_cycles(self) -> int:
        """Cycles in which the unit got on."""
        return self.cycles - sum(self.stalls.values())


def adds_up(schedule: Schedule, counters: Counters) -> bool:
    """Tell whether the stretches have the cycles of every unit, busy and lost by cause, that a run counted."""
    busy = {name for name, unit in counters.units.items() if unit.busy_cycles}
    if not busy <= set(schedule) <= set(counters.units):
        return False
    told = {
        name: (counters.cycles, unit.busy_cycles, {str(why): lost for why, lost in unit.stall_cycles.items() if lost})
        for name, unit in counters.units.items()
    }
    return all(_sums(stretches) == told[name] for name, stretches in schedule.items())


def _sums(stretches: Sequence[Stretch]) -> tuple[int, int, dict[str, int]]:
    lost: Counter[str] = Counter()
    for one in stretches:
        lost.update({str(why): cycles for why, cycles in one.stalls.items() if cycles})
    return sum(one.cycles for one in stretches), sum(one.busy_cycles for one in stretches), dict(lost)


def read_schedule(lines: Iterable[str], cycles: int) -> dict[str, list[Stretch]]:
    """Return the stretches of each unit that did anything.

    Parameters
    ----------
    lines
        Of a file that `TraceEvents` wrote, which has an event a line.
    cycles
        Of the run.

    Raises
    ------
    ValueError
        If the lines are not those of such a file.
    """
    spans: dict[int, list[dict[str, Any]]] = {}
    inside: dict[int, list[tuple[int, str, float]]] = {}
    clock_hz = 0
    for line in lines:
        if not clock_hz and '"clock_hz"' in line:
            clock_hz = json_value(f"{line.strip()}]}}".encode())["otherData"]["clock_hz"]
        if f'"ph":"X","pid":{_TILE},' not in line:
            continue
        event = json_value(line.strip().rstrip(",").encode())
        unit = event["tid"] - 1
        if event["cat"] == "wait inside":
            cause = event["name"].removeprefix(_WAITS)
            inside.setdefault(unit, []).append((event["args"]["op"], cause, event["dur"]))
        else:
            spans.setdefault(unit, []).append(event)
    return {
        UNITS[unit]: shortened(_stretches(spans[unit], inside.get(unit, ()), cycles, clock_hz))
        for unit in sorted(spans)
        if any(event["cat"] == "op" for event in spans[unit])
    }


def _stretches(
    events: Sequence[Mapping[str, Any]], inside: Iterable[tuple[int, str, float]], cycles: int, clock_hz: int
) -> list[Stretch]:
    """Return the stretches of one unit; `inside` are op, cause and microseconds that ops under way lost."""
    lost: dict[int, Counter[str]] = {}
    for op, cause, microseconds in inside:
        lost.setdefault(op, Counter())[cause] += round(microseconds * clock_hz / 1e6)
    starts = [int(event["args"]["cycle"]) for event in events]
    found = []
    for event, start, end in zip(events, starts, [*starts[1:], cycles], strict=True):
        if event["cat"] == "op":
            found.append(Stretch(end - start, dict(lost.get(event["args"]["op"], {})), event["name"], 1))
        else:
            found.append(Stretch(end - start, {event["name"].removeprefix(_WAITS): end - start}, "", 0))
    return found


def shortened(stretches: Sequence[Stretch], most: int = MOST_STRETCHES) -> list[Stretch]:
    """Return the stretches, neighbours joined where there are more than `most`; all sums stay what they are."""
    found = list(stretches)
    whole = sum(stretch.cycles for stretch in found)
    shortest = max(1, whole // (4 * most))
    while len(found) > most:
        found = _joined(found, shortest)
        shortest *= 2
    return found


def _joined(stretches: Iterable[Stretch], shortest: int) -> list[Stretch]:
    """Return the stretches, each that is shorter than `shortest` cycles joined with those that follow."""
    found: list[Stretch] = []
    for one in stretches:
        if found and (found[-1].cycles < shortest and one.cycles < shortest):
            last = found.pop()
            stalls = Counter(last.stalls) + Counter(one.stalls)
            one = Stretch(last.cycles + one.cycles, dict(stalls), last.what or one.what, last.ops + one.ops)
        found.append(one)
    return found
