"""The load unit asks for one vector at a time, stores each word that comes in its place, and ends with the last."""

from __future__ import annotations

import pytest
from amaranth.hdl import Mux, Signal, Value
from mutants import assert_each_can_break
from narrowing import narrow
from proving import Claims, assert_proved, needs_prover
from stream_claims import surround

from deltatrain.accel.architecture import Architecture
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.off_chip.load_unit import LoadUnit

pytestmark = needs_prover

SIZES = TileSizes(
    accumulator_words=2,
    regions=1,
    input_words=4,
    vector_words=2,
    held_words=2,
    state_words=2,
    tape_words=2,
    lists=2,
    list_entries=4,
    weight_words=2,
    gradient_words=2,
    loaded_lists=0,
    loaded_entries=0,
    most_classes=2,
)


@pytest.fixture(autouse=True)
def few_bits(monkeypatch):
    narrow(monkeypatch, INDEX_BITS=2, ADDRESS_BITS=4, COUNT_BITS=2)


def load(component):
    """Return the claims of a unit whose memory answers what was asked, at any time, after it was asked."""
    claims = Claims()
    m = claims.m
    m.submodules.load = load = component(engine=Architecture.named("tiny").engine, sizes=SIZES)
    surround(claims, load, driven=("running", "words"))
    running, answers = claims.any(1, "running"), claims.any(1, "answers")
    claims.assume(~claims.before(running) | running)
    claims.assume(load.commands.payload.op.request.words != 0)
    asks, comes = load.requests.valid & load.requests.ready, load.words.valid
    owed, place, first = Signal(2), Signal.like(load.write.addr), Signal()
    claims.drive(load.words.payload, "word")
    m.d.comb += [load.running.eq(running), load.words.valid.eq(answers & (owed != 0))]
    m.d.sync += [
        owed.eq(Mux(asks, load.requests.payload.words, owed - comes)),
        first.eq(asks | (first & ~comes)),
    ]
    with m.If(comes):
        m.d.sync += place.eq(load.write.addr + 1)
    claims.claim("nothing is asked before the unit runs", ~load.requests.valid | running)
    claims.claim("one request is outstanding", ~load.requests.valid | (owed == 0))
    claims.claim("a request is for a word at least", ~load.requests.valid | (load.requests.payload.words != 0))
    claims.claim("a word is stored when it comes", load.write.en == comes)
    claims.claim("it is stored behind the one before", ~comes | first | (load.write.addr == place))
    claims.claim("what came is stored", Value.cast(load.write.data) == Value.cast(load.words.payload))
    claims.claim("an op is done with its last word", load.soon == claims.before(comes & (owed == 1)))
    return claims


def test_vectors_are_loaded_whole():
    assert_proved(load(LoadUnit))


def test_a_fault_breaks_each_claim():
    faults = [
        ("self.requests.valid.eq(active & ~asked)", "self.requests.valid.eq(start.o.valid)"),
        ("self.write.en.eq(self.words.valid)", "self.write.en.eq(active)"),
        ("self.write.data.eq(self.words.payload)", "self.write.data.eq(0)"),
        ("words.eq(op.request.words)", "words.eq(number)"),
    ]
    assert_each_can_break(load, LoadUnit, faults)
