"""From vectors of spikes and marks to the entries of their lists: encoder, list store and readers joined."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module
from amaranth.lib.wiring import connect
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import run, stream_get, stream_put

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import encode_spikes
from deltatrain.accel.modes.encode_spikes import MARK
from deltatrain.rtl.encoder.spike_encoder import SpikeEncoder
from deltatrain.rtl.lists.entry_reader import EntryReader
from deltatrain.rtl.lists.source import SourceKind
from deltatrain.rtl.lists.spike_store import SpikeListStore

BITS, ONE, RING, LISTS, VECTORS, BIAS = 8, 16, 64, 16, 9, 99
FORMATS = Architecture.named("tiny").engine.formats


def joined(lanes):
    """Return all in one, and its parts; one reader stops behind the spikes, the other has what only learns, too."""
    m = Module()
    m.submodules.encoder = encoder = SpikeEncoder(elements=lanes, value_bits=BITS, depth=2)
    m.submodules.store = store = SpikeListStore(entries=RING, lists=LISTS, readers=2)
    connect(m, encoder.entries, store.entries)
    connect(m, encoder.counts, store.counts)
    ports = {"value_bits": BITS, "lanes": lanes, "ring_depth": RING, "lists": LISTS, "vector_words": 2, "one": ONE}
    readers = [EntryReader(**ports, spikes=True, marks=True) for _ in range(2)]
    m.submodules += readers
    for reader, lists in zip(readers, store.read, strict=True):
        connect(m, reader.lists, lists)
        m.d.comb += reader.columns.eq(reader.columns_of(reader.sources.payload, reader.lists.table.place))
    return m, encoder, store, readers


async def read_when_written(ctx, store, reader, learning):
    """Offer each list to `reader` once it is written: with what only learns, or with the bias."""
    written = taken = 0
    while taken < VECTORS:
        written += ctx.get(store.written)
        ctx.set(reader.sources.valid, written > taken)
        source = {"kind": SourceKind.FIRED, "list": taken, "learning": learning}
        ctx.set(reader.sources.payload, source | {"bias": 1 - learning, "width": BIAS})
        _, _, ready = await ctx.tick().sample(reader.sources.ready)
        taken += ready and written > taken
    ctx.set(reader.sources.valid, 0)


@settings(max_examples=8)
@given(st.sampled_from([1, 2, 4]), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_spikes_are_read_before_who_only_learns(lanes, width, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.choice([0, ONE, MARK, 3], (VECTORS, width), p=rng.dirichlet(np.ones(4)))
    padded = np.pad(vectors, ((0, 0), (0, -width % lanes)), constant_values=ONE)  # what is behind is not looked at
    words = [tuple(word) for word in padded.reshape(-1, lanes).tolist()]
    spikes, all_listed = [], []
    for vector in vectors:
        fired, _ = encode_spikes.result(vector, np.zeros(width, np.int64), 0, FORMATS)
        one = [(int(column), ONE) for column in fired.columns[fired.delta > 0]]
        spikes += [*one, (BIAS, ONE)]
        all_listed += [*one, *((int(column), 0) for column in fired.columns[fired.delta == 0])]
    m, encoder, store, readers = joined(lanes)
    late = np.cumsum(rng.integers(0, 3, len(words)) * rng.integers(0, 2)).tolist()
    waits = [int(n) for n in np.cumsum(rng.integers(0, 12, VECTORS))]
    *_, first, second = run(
        m,
        lambda ctx: stream_put(ctx, encoder.values, words, not_before=late),
        lambda ctx: stream_put(ctx, encoder.ops, [{"width": width}] * VECTORS, not_before=waits),
        lambda ctx: stream_put(ctx, store.lists, list(range(VECTORS))),
        *(lambda ctx, n=n: read_when_written(ctx, store, readers[n], n) for n in range(2)),
        lambda ctx: stream_get(ctx, readers[0].entries, len(spikes)),
        lambda ctx: stream_get(ctx, readers[1].entries, len(all_listed)),
    )
    for found, wanted in ((first, spikes), (second, all_listed)):
        assert [(entry["index"], entry["value"]) for _, entry in found] == wanted
