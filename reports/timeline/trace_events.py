"""A timeline as Chrome's JSON trace events: a track for each unit, slices for ops and waits, counters for levels.

Format: "Trace Event Format", Google, https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU :
complete events (``X``) with ``ts`` and ``dur`` in microseconds, counters (``C``), metadata (``M``). Times are exact
decimals; Perfetto rounds them down to nanoseconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any, BinaryIO, Self

from deltatrain.accel.documents import json_text
from deltatrain.accel.observer import Span
from deltatrain.accel.program import UNITS, Program
from deltatrain.reports.timeline.op_names import OpNames

_TILE, _OUTSIDE = 1, 2
"""Process of the units, and of parts with a clock of their own."""


class TraceEvents:
    """Writes a timeline to `file`, as it is told; a context manager, because the file has an end.

    Parts outside the tile are named at the end, when all are known, so that they stand in the order of their names.

    Parameters
    ----------
    file
        Where to, open for bytes.
    program
        What runs.
    """

    watches_memory = True
    watches_ops = True

    def __init__(self, file: BinaryIO, program: Program) -> None:
        self._file = file
        self._names = OpNames(program)
        self._begin_ps = program.architecture.engine.begin_ps
        self._tracks: dict[str, int] = {}
        self._separator = "\n"
        about = {"clock_hz": program.architecture.engine.clock_hz, "machine": program.architecture.name}
        self._write(f'{{"displayTimeUnit":"ns","otherData":{_compact(about)},"traceEvents":[')
        self._name_process(_TILE, "tile")
        for unit, name in enumerate(UNITS):
            self._name_track(_TILE, unit, name, unit)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tracks:
            self._name_process(_OUTSIDE, "outside the tile")
        for place, name in enumerate(sorted(self._tracks, key=_by_numbers)):
            self._name_track(_OUTSIDE, self._tracks[name], name, place)
        self._write("\n]}\n")

    def span(self, span: Span) -> None:
        """Write an op, or a wait, as a slice of its unit's track.

        Cycles that an op under way lost are slices inside its own, where they fell or, if that is not known, together
        at its end; so a viewer that adds up slices by name finds the counters.
        """
        args: dict[str, Any] = {}
        name, kind = f"waits: {next(iter(span.stall_cycles), '')}", "wait"
        if span.works:
            op = self._names[span.op]
            name, kind = str(op), "op"
            args = {"stream": op.stream, "sample": op.sample, "count": op.amount, "busy_cycles": span.busy_cycles}
        if span.op >= 0:
            args["op"] = span.op
        times_ps = self._begin_ps(span.start), self._begin_ps(span.end)
        self._slice(_TILE, span.unit, name, kind, *times_ps, args | {"cycle": span.start})
        for cause, cycles in span.stall_cycles.items() if span.works else ():
            known = [(gap.start, gap.end, {"for": gap.why}) for gap in span.gaps]
            for begin, end, lacked in known or [(span.end - cycles, span.end, {})]:
                times_ps = self._begin_ps(begin), self._begin_ps(end)
                self._slice(_TILE, span.unit, f"waits: {cause}", "wait inside", *times_ps, {"op": span.op, **lacked})

    def level(self, track: str, cycle: int, value: int) -> None:
        """Write a level as a counter."""
        at = _microseconds(self._begin_ps(cycle))
        name, _, unit = track.partition(", ")
        args = f'{{"{unit or "value"}":{value}}}'
        self._event(f'{{"ph":"C","pid":{_TILE},"tid":0,"ts":{at},"name":{json_text(name)},"args":{args}}}')

    def activity(self, track: str, what: str, start_ps: int, end_ps: int, numbers: Mapping[str, int]) -> None:
        """Write what a part outside the tile did, as a slice of its own track."""
        number = self._tracks.setdefault(track, len(UNITS) + len(self._tracks))
        self._slice(_OUTSIDE, number, what, "activity", start_ps, end_ps, dict(numbers))

    def _slice(
        self, process: int, track: int, name: str, kind: str, start_ps: int, end_ps: int, args: dict[str, Any]
    ) -> None:
        times = f'"ts":{_microseconds(start_ps)},"dur":{_microseconds(end_ps - start_ps)}'
        self._event(
            f'{{"ph":"X","pid":{process},"tid":{track + 1},{times},"cat":"{kind}","name":{json_text(name)},'
            f'"args":{_compact(args)}}}'
        )

    def _name_process(self, process: int, name: str) -> None:
        place = {"ph": "M", "pid": process}
        self._event(_compact(place | {"name": "process_name", "args": {"name": name}}))
        self._event(_compact(place | {"name": "process_sort_index", "args": {"sort_index": process}}))

    def _name_track(self, process: int, track: int, name: str, place: int) -> None:
        one = {"ph": "M", "pid": process, "tid": track + 1}
        self._event(_compact(one | {"name": "thread_name", "args": {"name": name}}))
        self._event(_compact(one | {"name": "thread_sort_index", "args": {"sort_index": place}}))

    def _event(self, text: str) -> None:
        self._write(self._separator + text)
        self._separator = ",\n"

    def _write(self, text: str) -> None:
        self._file.write(text.encode())


def _compact(table: dict[str, Any]) -> str:
    return json_text(table, separators=(",", ":"))


def _by_numbers(name: str) -> list[str | int]:
    """Return what sorts names as people do: bank 10 after bank 9."""
    return [int(word) if word.isdigit() else word for word in re.split(r"(\d+)", name)]


def _microseconds(ps: int) -> str:
    """Return picoseconds as an exact decimal of microseconds, without zeros at the end."""
    whole, rest = divmod(ps, 10**6)
    return f"{whole}.{rest:06d}".rstrip("0") if rest else str(whole)
