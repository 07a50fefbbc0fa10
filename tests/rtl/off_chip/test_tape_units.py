"""Storing the tape and loading it again, somewhere else: what comes back is what went, whoever has to wait."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from hypothesis import example, given, settings
from hypothesis import strategies as st
from streams import plain, run, stream_put

from deltatrain.accel.architecture import Architecture
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.lists.loaded_lists import LoadedLists
from deltatrain.rtl.lists.store import ListStore
from deltatrain.rtl.off_chip.load_unit import LoadUnit
from deltatrain.rtl.off_chip.store_unit import StoreUnit
from deltatrain.rtl.parts.layouts import word
from deltatrain.rtl.parts.tape_ports import TapePorts

LANES, WORD_ENTRIES, PLACES = 4, 2, 3
ENGINE = Architecture.named("tiny").engine
BITS = ENGINE.formats.activation.bits
SIZES = TileSizes(
    accumulator_words=2, regions=2, input_words=4, vector_words=2, held_words=2, state_words=24, tape_words=48,
    lists=8, list_entries=64, weight_words=0, gradient_words=0, loaded_lists=2 * PLACES, loaded_entries=64,
    most_classes=2,
)  # fmt: skip


class Mover(Component):
    """Both units with the memories that they share; the memories are written and looked at by the test."""

    def __init__(self, in_flight=1):
        words = word(16, LANES)
        self.tape, self.state = (Memory(shape=words, depth=size, init=[]) for size in (48, 24))
        ports = [memory.read_port() for memory in (self.tape, self.state)]
        writes = [memory.write_port() for memory in (self.tape, self.state)]
        self._ports, self._writes = ports, writes
        read, written = (TapePorts(tape=tape.signature, state=state.signature) for tape, state in (ports, writes))
        self.store = StoreUnit(engine=ENGINE, sizes=SIZES, memories=read, in_flight=in_flight)
        self.load = LoadUnit(engine=ENGINE, sizes=SIZES, memories=written, in_flight=in_flight)
        self._made = ListStore(value_bits=BITS, entries=64, lists=8, readers=1, lookups=4, word_entries=WORD_ENTRIES)
        self._loaded = LoadedLists(value_bits=BITS, entries=64, lists=2 * PLACES, readers=1, word_entries=WORD_ENTRIES)
        members = {f"store_{n}": self.store.signature.members[n] for n in ("commands", "requests", "words", "stored")}
        members |= {f"load_{n}": self.load.signature.members[n] for n in ("commands", "requests", "tape_words")}
        made = {n: self._made.signature.members[n] for n in ("lists", "entries", "counts")}
        back = {"read": self._loaded.signature.members["read"]}
        super().__init__({**members, **made, **back, "soon": Out(2), "running": In(1), "spent": Out(32)})

    def elaborate(self, platform):
        m = Module()
        m.submodules += [self.tape, self.state, self.store, self.load, self._made, self._loaded]
        for name in ("commands", "requests", "words"):
            here, inside = getattr(self, f"store_{name}"), getattr(self.store, name)
            connect(m, flipped(here), inside)
        for name in ("commands", "requests", "tape_words"):
            connect(m, flipped(getattr(self, f"load_{name}")), getattr(self.load, name))
        for name in ("lists", "entries", "counts"):
            connect(m, flipped(getattr(self, name)), getattr(self._made, name))
        connect(m, flipped(self.read[0]), self._loaded.read[0])
        for table, port in zip((*self.store.tables, *self.load.tables), self._made.lookups, strict=True):
            connect(m, port, table)
        for memories, (tape, state) in ((self.store.memories, self._ports), (self.load.memories, self._writes)):
            connect(m, tape, memories.tape)
            connect(m, state, memories.state)
        connect(m, self._made.read_word, self.store.entries)
        connect(m, self._loaded.write, self.load.lists)
        m.d.comb += [
            self.store.stored.eq(self.store_stored),
            self.store.running.eq(self.running),
            self.load.running.eq(self.running),
            self.soon.eq(self.store.soon + 2 * self.load.soon),
            self.spent.eq(self.store.spent[0].busy_cycles),
        ]
        return m


class Step:
    """One step: `chunks` words of states, twice as many of tape, two lists."""

    def __init__(self, rng, number, chunks, x, h):
        self.number, self.chunks = number, chunks
        self.tape = rng.integers(-(1 << 15), 1 << 15, (2 * chunks, LANES)).tolist()
        self.state = rng.integers(-(1 << 15), 1 << 15, (chunks, LANES)).tolist()
        self.lists = [
            [{"index": int(rng.integers(1 << 16)), "value": int(rng.integers(-(1 << 15), 1 << 15))} for _ in range(n)]
            for n in (x, h or 0)
        ]
        self.has_h = h is not None
        self.words = 3 * chunks + sum(-(-len(entries) // WORD_ENTRIES) for entries in self.lists)

    def fields(self, place):
        """Return the step as the units are told, if it lies at `place`, of `PLACES` on either side."""
        return {
            "tape": 8 * place, "tape_words": 2 * self.chunks, "state": 4 * place, "state_words": self.chunks,
            "x": 2 * self.number, "h": 2 * self.number + 1 if self.has_h else 0, "has_h": self.has_h,
        }  # fmt: skip

    def load_fields(self):
        """Return the op that loads it to a place of its own."""
        first = 10 * self.number
        tape = {"step": self.fields(PLACES + self.number), "pair": self.number, "x": first, "h": first + 5}
        return {"request": {"address": 100 * self.number}, "is_tape": 1, "tape": tape}


async def listed(ctx, dut, steps):
    """Fill the memories, then make the lists, and let the units run."""
    for step in steps:
        for memory, values, size in ((dut.tape, step.tape, 8), (dut.state, step.state, 4)):
            for number, value in enumerate(values):
                ctx.set(memory.data[size * step.number + number], value)
    for step in steps:
        for number, entries in enumerate(step.lists[: 1 + step.has_h]):
            await stream_put(ctx, dut.entries, entries)
            ctx.set(dut.lists.valid, 1)
            ctx.set(dut.lists.payload, 2 * step.number + number)
            await stream_put(ctx, dut.counts, [len(entries)])
            ctx.set(dut.lists.valid, 0)
    await ctx.tick()
    ctx.set(dut.running, 1)


async def assert_loaded(ctx, dut, step):
    """Compare what lies at the place of a step with what it was."""
    for memory, values, size in ((dut.tape, step.tape, 8), (dut.state, step.state, 4)):
        for number, value in enumerate(values):
            assert plain(ctx.get(memory.data[size * (PLACES + step.number) + number])) == tuple(value)
    for number, entries in enumerate(step.lists):
        ctx.set(dut.read[0].table.list, 2 * step.number + number)
        found = plain(ctx.get(dut.read[0].table.place))
        assert found["count"] == len(entries)
        for k, value in enumerate(entries):
            ctx.set(dut.read[0].ring.en, 1)
            ctx.set(dut.read[0].ring.addr, found["base"] + k)
            await ctx.tick()
            assert plain(ctx.get(dut.read[0].ring.data)) == value


seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(1, 4), st.integers(0, 9), st.one_of(st.none(), st.integers(0, 9)))


@settings(max_examples=30)
@given(st.lists(sizes, min_size=1, max_size=PLACES), seeds, st.sampled_from([0.3, 0.7, 1.0]))
@example([(1, 0, None), (4, 9, 9), (1, 1, 1)], 0, 1.0)
def test_what_is_loaded_is_what_was_stored(shapes, seed, eagerness):
    rng = np.random.default_rng(seed)
    steps = [Step(rng, number, *shape) for number, shape in enumerate(shapes)]
    dut = Mover()
    stored: list[tuple[int, tuple]] = []

    def eager():
        return bool(rng.random() < eagerness)

    async def command(ctx):
        commands = [{"op": {"address": 100 * s.number, "step": s.fields(s.number)}} for s in steps]
        await stream_put(ctx, dut.store_commands, commands)

    async def store(ctx):
        for step in steps:
            ctx.set(dut.store_requests.ready, 0)
            words, request, cycle = [], None, 0
            while len(words) < step.words or request is None:
                ctx.set(dut.store_requests.ready, asked := eager())
                ctx.set(dut.store_words.ready, takes := eager())
                _, _, valid, payload, comes, item = await ctx.tick().sample(
                    dut.store_requests.valid, dut.store_requests.payload, dut.store_words.valid, dut.store_words.payload
                )
                cycle += request is not None or valid
                if asked and valid:
                    request = plain(payload)
                if takes and comes:
                    words.append(plain(item))
            ctx.set(dut.store_requests.ready, 0)
            assert request == {"address": 100 * step.number, "words": step.words}
            if eagerness == 1.0:  # a word a cycle from the one after the request
                assert cycle == step.words + 1
            stored.append((step.words, tuple(words)))
            while not eager():
                await ctx.tick()
            ctx.set(dut.store_stored, 1)
            _, _, soon = await ctx.tick().sample(dut.soon)
            ctx.set(dut.store_stored, 0)
            assert not soon & 1
            assert ctx.get(dut.soon) & 1
        assert ctx.get(dut.spent) == sum(step.words for step in steps)
        await load(ctx)

    async def load(ctx):
        for step in steps:
            ctx.set(dut.load_commands.payload, {"op": step.load_fields()})
            ctx.set(dut.load_commands.valid, 1)
            ctx.set(dut.load_requests.ready, 1)
            await ctx.tick()
            ctx.set(dut.load_commands.valid, 0)
            assert plain(ctx.get(dut.load_requests.payload)) == {"address": 100 * step.number, "words": step.words}
            assert ctx.get(dut.load_requests.valid)
            await ctx.tick()
            assert not ctx.get(dut.load_requests.valid)
            for item in stored[step.number][1]:
                while not eager():
                    await ctx.tick()
                ctx.set(dut.load_tape_words.payload, list(item))
                ctx.set(dut.load_tape_words.valid, 1)
                await ctx.tick()
                ctx.set(dut.load_tape_words.valid, 0)
            assert ctx.get(dut.soon) & 2
            await assert_loaded(ctx, dut, step)  # from now on everything may be read

    run(dut, lambda ctx: listed(ctx, dut, steps), command, store)


@settings(max_examples=20)
@given(st.lists(sizes, min_size=2, max_size=PLACES), seeds, st.integers(2, 4), st.sampled_from([0.2, 0.7, 1.0]))
def test_what_is_loaded_is_what_was_stored_where_several_are_on_their_way(shapes, seed, in_flight, eagerness):
    rng = np.random.default_rng(seed)
    steps = [Step(rng, number, *shape) for number, shape in enumerate(shapes)]
    dut = Mover(in_flight)
    words: list[tuple] = []

    def eager():
        return bool(rng.random() < eagerness)

    async def command(ctx):
        commands = [{"op": {"address": 100 * s.number, "step": s.fields(s.number)}} for s in steps]
        await stream_put(ctx, dut.store_commands, commands)

    async def store(ctx):
        """Take requests and words whenever; acknowledge a step some time after its last word."""
        asked, acknowledged, most, ends = 0, 0, 0, np.cumsum([step.words for step in steps]).tolist()
        while acknowledged < len(steps):
            ready = {port: eager() for port in (dut.store_requests, dut.store_words)}
            for port, whether in ready.items():
                ctx.set(port.ready, whether)
            takes = acknowledged < asked and len(words) >= ends[acknowledged] and eager()
            ctx.set(dut.store_stored, takes)
            samples = [port.valid for port in ready] + [dut.store_requests.payload, dut.store_words.payload]
            _, _, request_comes, word_comes, request, item = await ctx.tick().sample(*samples)
            if request_comes and ready[dut.store_requests]:
                assert plain(request) == {"address": 100 * asked, "words": steps[asked].words}
                asked += 1
                most = max(most, asked - acknowledged)
            if word_comes and ready[dut.store_words]:
                words.append(plain(item))
            acknowledged += takes
            assert ctx.get(dut.soon) & 1 == takes
        ctx.set(dut.store_stored, 0)
        assert len(words) == ends[-1] and most <= in_flight
        await load(ctx)

    async def load(ctx):
        """Answer requests in their order, some time after they came; the unit asks for more meanwhile."""
        asked, given, left, done = 0, 0, iter(words), 0
        told, ends = 0, np.cumsum([step.words for step in steps]).tolist()
        while done < len(steps):
            ctx.set(dut.load_commands.valid, told < len(steps))
            if told < len(steps):
                ctx.set(dut.load_commands.payload, {"op": steps[told].load_fields()})
            ctx.set(dut.load_requests.ready, takes := eager())
            answers = asked > done and eager()
            ctx.set(dut.load_tape_words.valid, answers)
            if answers:
                ctx.set(dut.load_tape_words.payload, list(next(left)))
            samples = (dut.load_requests.valid, dut.load_requests.payload, dut.load_commands.ready)
            _, _, comes, request, commanded = await ctx.tick().sample(*samples)
            told += bool(commanded) and told < len(steps)
            given += answers
            ends_now = answers and given == ends[done]
            if comes and takes:
                assert plain(request) == {"address": 100 * asked, "words": steps[asked].words}
                asked += 1
            assert asked - done <= in_flight
            assert ctx.get(dut.soon) & 2 == 2 * ends_now
            done += ends_now
        ctx.set(dut.load_tape_words.valid, 0)
        for step in steps:
            await assert_loaded(ctx, dut, step)

    run(dut, lambda ctx: listed(ctx, dut, steps), command, store)
