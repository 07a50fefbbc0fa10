"""The reader of lists and vectors: entries bit for bit, and every cycle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import connect
from components import assert_refused
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reading import first_of, reading
from streams import always, pattern, run, stream_get, stream_put

from deltatrain.rtl.lists.entry_reader import READ_CYCLES, EntryReader
from deltatrain.rtl.lists.ports import ListPlace
from deltatrain.rtl.lists.source import SourceKind

FEW = settings(max_examples=80)
RING, LISTS, WORDS = 16, 6, 5
REST_CYCLES = 6  # after all is read, in which nothing more may come

patterns = st.lists(st.booleans(), min_size=1, max_size=12).filter(any).map(pattern)
seeds = st.integers(0, 2**32 - 1)
FIRED, VECTOR, ALL, SHARE = SourceKind.FIRED, SourceKind.VECTOR, SourceKind.ALL, SourceKind.SHARE


class Case(NamedTuple):
    """What the memories hold, what is asked for, and the entries of each source.

    Attributes
    ----------
    ring
        (index, value) at each address.
    places
        (base, count) of each list.
    vectors
        Words of P values.
    """

    lanes: int
    value_bits: int
    one: int
    ring: list
    places: list
    vectors: list
    sources: list

    @property
    def entries(self):
        return [self.of_source(**source) for source in self.sources]

    def of_source(self, *, kind, list, base, count, bias, width):
        """Return the entries of a source."""
        if kind is FIRED:
            first, length = self.places[list]
            found = [self.ring[(first + k) % RING] for k in range(length)]
        elif kind in (VECTOR, SHARE):
            flat = [value for one in self.vectors[base:] for value in one]
            found = [(j, flat[j]) for j in range(count)]
        else:
            found = [(j, 0) for j in range(count)]
        return found + [(width, 0 if kind in (ALL, SHARE) else self.one)] * bias

    def gates(self):
        """Return the reader, and it with memories that hold what the case says."""
        m = Module()
        dut = EntryReader(
            value_bits=self.value_bits,
            lanes=self.lanes,
            ring_depth=RING,
            lists=LISTS,
            vector_words=WORDS,
            one=self.one,
        )
        m.submodules.reader = dut
        entries = [{"index": index, "value": value} for index, value in self.ring]
        m.submodules.ring = ring = Memory(shape=dut.lists.ring.data.shape(), depth=RING, init=entries)
        vectors = Memory(shape=dut.vectors.data.shape(), depth=WORDS, init=self.vectors)
        m.submodules.vectors = vectors
        places = [{"base": base, "count": count} for base, count in self.places]
        m.submodules.table = table = Memory(shape=ListPlace(RING), depth=LISTS, init=places)
        connect(m, dut.lists.ring, ring.read_port())
        connect(m, dut.vectors, vectors.read_port())
        look = table.read_port(domain="comb")
        m.d.comb += [look.addr.eq(dut.lists.table.list), dut.lists.table.place.eq(look.data)]
        m.d.comb += dut.columns.eq(dut.columns_of(dut.sources.payload, dut.lists.table.place))
        return dut, m

    def run(self, *, sources=always, entries=always, not_before=None):
        """Check entries and cycles against the law; return the law."""
        dut, m = self.gates()
        expected = self.entries
        lengths = [len(one) for one in expected]
        law = reading(lengths, not_before=not_before, may_offer=sources, is_ready=entries, latency=READ_CYCLES)
        cycles = max([*law.taken, *law.words]) + REST_CYCLES
        taken, out, watched = run(
            m,
            lambda ctx: stream_put(ctx, dut.sources, self.sources, sources, not_before),
            lambda ctx: stream_get(ctx, dut.entries, sum(lengths), entries),
            lambda ctx: watch(ctx, dut, cycles),
        )
        flat = [entry for one in expected for entry in one]
        assert [(entry["index"], entry["value"]) for _, entry in out] == flat
        assert [cycle for cycle, _ in out] == law.words
        assert taken == law.taken
        counts = {
            cycle: len(one)
            for one, first, last in zip(expected, law.first, law.taken, strict=True)
            for cycle in range(first, last + 1)
        }
        assert {cycle: count for cycle, (valid, count, _) in enumerate(watched) if valid} == counts
        assert not any(offers for _, _, offers in watched[-REST_CYCLES + 1 :]), "more came than was asked for"
        return law


async def watch(ctx, dut, cycles):
    """Return of each cycle whether there is a source, its count, and whether an entry is offered."""
    return [(await ctx.tick().sample(dut.sources.valid, dut.count, dut.entries.valid))[2:] for _ in range(cycles)]


@st.composite
def cases(draw, least=0, most_sources=10):
    """Draw memories full of any values, and sources of each kind with at least `least` entries."""
    rng = np.random.default_rng(draw(seeds))
    lanes, bits = draw(st.sampled_from([1, 2, 4, 4, 8])), draw(st.integers(2, 16))
    lowest, highest = -(1 << bits - 1), (1 << bits - 1) - 1
    indices, values = rng.integers(1 << 16, size=RING), rng.integers(lowest, highest + 1, RING)
    lengths = [least, *rng.integers(least, RING + 1, LISTS - 1).tolist()]
    kinds = st.sampled_from([FIRED, FIRED, VECTOR, VECTOR, ALL, SHARE])
    sources = []
    for _ in range(draw(st.integers(1, most_sources))):
        base = draw(st.integers(0, WORDS - 1))
        most = min((WORDS - base) * lanes, 12)
        sources.append(
            {
                "kind": draw(kinds),
                "list": draw(st.integers(0, LISTS - 1)),
                "base": base,
                "count": draw(st.integers(min(least, most), most)),
                "bias": draw(st.booleans()),
                "width": draw(st.one_of(st.integers(0, 20), st.just(65535))),
            }
        )
    return Case(
        lanes=lanes,
        value_bits=bits,
        one=draw(st.integers(1, highest)),
        ring=list(zip(indices.tolist(), values.tolist(), strict=True)),
        places=list(zip(rng.integers(RING, size=LISTS).tolist(), lengths, strict=True)),
        vectors=rng.integers(lowest, highest + 1, (WORDS, lanes)).tolist(),
        sources=sources,
    )


@FEW
@given(cases(), patterns, patterns)
def test_entries_and_cycles_under_stalls(case, sources, entries):
    case.run(sources=sources, entries=entries)


@FEW
@given(cases(), st.data())
def test_an_idle_reader_offers_after_its_law_s_cycles_and_then_one_a_cycle(case, data):
    not_before = np.cumsum([data.draw(st.integers(0, 30)) for _ in case.sources]).tolist()
    law = case.run(not_before=not_before)
    free, words = 0, []
    for one, known, taken in zip(case.entries, not_before, law.taken, strict=True):
        begins = max(free, known)
        words += range(begins + READ_CYCLES, begins + READ_CYCLES + len(one))
        free = begins + max(1, len(one))
        assert taken == free - 1
    assert law.words == words


@FEW
@given(cases(least=1), patterns)
@example(
    Case(
        lanes=4,
        value_bits=8,
        one=64,
        ring=[(k, -k) for k in range(RING)],
        places=[(14, 5)] * LISTS,
        vectors=[[4 * w, -1, 127, -128] for w in range(WORDS)],
        sources=[
            {"kind": kind, "list": 0, "base": 1, "count": 6, "bias": bias, "width": 99}
            for kind in SourceKind
            for bias in (0, 1)
        ],
    ),
    always,
)
def test_sources_that_stream_lose_no_cycle_but_those_of_the_consumer(case, entries):
    """Every source has an entry, so that one is offered in every cycle from the first on, however `entries` pauses."""
    cycle = READ_CYCLES - 1
    for taken in case.run(entries=entries).words:
        cycle = first_of(entries, cycle + 1)
        assert taken == cycle


def test_sources_of_nothing_take_a_cycle_each_and_no_room():
    """They pass while the entries before them wait."""
    nothing = {"kind": ALL, "list": 0, "base": 0, "count": 0, "bias": 0, "width": 0}
    case = Case(4, 8, 1, [(0, 0)] * RING, [(0, 0)] * LISTS, [[0] * 4] * WORDS, [])
    case.sources.extend([nothing | {"count": 2}, nothing, nothing, nothing | {"kind": FIRED}])
    assert case.run(entries=lambda cycle: cycle >= 20).taken == [1, 2, 3, 4]


def test_counts_up_to_the_highest():
    """Of the longest lists there can be only the count is looked at: to read their entries would take long."""
    case = Case(1, 8, 1, [(0, 0)] * RING, [(0, 65535)] * LISTS, [[0]] * WORDS, [])
    dut, m = case.gates()
    longest = {"kind": FIRED, "list": 0, "base": 0, "count": 0, "bias": 1, "width": 65535}

    async def counts(ctx):
        found = []
        for source in (longest, longest | {"kind": ALL, "count": 65536, "bias": 0}):
            ctx.set(dut.sources.payload, source)
            ctx.set(dut.sources.valid, 1)
            found.append(ctx.get(dut.count))
            await ctx.tick()
        return found

    assert run(m, counts) == [[65536, 65536]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"value_bits": 1}, "value_bits must be an integer of at least 2, not 1"),
        ({"lanes": 3}, "lanes must be a power of two, not 3"),
        ({"ring_depth": 12}, "ring_depth must be a power of two, not 12"),
        ({"ring_depth": 1}, "ring_depth must be an integer of at least 2, not 1"),
        ({"lists": 1}, "lists must be an integer of at least 2, not 1"),
        ({"vector_words": True}, "vector_words must be an integer of at least 2, not True"),
        ({"one": 0}, "one must be an integer of at least 1, not 0"),
        ({"one": 128}, "one must be at most 127, the highest value, not 128"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    usual = {"value_bits": 8, "lanes": 4, "ring_depth": 16, "lists": 5, "vector_words": 8, "one": 64}
    assert_refused(EntryReader, message, **usual | arguments)
