"""The load unit asks for vectors, stores each word that comes in its place, and ends with a vector's last."""

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


def load(component, in_flight=1):
    """Return the claims of a unit whose memory answers what was asked, at any time, after it was asked.

    Up to two requests are outstanding: `owed` words of the older have not come yet, nor `later` words of the other.
    """
    claims = Claims()
    m = claims.m
    m.submodules.load = load = component(engine=Architecture.named("tiny").engine, sizes=SIZES, in_flight=in_flight)
    surround(claims, load, driven=("running", "words"))
    running, answers = claims.any(1, "running"), claims.any(1, "answers")
    claims.assume(~claims.before(running) | running)
    claims.assume(load.commands.payload.op.request.words != 0)
    asks, comes = load.requests.valid & load.requests.ready, load.words.valid
    owed, later, left = Signal(2), Signal(2), Signal(2)
    place, first, ends = Signal.like(load.write.addr), Signal(init=1), comes & (owed == 1)
    claims.drive(load.words.payload, "word")
    m.d.comb += [load.running.eq(running), load.words.valid.eq(answers & (owed != 0))]
    m.d.comb += left.eq(Mux(owed == comes, later, owed - comes))
    m.d.sync += [owed.eq(left), later.eq(Mux(owed == comes, 0, later))]
    with m.If(asks & (left == 0)):
        m.d.sync += owed.eq(load.requests.payload.words)
    with m.Elif(asks):
        m.d.sync += later.eq(load.requests.payload.words)
    with m.If(comes):
        m.d.sync += [place.eq(load.write.addr + 1), first.eq(ends)]
    claims.claim("nothing is asked before the unit runs", ~load.requests.valid | running)
    most = owed if in_flight == 1 else later
    claims.claim("no more requests are outstanding than may be", ~load.requests.valid | (most == 0))
    claims.claim("a request is for a word at least", ~load.requests.valid | (load.requests.payload.words != 0))
    claims.claim("a word is stored when it comes", load.write.en == comes)
    claims.claim("it is stored behind the one before", ~comes | first | (load.write.addr == place))
    claims.claim("what came is stored", Value.cast(load.write.data) == Value.cast(load.words.payload))
    claims.claim("an op is done with its last word", load.soon == claims.before(ends))
    return claims


@pytest.mark.parametrize("in_flight", [1, 2])
def test_vectors_are_loaded_whole(in_flight):
    assert_proved(load(LoadUnit, in_flight))


FAULTS = [
    ("self.requests.valid.eq(active & ~asked)", "self.requests.valid.eq(start.o.valid)"),
    ("self.write.en.eq(self.words.valid)", "self.write.en.eq(active)"),
    ("self.write.data.eq(self.words.payload)", "self.write.data.eq(0)"),
    ("words.eq(op.request.words)", "words.eq(number)"),
]
OF_TWO = [("queue.r_en.eq(ends)", "queue.r_en.eq(0)")]


@pytest.mark.parametrize("in_flight", [1, 2])
def test_a_fault_breaks_each_claim(in_flight):
    faults = FAULTS if in_flight == 1 else OF_TWO + FAULTS
    assert_each_can_break(lambda component: load(component, in_flight), LoadUnit, faults)
