"""Lists: every element that fired is emitted once, in order, and no entry is overwritten while its list may be read."""

from __future__ import annotations

import pytest
from amaranth.hdl import Cat, Mux, Signal, Value
from narrowing import narrow
from proofs import proofs
from proving import Claims, needs_prover
from stream_claims import claim_passage, surround

from deltatrain.rtl.lists.emitter import EntryEmitter
from deltatrain.rtl.lists.entry_ring import EntryRing
from deltatrain.rtl.lists.store import ListStore
from deltatrain.rtl.parts.layouts import Entry

pytestmark = needs_prover

ELEMENTS = 4
DEPTH = 4


@pytest.fixture(autouse=True)
def few_bits(monkeypatch):
    narrow(monkeypatch, INDEX_BITS=3)


def emitter(component):
    claims = Claims()
    claims.m.submodules.emitter = emitter = component(elements=ELEMENTS, value_bits=2)
    surround(claims, emitter)
    group, entry = emitter.groups.payload, emitter.entries.payload
    sent, total = Signal(ELEMENTS), Signal(3)
    sends = emitter.entries.valid & emitter.entries.ready
    leaves = emitter.groups.valid & emitter.groups.ready
    element = entry.index[:2]
    this = Signal(ELEMENTS)
    claims.m.d.comb += this.eq(1 << element)
    after = sent | Mux(sends, this, 0)
    left = group.fired & ~sent
    claims.m.d.sync += [sent.eq(Mux(leaves, 0, after)), total.eq(Mux(leaves & group.last, 0, total + sends))]
    offered = emitter.entries.valid
    claims.claim("an entry is of an element that fired and is not out", ~offered | ((left & this) != 0))
    claims.claim("elements go in increasing order", ~offered | ((left & (this - 1)) == 0))
    claims.claim("an entry has its element's index", ~offered | (entry.index[2:] == group.group))
    claims.claim("an entry has its element's delta", ~offered | (entry.value == group.delta[element]))
    claims.claim("a group leaves when all that fired are out", ~leaves | ((group.fired & ~after) == 0))
    claims.claim("an entry is offered while one is left", offered == (emitter.groups.valid & (left != 0)))
    counts = emitter.counts
    claim_passage(
        claims,
        comes=leaves & group.last,
        item=(total + sends)[:3],
        goes=counts.valid & counts.ready,
        gone=counts.payload,
        most=1,
    )
    all_out = emitter.groups.valid & ((group.fired & ~after) == 0)
    claims.claim(
        "a group leaves at once when all are out", ~all_out | leaves | (group.last & counts.valid & ~counts.ready)
    )
    return claims


def ring(component):
    """Return the claims about any one place: entries and words show what was last written there."""
    claims = Claims()
    claims.m.submodules.ring = ring = component(value_bits=2, entries=DEPTH, readers=1, word_entries=2)
    surround(claims, ring)
    place, kept = claims.constant(2, "place"), Signal(Entry(2))
    with claims.m.If(ring.write.en & (ring.write.addr == place)):
        claims.m.d.sync += kept.eq(ring.write.data)
    was = claims.before(kept)
    read, words = ring.read[0], ring.read_word
    asked = claims.before(read.en & (read.addr == place))
    claims.claim("an entry is what was written there", ~asked | (Value.cast(read.data) == was))
    for number in range(2):
        asked = claims.before(words.en & ((words.addr + number)[:2] == place))
        claims.claim(f"so is entry {number} of a word", ~asked | (Value.cast(words.data[number]) == was))
    return claims


def store(component):
    """Return the claims about one entry of one list, any of both, until the encoder may write over it.

    A list may be read from `written` on until it is dropped, at any time. Until then no more than the ring's depth is
    written from its first entry on, as the encoder's waits see to, and its number is not used again.
    """
    claims = Claims()
    m = claims.m
    m.submodules.store = store = component(value_bits=2, entries=DEPTH, lists=2, readers=1)
    surround(claims, store)
    place, number = claims.constant(2, "entry"), claims.constant(1, "list")
    picks, drops = claims.any(1, "picks"), claims.any(1, "drops")
    since, length, ends = Signal(3), Signal(3), store.counts.valid & store.counts.ready
    following, noted, dropped, kept = Signal(), Signal(), Signal(), Signal(Entry(2))
    # The encoder: a list's length comes after its last entry and before the next list's first.
    inside = Signal(3)
    comes = store.entries.valid
    m.d.sync += inside.eq(Mux(ends, 0, inside) + comes)
    claims.assume(~store.counts.valid | (store.counts.payload == inside))
    claims.assume(~comes | ~store.counts.valid | ends)
    # The list that is followed.
    begins = picks & ((inside == 0) | ends) & ~following & ~noted & ~dropped
    live = (begins | following | noted) & ~drops
    now = Mux(begins, 0, since)
    claims.assume(~live | ((now + comes) <= DEPTH))
    takes_number = ends & (store.lists.payload == number)
    claims.assume(~(following & ends) | takes_number)
    claims.assume(~(noted & takes_number) | drops)
    m.d.sync += [
        since.eq(Mux(live, now + comes, 0)),
        following.eq((begins | (following & ~ends)) & ~drops),
        noted.eq((noted | (following & ends)) & ~drops),
        dropped.eq(dropped | drops),
    ]
    with m.If(following & ends):
        m.d.sync += length.eq(store.counts.payload)
    with m.If((begins | following) & comes & (now == place)):
        m.d.sync += kept.eq(store.entries.payload)
    port = store.read[0]
    looks = noted & (port.table.list == number)
    claims.claim("a list has the length that was counted", ~looks | (port.table.place.count == length))
    asked = looks & (place < length) & port.ring.en & (port.ring.addr == (port.table.place.base + place)[:2])
    claims.claim(
        "its entries are what was written", ~claims.before(asked) | (Value.cast(port.ring.data) == Value.cast(kept))
    )
    claims.claim("it is told when it may be read", store.written == claims.before(ends))
    claims.claim("an entry is taken in any cycle", store.entries.ready)
    claims.claim(
        "a length is taken with its number",
        Cat(store.lists.ready, store.counts.ready) == Cat(store.counts.valid, store.lists.valid),
    )
    return claims


SUBJECTS = {
    emitter: (
        EntryEmitter,
        [
            ("self.groups.valid & left.any()", "left.any()"),
            ("(count_free & may_end) | ~group.last", "1"),
            (
                "m.If(count_free):\n            m.d.sync += counts.valid",
                "m.If(1):\n            m.d.sync += counts.valid",
            ),
            ("left & ~behind)", "left)"),
            ("_number(lowest), group.group", "_number(lowest), 1"),
            ("(sends | ~left.any())", "~left.any()"),
        ],
    ),
    ring: (EntryRing, [("self.write.en & self._is_in(self.write.addr, number)", "self.write.en")]),
    store: (
        ListStore,
        [
            ("self.counts.ready.eq(self.lists.valid)", "self.counts.ready.eq(1)"),
            ("self.entries.ready.eq(1)", "self.entries.ready.eq(~self.counts.valid)"),
        ],
    ),
}

test_lists_are_whole, test_a_fault_breaks_each_claim = proofs(SUBJECTS)
