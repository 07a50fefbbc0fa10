"""Timelines: their sums are the counters, their files keep the rules of their formats."""

from __future__ import annotations

import gzip
import io
import json
import re
import tracemalloc
from collections import Counter, defaultdict
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from observers import KeptSpans
from programs import programs
from vcd.reader import TokenKind, tokenize

from deltatrain.accel.counters import Counters
from deltatrain.accel.observer import Gap, Observers, Span
from deltatrain.accel.program import NO_OP, PHASES, UNITS, Program
from deltatrain.reports.timeline import TraceEvents, ValueChanges
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.machine.kept_bytes import KEPT, KeptBytes
from deltatrain.sim.machine.machine import Machine
from deltatrain.sim.run import synthetic_trace
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.workload import Workload

_SLOW = settings(max_examples=25)


def _nonzero(cycles: dict[Any, int]) -> dict[str, int]:
    return {cause: count for cause, count in cycles.items() if count}


@_SLOW
@given(programs())
def test_spans_follow_each_other_and_add_up_to_the_counters(program: Program) -> None:
    kept = KeptSpans()
    counters = cycle.count(program, None, kept)
    assert counters == cycle.count(program)  # watching changes nothing
    phases = {name: Counter[str]() for name in PHASES}
    for number, name in enumerate(UNITS):
        at, spent = 0, Counter[str]()
        for span in kept.spans[number]:
            assert span.start == at <= span.end and span.busy_cycles >= 0
            assert span.works or span.busy_cycles == 0
            if span.gaps:
                assert sum(gap.end - gap.start for gap in span.gaps) == span.stall_cycles["stream"]
                edges = [span.start, *(edge for gap in span.gaps for edge in (gap.start, gap.end)), span.end]
                assert edges == sorted(edges) and all(gap.start < gap.end for gap in span.gaps)
            at = span.end
            parts = {"busy": span.busy_cycles, **span.stall_cycles}
            spent.update(parts)
            if name == "engine" and span.op != NO_OP:
                phases[PHASES[program.ops.phase[span.op]]].update(parts)
        assert at == counters.cycles
        if name in counters.units:
            assert spent.pop("busy", 0) == counters.units[name].busy_cycles
            assert _nonzero(spent) == _nonzero(dict(counters.units[name].stall_cycles))
        else:
            assert spent == {"busy": 0, "end": counters.cycles}, "a unit that the machine has no need of"
        assert [span.op for span in kept.spans[number] if span.works] == [
            op for op, unit in enumerate(program.unit) if unit == number
        ]
    for name, spent in phases.items():
        assert spent["busy"] == counters.phases[name].busy_cycles
    for track, levels in kept.levels.items():
        assert all(one <= other for (one, _), (other, _) in pairwise(levels)), track
        assert levels[-1][1] == 0 and min(value for _, value in levels) == 0
        assert levels[-1][0] <= counters.cycles, track
    buffer = kept.levels.get("column buffer, bytes", [])
    assert max([value for _, value in buffer], default=0) <= program.architecture.dma.buffer_bytes
    assert bool(buffer) == bool((program.remote_word_bytes * program.ops.count).any())
    end_ps, moved = program.architecture.engine.begin_ps(counters.cycles), Counter[str]()
    for activities in kept.activities.values():
        assert all(0 <= start < end <= end_ps for _, start, end, _ in activities)
        assert all(one[2] <= other[1] for one, other in pairwise(activities))
        for what, _, _, numbers in activities:
            moved[what] += numbers.get("bursts", 0)
    assert moved["read"] == counters.remote.read_bursts and moved["write"] == counters.remote.write_bursts
    assert bool(kept.activities) == bool(counters.remote.activates + counters.remote.refreshes)


def test_commands_are_kept_only_for_who_watches_memory() -> None:
    program, kept = _program(), KeptSpans()
    for observer in (None, KeptBytes(), Observers([KeptBytes(), kept])):
        machine = Machine(program, None, observer)
        machine.run()
        channels = machine.memory.port.memory.channels
        assert channels is not None and channels.counts.activates
        assert not len(channels.take_commands().cycle), "there are none, or they have been told of"
    assert kept.activities and "column buffer, bytes" in kept.levels


def _program(clock_hz: int = 125_000_000) -> Program:
    from deltatrain.accel.architecture import Architecture

    trace = synthetic_trace(Workload.named("tiny"))
    shape = Shape.of(trace.workload.cell, trace.inputs, trace.workload.hidden, trace.classes)
    return lower(
        Architecture.named("edge", {"engine.clock_hz": clock_hz}), shape, trace.recorded[-1], trace.workload.readout
    )


