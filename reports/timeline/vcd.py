"""A timeline as a value change dump (IEEE 1364-2005, section 18): a scope for each unit, wires for what it does."""

from __future__ import annotations

import heapq
import io
import itertools
import re
import tempfile
from array import array
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import BinaryIO, Self, get_args

from deltatrain.accel.counters import Cause
from deltatrain.accel.observer import Span
from deltatrain.accel.program import UNITS, Program
from deltatrain.reports.timeline.op_names import OpNames

_BLOCK_BYTES = 1 << 12
_NUMBER_BITS = 32
_NUMBERS = ("op", "layer", "step", "sample")
_STATES = ("works", *(f"waits_{cause}" for cause in get_args(Cause)))


class _Scope:
    """The wires of one unit or part, and their changes so far, block by block in a file until all are merged.

    Parameters
    ----------
    numbers
        Numbers of wires; each is one identifier in the file.
    blocks
        Where to; many scopes share it, because a process may have few files open at once.

    Attributes
    ----------
    wires
        Bits and identifier, by name.
    low_before
        Identifiers of wires of one bit that are 0 until their first change.
    """

    def __init__(self, numbers: Iterator[int], blocks: BinaryIO) -> None:
        self.wires: dict[str, tuple[int, str]] = {}
        self.low_before: list[str] = []
        self._numbers, self._blocks = numbers, blocks
        self._starts, self._sizes = array("q"), array("q")
        self._changes = bytearray()
        self._values: dict[str, str] = {}

    def change(self, at_ps: int, wire: str, value: int | None, bits: int = 1) -> None:
        """Write down that `wire` has `value`, None if it has none, from `at_ps` on."""
        if wire not in self.wires:
            self.wires[wire] = (bits, _identifier_code(next(self._numbers)))
            if bits == 1 and at_ps > 0:
                self.low_before.append(self.wires[wire][1])
        code = self.wires[wire][1]
        text = "x" if value is None else f"{value:b}"
        if self._values.get(wire) != text:
            self._values[wire] = text
            self._changes += (f"{at_ps} {text}{code}\n" if bits == 1 else f"{at_ps} b{text} {code}\n").encode()
            if len(self._changes) >= _BLOCK_BYTES:
                self._store()

    def replay(self) -> Iterator[tuple[int, str]]:
        """Yield the changes with their time, in its order."""
        self._store()
        for start, size in zip(self._starts, self._sizes, strict=True):
            self._blocks.seek(start)
            for line in self._blocks.read(size).decode().splitlines():
                at, _, change = line.partition(" ")
                yield int(at), change

    def _store(self) -> None:
        """Write the changes since the last block as one more."""
        self._starts.append(self._blocks.seek(0, io.SEEK_END))
        self._sizes.append(self._blocks.write(self._changes))
        self._changes.clear()


class ValueChanges:
    """Collects a timeline and writes it to `file` at its end; a context manager.

    Every unit tells of its spans in the order of time, but the units do not take turns. So the changes of each lie by
    themselves in a temporary file, and all are merged in the end: memory does not grow with the run.

    A unit is a scope with the wires ``works`` (an op is under way) and ``waits_<cause>``, of which one is 1 at any
    time, and with the numbers ``op`` (row of the op table), ``layer``, ``step`` and ``sample`` of the op that it works
    on or waits to begin. A level is a scope with the number ``level``, a part outside the tile one with a wire for
    everything that it does, of which at most one is 1, and with the numbers that tell more about it, such as ``row``.
    Times are picoseconds.

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
        self._end_ps = 0
        self._numbers = itertools.count()
        self._blocks = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the block ends
        self._scopes: dict[str, _Scope] = {}
        self._last: dict[str, tuple[str, int, Mapping[str, int]]] = {}
        for unit in UNITS:
            for state in _STATES:
                self._scope(unit).change(0, state, 0)
            for number in _NUMBERS:
                self._scope(unit).change(0, number, None, _NUMBER_BITS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for track in self._last:
                self._rest(track)
            if error is None:
                self._file.writelines(f"{line}\n".encode() for line in self._lines())
        finally:
            self._blocks.close()

    def span(self, span: Span) -> None:
        """Set the wires of the unit."""
        scope, at_ps = self._scope(UNITS[span.unit]), self._begin_ps(span.start)
        now = "works" if span.works else f"waits_{next(iter(span.stall_cycles))}"
        for state in _STATES:
            scope.change(at_ps, state, int(state == now))
        values: Mapping[str, int] = {}
        if span.op >= 0:
            name = self._names[span.op]
            values = {"op": span.op, "layer": name.layer, "step": name.step, "sample": name.sample}
        for number in _NUMBERS:
            scope.change(at_ps, number, values.get(number), _NUMBER_BITS)
        self._end_ps = max(self._end_ps, self._begin_ps(span.end))

    def level(self, track: str, cycle: int, value: int) -> None:
        """Set the number of a level."""
        self._scope(track).change(self._begin_ps(cycle), "level", value, _NUMBER_BITS)

    def activity(self, track: str, what: str, start_ps: int, end_ps: int, numbers: Mapping[str, int]) -> None:
        """Raise a wire of the part while it does `what`; it stays up if that goes on at once."""
        scope = self._scope(track)
        if track in self._last and self._last[track][:2] != (what, start_ps):
            self._rest(track)
        scope.change(start_ps, what, 1)
        for number, value in numbers.items():
            scope.change(start_ps, number, value, _NUMBER_BITS)
        self._last[track] = what, end_ps, numbers
        self._end_ps = max(self._end_ps, end_ps)

    def _rest(self, track: str) -> None:
        """Lower the wire of what the part did last, when that ended."""
        what, end_ps, numbers = self._last[track]
        self._scope(track).change(end_ps, what, 0)
        for number in numbers:
            self._scope(track).change(end_ps, number, None, _NUMBER_BITS)

    def _scope(self, name: str) -> _Scope:
        if name not in self._scopes:
            self._scopes[name] = _Scope(self._numbers, self._blocks)
        return self._scopes[name]

    def _lines(self) -> Iterator[str]:
        """Yield the file's lines: declarations, then every moment at which something changes."""
        yield "$timescale 1 ps $end"
        for name, scope in self._scopes.items():
            yield f"$scope module {_word(name)} $end"
            yield from (f"$var wire {bits} {code} {_word(wire)} $end" for wire, (bits, code) in scope.wires.items())
            yield "$upscope $end"
        yield "$enddefinitions $end"
        at_ps = -1
        low = [(0, f"0{code}") for scope in self._scopes.values() for code in scope.low_before]
        replays = (scope.replay() for scope in self._scopes.values())
        for change_ps, change in heapq.merge(low, *replays, key=lambda change: change[0]):
            if change_ps != at_ps:
                at_ps = change_ps
                yield f"#{at_ps}"
            yield change
        if at_ps < self._end_ps:
            yield f"#{self._end_ps}"


def _identifier_code(number: int) -> str:
    """Return `number` in the standard's identifiers, the printable characters from ``!`` to ``~``."""
    code = chr(33 + number % 94)
    return code if number < 94 else _identifier_code(number // 94 - 1) + code


def _word(name: str) -> str:
    """Return `name` as one that every viewer takes: letters, digits and underscores."""
    return re.sub(r"\W+", "_", name)
