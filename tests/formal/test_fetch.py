"""The fetch asks for no more than its buffer holds, and what comes is the lanes'.

The buffer holds two words of W; dW lives in the tile. Columns have at most three words and addresses are of few bits;
nothing but their range depends on that.
"""

from __future__ import annotations

import pytest
from amaranth.hdl import Mux, Signal, unsigned
from mutants import assert_each_can_break
from narrowing import narrow
from proving import Claims, assert_proved, needs_prover
from stream_claims import surround

from deltatrain.accel.architecture import Architecture
from deltatrain.rtl.off_chip import segment_splitter
from deltatrain.rtl.off_chip.fetch import Fetch

pytestmark = needs_prover

ENGINE = Architecture.named("tiny").engine
DEPTH = 2


@pytest.fixture(autouse=True)
def few_bits(monkeypatch):
    narrow(monkeypatch, INDEX_BITS=2, ADDRESS_BITS=4)
    for matrix in ("weights", "gradients"):
        monkeypatch.setitem(segment_splitter.WHAT_IS_FETCHED, f"{matrix}_address", unsigned(1))


def fetch(component):
    """Return the claims of a fetch for ops that read W, beside a memory and lanes that may take their time."""
    claims = Claims()
    m = claims.m
    size = ENGINE.lanes * ENGINE.formats.weight.bytes
    m.submodules.fetch = fetch = component(engine=ENGINE, buffer_bytes=DEPTH * size, weights=True, gradients=False)
    surround(claims, fetch, driven=("weights",))
    op, weights = fetch.ops.payload, fetch.weights
    claims.assume((op.segment_words == 1) & (op.words != 0))  # two segments fit the buffer
    claims.assume(op.weights & ~op.gradients & ~op.writes_back)
    claims.assume(~claims.before(fetch.may_begin & ~fetch.begins) | fetch.may_begin)
    asks = fetch.requests.valid & fetch.requests.ready
    comes, goes = weights.words.valid & weights.words.ready, weights.lane_words.valid & weights.lane_words.ready
    asked = Mux(asks, fetch.requests.payload.request.words, 0)
    owed, held, inside = (Signal(range(DEPTH + 3), name=f"words_{what}") for what in ("owed", "held", "inside"))
    m.d.comb += [
        weights.words.valid.eq(claims.any(1, "answers") & (owed != 0)),
        weights.lane_words.ready.eq(claims.any(1, "takes")),
        weights.posts.ready.eq(claims.any(1, "accepts")),
    ]
    m.d.sync += [
        owed.eq(owed + asked - comes),
        held.eq(held + asked - goes),
        inside.eq(inside + comes - goes),
    ]
    claims.claim("a word that comes has a place", weights.words.ready | ~weights.words.valid)
    claims.claim("no more is asked for than the buffer holds", held + asked <= DEPTH)
    claims.claim("what has come is offered to the lanes", weights.lane_words.valid == ((inside != 0) | comes))
    claims.claim("nothing is posted that is not written back", ~weights.posts.valid)
    late, moves = Signal(3), fetch.requests.valid | fetch.begins | (fetch.ops.valid & fetch.ops.ready)
    waits = fetch.ops.valid & (fetch.columns.valid | (op.count == 0)) & fetch.may_begin & (held == 0)
    m.d.sync += late.eq(Mux(waits & ~moves, late + (late != 6), 0))
    claims.claim("while the buffer is empty, a column is asked for within 6 cycles", late != 6)
    return claims


def test_columns_are_fetched_whole():
    assert_proved(fetch(Fetch))


@pytest.mark.long
def test_a_fault_breaks_each_claim():
    faults = [
        ("segment.room <= self._free", "segment.room <= segment.room"),
        ("second | (now", "second | (self.columns.valid & now"),
        ("lane_words.valid.eq(queue.o.valid & may_take)", "lane_words.valid.eq(queue.i.valid)"),
        ("& oldest.writes_back & oldest[name]", ""),
    ]
    assert_each_can_break(fetch, Fetch, faults)