def _written(writer: Any, program: Program) -> tuple[bytes, Counters]:
    file = io.BytesIO()
    with writer(file, program) as observer:
        counters = cycle.count(program, None, observer)
    return file.getvalue(), counters


def _checked(event: dict[str, Any]) -> str:
    """Return the kind of an event, which must keep the rules of the format for it."""
    kind = event["ph"]
    assert isinstance(event["pid"], int) and isinstance(event["name"], str) and event["name"]
    if kind == "M":
        assert set(event) <= {"ph", "pid", "tid", "name", "args"}
        wanted = {"process_name": str, "thread_name": str, "process_sort_index": int, "thread_sort_index": int}
        (value,) = event["args"].values()
        assert isinstance(value, wanted[event["name"]])
        return kind
    assert event["ts"] >= 0
    if kind == "X":
        assert event["dur"] >= 0 and isinstance(event["tid"], int) and isinstance(event["cat"], str)
        return kind
    assert kind == "C" and all(isinstance(value, int) and value >= 0 for value in event["args"].values())
    return kind


def test_cycles_lost_inside_an_op_lie_where_they_fell_or_at_its_end() -> None:
    """Two ops of ten cycles of 8 ns that lost three each; of the second it is told when."""
    file, program, engine = io.BytesIO(), _program(), UNITS.index("engine")
    with TraceEvents(file, program) as events:
        events.span(Span(engine, 0, 10, 20, True, {"sram": 3}))
        events.span(Span(engine, 1, 20, 30, True, {"stream": 3}, [Gap(21, 22, "list"), Gap(24, 26, "memory")]))
    told = [event for event in json.loads(file.getvalue())["traceEvents"] if event["ph"] == "X"]
    inside = [(event["name"], event["ts"], event["dur"]) for event in told if event["cat"] == "wait inside"]
    assert inside == [
        ("waits: sram", pytest.approx(0.008 * 17), pytest.approx(0.008 * 3)),
        ("waits: stream", pytest.approx(0.008 * 21), pytest.approx(0.008 * 1)),
        ("waits: stream", pytest.approx(0.008 * 24), pytest.approx(0.008 * 2)),
    ]
    assert [(event["ts"], event["dur"]) for event in told if event["cat"] == "op"] == [
        (pytest.approx(0.08), pytest.approx(0.08)),
        (pytest.approx(0.16), pytest.approx(0.08)),
    ]


def test_trace_events_keep_the_rules_of_the_format_and_add_up() -> None:
    program = _program()
    content, counters = _written(TraceEvents, program)
    table = json.loads(content, parse_float=Decimal)
    assert table["displayTimeUnit"] == "ns"
    events, period = table["traceEvents"], 10**12 // program.architecture.engine.clock_hz
    by_kind = defaultdict(list)
    for event in events:
        by_kind[_checked(event)].append(event)
    named = {(e["pid"], e["tid"]): e["args"]["name"] for e in by_kind["M"] if e["name"] == "thread_name"}
    assert list(named.values()) == [*UNITS, *(f"bank {number}" for number in range(8)), "data bus"]
    tracks = defaultdict(list)
    for event in by_kind["X"]:
        tracks[named[event["pid"], event["tid"]]].append(event)
    bursts, banks = tracks.pop("data bus"), [tracks.pop(f"bank {number}") for number in range(8)]
    remote = counters.remote
    assert sum(event["args"]["bursts"] for event in bursts) == remote.read_bursts + remote.write_bursts
    assert sum(event["name"] == "row open" for events in banks for event in events) == remote.activates
    assert all("row" in event["args"] for events in banks for event in events if event["name"] == "row open")
    for unit, slices in tracks.items():
        spent, began, at, busy = Counter[str](), Decimal(0), Decimal(0), 0
        for event in slices:
            cycles = int(event["dur"] * 10**6) // period
            assert event["dur"] * 10**6 == cycles * period
            if event["cat"] != "op":
                spent[event["name"].removeprefix("waits: ")] += cycles
            if event["cat"] == "wait inside":
                assert began <= event["ts"] and event["ts"] + event["dur"] <= at, "it lies in its op"
                spent["busy"] -= cycles
                continue
            assert event["ts"] == at, "slices of a track neither overlap nor leave gaps"
            assert event["ts"] * 10**6 == event["args"]["cycle"] * period
            began, at = at, at + event["dur"]
            if event["cat"] == "op":
                spent["busy"] += cycles
                busy += event["args"]["busy_cycles"]
                assert all(word in event["name"] for word in ("layer", "step"))
        assert busy == spent["busy"]
        if unit not in counters.units:
            continue
        assert spent.pop("busy", 0) == counters.units[unit].busy_cycles
        assert _nonzero(spent) == _nonzero(dict(counters.units[unit].stall_cycles))
    held = {KEPT.partition(",")[0]} if len(program.kept_bytes) else set()
    assert {event["name"] for event in by_kind["C"]} == {"column buffer", *(UNITS[u] for u in program.unit)} | held


