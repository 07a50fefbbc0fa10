"""From a vector in memory to the entries of its list: feed, encoder, list store and readers joined."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from amaranth.hdl import Module
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import connect
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import reading
from streams import run, stream_get, stream_put

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import BEGIN_CYCLES, SOON_CYCLES, encode
from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.encoder.delta_encoder import DeltaEncoder, least_field
from deltatrain.rtl.encoder.value_feed import ValueFeed, VectorMemory
from deltatrain.rtl.lists.entry_reader import READ_CYCLES, EntryReader
from deltatrain.rtl.lists.source import SourceKind
from deltatrain.rtl.lists.store import ListStore

RING, LISTS, BIASES, MOST_OPS, MOST_WORDS = 32, 16, (0, 1), 20, 3
ACTIVATION = NumberFormat(bits=8, fraction_bits=4)
ONE = 16
BIAS_COLUMN = 999


class Case(NamedTuple):
    """Vectors to encode one after the other into the same held values, the words of all of them, and what results."""

    engine: object
    width: int
    words: list
    lists: list
    scan: list

    @property
    def vector_words(self):
        return -(-self.width // self.engine.encoder_elements)

    def entries(self, bias):
        """Return what is read of each list, with or without its bias."""
        return [one + [(BIAS_COLUMN, ONE)] * bias for one in self.lists]


@st.composite
def cases(draw):
    lanes = draw(st.sampled_from([1, 2, 4]))
    engine = Architecture.named("tiny").engine
    formats = engine.formats.model_copy(update={"activation": ACTIVATION})
    engine = engine.model_copy(update={"encoder_elements": lanes, "formats": formats})
    width = draw(st.integers(1, MOST_WORDS * lanes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    found = Case(engine, width, [], [], [])
    held = value = np.zeros(width, dtype=np.int64)
    for _ in range(draw(st.integers(1, MOST_OPS))):
        value = np.where(rng.random(width) < rng.choice([0, 0.3, 1]), rng.integers(-128, 128, width), value)
        fired, held = encode.result(value, held, 1, formats)
        mask = np.zeros(width, dtype=np.bool_)
        mask[fired.columns] = True
        padded = np.zeros(found.vector_words * lanes, dtype=np.int64)
        padded[:width] = value
        found.words.extend(padded.reshape(-1, lanes).tolist())
        found.lists.append(list(zip(fired.columns.tolist(), fired.delta.tolist(), strict=True)))
        found.scan.append(int(encode.scan_cycles(mask, engine)))
    return found


def joined(case):
    """Return all in one, and its parts: the feed, the encoder, the store of lists, and a reader for each bias."""
    m, lanes, bits = Module(), case.engine.encoder_elements, ACTIVATION.bits
    depth = MOST_OPS * MOST_WORDS
    feed = ValueFeed(value_bits=bits, lanes=lanes, x_words=depth, h_words=2)
    encoder = DeltaEncoder(elements=lanes, value_bits=bits, depth=MOST_WORDS)
    store = ListStore(value_bits=bits, entries=RING, lists=LISTS, readers=len(BIASES))
    ports = {"value_bits": bits, "lanes": lanes, "ring_depth": RING, "lists": LISTS, "vector_words": 2, "one": ONE}
    readers = [EntryReader(**ports) for _ in BIASES]
    m.submodules.x = x = Memory(shape=feed.x.data.shape(), depth=depth, init=case.words)
    m.submodules += [feed, encoder, store, *readers]
    connect(m, feed.x, x.read_port())
    connect(m, feed.values, encoder.values)
    connect(m, encoder.entries, store.entries)
    connect(m, encoder.counts, store.counts)
    for reader, lists in zip(readers, store.read, strict=True):
        connect(m, reader.lists, lists)
        m.d.comb += reader.columns.eq(reader.columns_of(reader.sources.payload, reader.lists.table.place))
    return m, feed, encoder, store, readers


async def read_when_written(ctx, store, reader, lists, bias):
    """Offer each list to `reader` in the cycle in which it is written; return these cycles and those of the taking."""
    cycle, written, taken = 0, [], []
    while len(taken) < lists:
        if ctx.get(store.written):
            written.append(cycle)
        here = len(written) > len(taken)
        ctx.set(reader.sources.valid, here)
        if here:
            source = {"kind": SourceKind.FIRED, "list": len(taken) % LISTS, "bias": bias, "width": BIAS_COLUMN}
            ctx.set(reader.sources.payload, source)
        _, _, ready = await ctx.tick().sample(reader.sources.ready)
        if here and ready:
            taken.append(cycle)
        cycle += 1
    ctx.set(reader.sources.valid, 0)
    return written, taken


def run_joined(case, soon):
    """Run the ops, each soon started in its cycle of `soon`; return what each reader was asked and what it gave.

    `BEGIN_CYCLES` after `soon` the feed begins, and `SOON_CYCLES` after it the encoder.
    """
    number, words = len(case.lists), case.vector_words
    m, feed, encoder, store, readers = joined(case)
    feeds = [{"memory": VectorMemory.X, "base": k * words, "words": words} for k in range(number)]
    op = {"base": 0, "least": least_field(1, ACTIVATION.bits), "width": case.width}
    ops = [op | {"first": k == 0} for k in range(number)]
    counts = [sum(map(len, case.entries(bias))) for bias in BIASES]
    *_, asked_0, asked_1, given_0, given_1 = run(
        m,
        lambda ctx: stream_put(ctx, feed.ops, feeds, not_before=[cycle + BEGIN_CYCLES for cycle in soon]),
        lambda ctx: stream_put(ctx, encoder.ops, ops, not_before=[cycle + SOON_CYCLES for cycle in soon]),
        lambda ctx: stream_put(ctx, store.lists, [k % LISTS for k in range(number)]),
        *(lambda ctx, b=b: read_when_written(ctx, store, readers[b], number, b) for b in BIASES),
        *(lambda ctx, b=b: stream_get(ctx, readers[b].entries, counts[b]) for b in BIASES),
    )
    return [(asked_0, given_0), (asked_1, given_1)]


@settings(max_examples=40)
@given(cases(), st.data())
def test_a_list_is_read_as_soon_as_the_law_says(case, data):
    soon = np.cumsum([data.draw(st.integers(0, 9)) for _ in case.lists]).tolist()
    issued, free = [], 0
    for cycle, scan in zip(soon, case.scan, strict=True):
        free = max(free, cycle + SOON_CYCLES) + scan
        issued.append(free)
    stored_after = encode.drain_cycles(case.engine) - SOON_CYCLES
    for bias, ((written, taken), out) in enumerate(run_joined(case, soon)):
        lists = case.entries(bias)
        assert written == [cycle + stored_after for cycle in issued] == [cycle + 4 for cycle in issued]
        assert [(entry["index"], entry["value"]) for _, entry in out] == [entry for one in lists for entry in one]
        law = reading([len(one) for one in lists], not_before=written, latency=READ_CYCLES)
        assert taken == law.taken
        assert [cycle for cycle, _ in out] == law.words
        if lists[0]:
            assert out[0][0] == written[0] + READ_CYCLES
