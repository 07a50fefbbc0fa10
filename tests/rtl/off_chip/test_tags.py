"""The tags of the column cache, under stalls at both ports, against a cache that is a list of lists."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from amaranth.sim import Simulator
from components import assert_refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streams import always, pattern, stream_get, stream_put

from deltatrain.accel.op_table import PHASES
from deltatrain.rtl.off_chip.tags import Tags
from deltatrain.rtl.parts.line_shape import FiredShape, LineShape

WORD_BYTES = 16


@dataclass
class Line:
    run: int
    dirty: bool
    moment: tuple[int, int] = (0, 0)


class Plain:
    """What the tags should say: lines of each set in the order in which they go, those without a run left out.

    That is the order of their last use, or of the `moment`, a sample and a step, in which their columns fired.
    """

    def __init__(self, shape: LineShape) -> None:
        self.shape = shape
        self.sets: list[list[Line]] = [[] for _ in range(shape.sets)]
        self.ways: dict[int, int] = {}  # of each run that is there
        self.last_out = [0] * shape.sets
        self.posted = self.newest = 0
        self.touched = False
        self.counts = [[0, 0, 0] for _ in PHASES]
        self.said: list[dict[str, int]] = []
        self.now, self.fired = (0, 0), set()

    def op(self, runs: list[int], cached: bool, gradients: bool, phase: int, now: tuple[int, int]) -> None:
        begins, self.now = 1, now
        if not cached and self.touched and runs:
            begins = self.flush(phase)
        if not runs:
            self.said.append({"begins": 1, "empty": 1})
        for run in runs:
            found = {"begins": begins, "empty": 0, "skips": 0, "flushed": 0, "first_word": run}
            self.said.append(found | (self.look_up(run, gradients, phase) if cached else self.pass_by(gradients)))
            begins = 0

    def pass_by(self, gradients: bool) -> dict[str, int]:
        self.posted += gradients
        return {"hit": 0, "goes_out": 0, "behind": self.newest}

    def flush(self, phase: int) -> int:
        begins = 1
        for number, lines in enumerate(self.sets):
            dirty = sorted((line for line in lines if line.dirty), key=lambda line: self.ways[line.run])
            for line in dirty or [None]:
                found = {"begins": begins, "skips": int(line is None), "flushed": int(line is not None)}
                if line is not None:
                    found |= {"slot": self.slot(line.run), "out": line.run, "behind": 0}
                    self.go_out(number, phase)
                self.said.append(found)
                begins = 0
            lines.clear()
        self.ways.clear()
        self.last_out = [0] * self.shape.sets  # what comes next waits for all lines itself
        self.touched = False
        return begins

    def look_up(self, run: int, gradients: bool, phase: int) -> dict[str, int]:
        self.touched = True
        number = run % self.shape.sets
        lines = self.sets[number]
        there = [line for line in lines if line.run == run]
        self.counts[phase][not there] += 1
        moment = self.moment(run, phase)
        if there:
            lines.remove(there[0])
            lines.append(Line(run, there[0].dirty or gradients, moment))
            lines.sort(key=lambda line: line.moment)  # of one moment they stay in their order
            return {"hit": 1, "goes_out": 0, "behind": 0, "slot": self.slot(run)}
        found, out = {"hit": 0, "goes_out": 0, "behind": self.last_out[number]}, None
        if len(lines) == self.shape.ways:
            out = lines.pop(0)
            self.ways[run] = self.ways.pop(out.run)
        else:
            self.ways[run] = len(lines)
        if out is not None and out.dirty:
            self.go_out(number, phase)
            found |= {"goes_out": 1, "out": out.run}
        lines.append(Line(run, gradients, moment))
        lines.sort(key=lambda line: line.moment)
        return found | {"slot": self.slot(run)}

    def moment(self, run: int, phase: int) -> tuple[int, int]:
        if self.shape.fired is None:
            return (0, 0)
        (sample, step), column = self.now, run // 2
        if PHASES[phase] == "FP":
            self.fired.add((sample, step, column))
        if PHASES[phase] not in ("BP", "WG"):
            return sample, step
        return sample, max((one for one in range(step) if (sample, one, column) in self.fired), default=-1)

    def slot(self, run: int) -> int:
        return run % self.shape.sets * self.shape.ways + self.ways[run]

    def go_out(self, number: int, phase: int) -> None:
        self.posted += 1
        self.last_out[number] = self.newest = self.posted
        self.counts[phase][2] += 1


@st.composite
def cases(draw):
    """Return a cache and ops: their runs, whether they are looked up, whether they are of dW, the phase and when."""
    columns = draw(st.integers(1, 110))
    fired = draw(st.none() | st.builds(FiredShape, st.just(columns), st.integers(1, 5), st.integers(1, 3)))
    shape = LineShape(draw(st.integers(1, 9)), draw(st.integers(1, 5)), 64, 2 * columns, fired)
    ops, sample = [], 0
    for _ in range(draw(st.integers(1, 12))):
        numbers = draw(st.lists(st.integers(0, shape.runs // 2 - 1), max_size=12))
        of_gradients = draw(st.booleans())  # a run is of one matrix: here those of dW have odd numbers
        cached, phase = draw(st.sampled_from([True, True, True, False])), draw(st.integers(0, len(PHASES) - 1))
        if fired:  # one sample after the other
            sample = draw(st.integers(sample, fired.samples - 1))
        now = (sample, draw(st.integers(0, fired.steps - 1)) if fired else 0)
        ops.append(([2 * number + of_gradients for number in numbers], cached, of_gradients, phase, now))
    return shape, ops


def run(shape, ops, may_offer=always, is_ready=always, counts_lines=True):
    """Return what the tags say of segments, in which cycles, and their counts."""
    plain, payloads = Plain(shape), []
    for runs, cached, gradients, phase, now in ops:
        plain.op(runs, cached, gradients, phase, now)
        of_op = {"cached": cached, "gradients": gradients, "phase": phase, "writes_back": gradients and not cached}
        places = [{"line": one, "first_word": one, "words": 1 + one % 4, "empty": 0} for one in runs]
        if shape.fired:
            moment = {"sample": now[0], "step": now[1] + 1}
            places = [place | {"fired": {"column": place["line"] // 2, "now": moment}} for place in places]
        payloads += [of_op | place | {"begins": number == 0} for number, place in enumerate(places or [{"empty": 1}])]
    tags, found, counts = Tags(shape=shape, gradient_word_bytes=WORD_BYTES, counts=counts_lines), [], []
    simulator = Simulator(tags)
    simulator.add_clock(1e-6)

    async def put(ctx):
        for _ in range(max(shape.sets, shape.fired.columns if shape.fired else 0)):
            await ctx.tick()
        await stream_put(ctx, tags.segments, payloads, may_offer)

    async def get(ctx):
        found.extend(await stream_get(ctx, tags.found, len(plain.said), is_ready))
        counts.extend([ctx.get(one[name]) for name in ("hits", "misses", "write_backs")] for one in tags.looked_up)

    simulator.add_testbench(put)
    simulator.add_testbench(get)
    simulator.run()
    return plain, found, counts


def check(plain, found, counts):
    for said, (_, told) in zip(plain.said, found, strict=True):
        told = {**told, **told["segment"]}
        if "out" in said:
            assert told["out"] == {"address": WORD_BYTES * said["out"], "words": 1 + said["out"] % 4}
        assert {name: told[name] for name in said if name != "out"} == {n: v for n, v in said.items() if n != "out"}
    assert counts == plain.counts


patterns = st.lists(st.booleans(), min_size=1, max_size=7).filter(any).map(pattern)


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(cases(), patterns, patterns)
def test_tags_say_what_a_plain_cache_says(case, may_offer, is_ready) -> None:
    check(*run(*case, may_offer, is_ready))


def test_tags_that_count_nothing_say_the_same() -> None:
    ops = [(list(range(20)), True, True, 1, (0, 0))] * 2
    plain, found, counts = run(LineShape(3, 2, 64, 20), ops, counts_lines=False)
    assert any(map(sum, plain.counts)) and not any(map(sum, counts))
    check(plain, found, plain.counts)


def test_a_segment_a_cycle_comes_out_after_four() -> None:
    shape = LineShape(3, 2, 64, 20)
    plain, found, counts = run(shape, [([run % 20 for run in range(40)], True, True, 1, (0, 0))])
    check(plain, found, counts)
    assert [cycle for cycle, _ in found] == list(range(shape.sets + 4, shape.sets + 44))


def test_what_cannot_be_is_refused() -> None:
    assert_refused(
        Tags, "sets must be an integer of at least 1, not 0", shape=LineShape(0, 1, 8, 1), gradient_word_bytes=4
    )


@pytest.mark.parametrize("sets", [1, 2, 3, 5, 7, 8, 100, 229, 1000])
def test_every_run_is_of_the_set_that_the_law_says(sets: int) -> None:
    from deltatrain.rtl.off_chip.tags import divided

    shape = LineShape(sets, 1, 8, 5000)
    for number in range(1 << shape.run_bits):
        assert divided(number, shape) == number // sets