def test_cycles_of_a_third_of_a_picosecond_begin_with_the_next_whole_one_in_every_file() -> None:
    """At 75 MHz, cycle c begins at 13333 1/3 c ps; slices neither overlap nor leave gaps."""
    program = _program(75_000_000)
    content, counters = _written(TraceEvents, program)
    ends = defaultdict(int)
    for event in json.loads(content, parse_float=Decimal)["traceEvents"]:
        if event["ph"] == "X" and event["cat"] in ("op", "wait"):
            at_ps, duration_ps = (int(event[key] * 10**6) for key in ("ts", "dur"))
            assert at_ps == ends[event["tid"]] == ceil(event["args"]["cycle"] * Fraction(40_000, 3))
            ends[event["tid"]] += duration_ps
    end_ps = ceil(counters.cycles * Fraction(40_000, 3))
    assert counters.cycles % 3 and set(ends.values()) == {end_ps}
    times = re.findall(rb"^#(\d+)$", _written(ValueChanges, program)[0], re.MULTILINE)
    assert int(times[-1]) == end_ps


def test_value_changes_are_read_by_another_reader_and_last_as_long_as_the_counters_say() -> None:
    program = _program()
    content, counters = _written(ValueChanges, program)
    period = 10**12 // program.architecture.engine.clock_hz
    scopes: list[str] = []
    wires: dict[str, tuple[str, str]] = {}
    lasted, since, values = Counter[tuple[str, str]](), {}, {}
    now = -1
    for token in tokenize(io.BytesIO(content)):
        if token.kind is TokenKind.TIMESCALE:
            assert (token.timescale.magnitude.value, token.timescale.unit.value) == (1, "ps")
        elif token.kind is TokenKind.SCOPE:
            scopes.append(token.scope.ident)
        elif token.kind is TokenKind.UPSCOPE:
            scopes.pop()
        elif token.kind is TokenKind.VAR:
            assert token.var.id_code not in wires
            wires[token.var.id_code] = (scopes[-1], token.var.reference)
        elif token.kind is TokenKind.CHANGE_TIME:
            assert token.time_change > now
            now = token.time_change
        elif token.kind is TokenKind.CHANGE_SCALAR:
            wire, value = wires[token.scalar_change.id_code], token.scalar_change.value
            if values.get(wire) == "1":
                lasted[wire] += now - since[wire]
            values[wire], since[wire] = value, now
    assert now == counters.cycles * period
    for wire, value in values.items():
        lasted[wire] += (now - since[wire]) * (value == "1")
    for unit, spent in counters.units.items():
        for cause, cycles in spent.stall_cycles.items():
            if cause != "stream":  # inside of an op, as lanes and ports wait for single words
                assert lasted[unit, f"waits_{cause}"] == cycles * period
        works = spent.busy_cycles + spent.stall_cycles.get("stream", 0)
        assert lasted[unit, "works"] == works * period
        assert sum(lasted[unit, wire] for scope, wire in lasted if scope == unit) == counters.cycles * period
    kept, expected = KeptSpans(), Counter[tuple[str, str]]()
    cycle.count(program, None, kept)
    for track, activities in kept.activities.items():
        for what, start_ps, end_ps, _ in activities:
            expected[track.replace(" ", "_"), what.replace(" ", "_")] += end_ps - start_ps
    assert expected and {wire: lasted[wire] for wire in expected} == expected


def test_a_level_changes_at_its_cycle() -> None:
    """In picoseconds, as everything in the file: cycle 5 of 8 ns begins after 40,000 of them, cycle 9 after 72,000."""
    file = io.BytesIO()
    with ValueChanges(file, _program()) as changes:
        changes.level("column buffer, bytes", 5, 7)
        changes.level("column buffer, bytes", 9, 2)
    lines = file.getvalue().decode().splitlines()
    (code,) = (line.split()[3] for line in lines if line.startswith("$var") and line.endswith("level $end"))
    now, times = "", {}
    for line in lines:
        now = line if line.startswith("#") else now
        times[line] = now
    assert (times[f"b111 {code}"], times[f"b10 {code}"]) == ("#40000", "#72000")


