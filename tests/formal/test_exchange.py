"""The exchange takes items of one tile after the other, or of all at once, and each arrives once, in order and in time.

Two tiles, items of one beat and counts of two bits; what an item's value is, no claim depends on.
"""

from __future__ import annotations

import pytest
from amaranth.hdl import Mux, Signal
from narrowing import narrow
from proofs import proofs
from proving import Claims, needs_prover
from stream_claims import surround

from deltatrain.accel.architecture import Architecture
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.tiles.exchange import Exchange
from deltatrain.rtl.tiles.exchange_op import ExchangeKind

pytestmark = needs_prover

TILES = {"count": 2, "exchange_bytes_per_cycle": 8, "exchange_latency_cycles": 1}
MACHINE = Architecture.named("tiny", {f"tiles.{name}": value for name, value in TILES.items()})
ON_THE_WAY = 2 + 1 + TILES["exchange_latency_cycles"]
"""Cycles from where an item leaves its tile to where it arrives: registers, a level of adders, latency."""

SIZES = TileSizes(
    accumulator_words=2,
    regions=1,
    input_words=2,
    vector_words=2,
    held_words=2,
    state_words=2,
    tape_words=2,
    lists=2,
    list_entries=2,
    weight_words=2,
    gradient_words=2,
    loaded_lists=0,
    loaded_entries=0,
    most_classes=2,
    tiles=2,
    received_lists=2,
    received_entries=2,
    waiting_sums=2,
    uncounted=1,
)


@pytest.fixture(autouse=True)
def few_bits(monkeypatch):
    narrow(monkeypatch, INDEX_BITS=1)


def exchange(component):
    """Return the claims about what is taken, and what arrives."""
    claims = Claims()
    m = claims.m
    m.submodules.exchange = exchange = component(architecture=MACHINE, sizes=SIZES)
    surround(claims, exchange)
    tiles, arrival = exchange.tiles, exchange.arrival
    claims.assume(~claims.before(exchange.running) | exchange.running)
    took = [tile.items.valid & tile.items.ready for tile in tiles]
    lists = tiles[0].kind == ExchangeKind.LIST
    late, number = took[0] | took[1], Signal(2)
    for _ in range(ON_THE_WAY):
        late = claims.before(late)
    m.d.sync += number.eq(Mux(arrival.ends, 0, number + arrival.work))
    claims.claim("of a list one tile gives at a time", ~lists | ~(took[0] & took[1]))
    claims.claim("else all give at once", lists | (took[0] == took[1]))
    claims.claim("an item arrives in time, once", arrival.work == late)
    claims.claim("items are numbered within their op", ~arrival.work | (arrival.number == number[:1]))
    claims.claim("an op is stored the cycle after its end", exchange.soon == claims.before(arrival.ends))
    return claims


SUBJECTS = {
    exchange: (
        Exchange,
        [
            ("gives.eq(Mux(lists, current, current[0].replicate(n)))", "gives.eq(left)"),
            ("& ~of_sums & ~had[number]", "& ~of_sums & tile.items.valid"),
            ("tag.work.eq(sends)", "tag.work.eq(there & active & lists)"),
            ("sent.eq(Mux(ends, 0, sent + 1))", "sent.eq(sent + 1)"),
            ("self.soon.eq(delayed(m, arrival.ends, 1))", "self.soon.eq(arrival.ends)"),
        ],
    ),
}

test_what_is_taken_arrives, can_break = proofs(SUBJECTS)
test_a_fault_breaks_each_claim = pytest.mark.long(can_break)  # they take up to a minute