@pytest.mark.parametrize("writer", [TraceEvents, ValueChanges])
def test_memory_does_not_grow_with_the_run(writer: Any) -> None:
    program = _program()

    class Nowhere(io.RawIOBase):
        def write(self, content: Any) -> int:
            return len(content)

    with writer(Nowhere(), program) as observer:
        tracemalloc.start()
        sizes = []
        for start in range(20_000):
            observer.span(Span(start % 2, start % len(program.ops), start // 2, start // 2 + 1, True, {}))
            observer.level("engine, ops under way", start, start % 7)
            observer.activity(f"bank {start % 8}", "row open", 10 * start, 10 * start + 5, {"row": start % 9})
            if start in (10_000, 19_999):
                sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert sizes[1] < sizes[0] + 50_000  # buffers of a fixed size fill and empty


@pytest.mark.parametrize("writer", [TraceEvents, ValueChanges])
def test_what_a_bank_did_has_a_track_of_its_own(writer: Any) -> None:
    file, program = io.BytesIO(), _program()
    with writer(file, program) as observer:
        observer.activity("bank 10", "refresh", 5_000, 7_001, {})
        observer.activity("bank 3", "row open", 1_250, 5_000, {"row": 5})
        observer.activity("bank 3", "row open", 5_000, 6_000, {"row": 6})
    text = file.getvalue().decode()
    if writer is TraceEvents:
        events = json.loads(text)["traceEvents"]
        assert [(one["name"], one["ts"], one["dur"], one["args"]) for one in events if one["ph"] == "X"] == [
            ("refresh", 0.005, 0.002001, {}),
            ("row open", 0.00125, 0.00375, {"row": 5}),
            ("row open", 0.005, 0.001, {"row": 6}),
        ]
        named = [one for one in events if one["ph"] == "M" and one["pid"] == 2 and "tid" in one]
        order = [one["args"]["sort_index"] for one in named if one["name"] == "thread_sort_index"]
        assert [one["args"]["name"] for one in named if one["name"] == "thread_name"] == ["bank 3", "bank 10"]
        assert order == sorted(order) and len({one["tid"] for one in named}) == 2
    else:
        codes = {wire: code for code, wire in re.findall(r"\$var wire \d+ (\S+) (row\w*|refresh) \$end", text)}
        assert "$scope module bank_3 $end" in text and set(codes) == {"row_open", "row", "refresh"}
        moments = re.split("^#", text.partition("$enddefinitions $end\n")[2], flags=re.MULTILINE)[1:]
        found = {int(time): lines for time, *lines in map(str.splitlines, moments)}
        opened, row, refresh = codes["row_open"], codes["row"], codes["refresh"]
        assert {f"0{opened}", f"0{refresh}"} <= set(found.pop(0)), "closed until the first row is opened"
        assert {time: set(lines) for time, lines in found.items()} == {
            1_250: {f"1{opened}", f"b101 {row}"},
            5_000: {f"b110 {row}", f"1{refresh}"},
            6_000: {f"0{opened}", f"bx {row}"},
            7_001: {f"0{refresh}"},
        }


def test_files_are_whole_and_the_same_every_time(deltatrain: Any, tmp_path: Path) -> None:
    names = ("a.json", "b.json.gz", "c.json.gz", "d.vcd")
    for name in names:
        option = "--vcd" if name.endswith("vcd") else "--timeline"
        ran = deltatrain("simulate", "-w", "tiny", "--on", "tiny", option, tmp_path / name)
        assert ran.status == 0 and name in ran.stdout
    plain, *packed = (tmp_path / name for name in names[:3])
    assert packed[0].read_bytes() == packed[1].read_bytes()
    assert gzip.decompress(packed[0].read_bytes()) == plain.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_the_command_line_is_in_the_provenance(deltatrain: Any) -> None:
    ran = deltatrain("simulate", "-w", "tiny", "--on", "tiny", "--json", "--set", "workload.theta_x=0.5")
    said = json.loads(ran.stdout)["provenance"]["command"]
    assert said == "deltatrain simulate -w tiny --on tiny --json --set workload.theta_x=0.5"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--timeline", "t.txt"), "t.txt"),
        (("--vcd", "t.json"), "t.json"),
        (("--timeline", "nowhere/t.json"), "nowhere/t.json"),
        (("--timeline", "t.json", "--fidelity", "analytic"), "analytic"),
        (("--vcd", "t.vcd", "--fidelity", "rtl"), "rtl"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    deltatrain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = deltatrain("simulate", "-w", "tiny", "--on", "tiny", *words)
    assert ran.status == 2 and ran.stdout == ""
    lines = [line for line in ran.stderr.splitlines() if line.startswith("deltatrain: ")]
    assert len(lines) == 1 and named in lines[0]
    assert not list(tmp_path.iterdir())
