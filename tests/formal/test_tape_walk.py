"""The words of a step of the tape: each once, in the order of their parts."""

from __future__ import annotations

import pytest
from amaranth.hdl import Mux, Signal, Value, unsigned
from amaranth.lib import data
from mutants import assert_each_can_break
from narrowing import narrow
from proving import Claims, assert_proved, needs_prover
from stream_claims import surround

from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.off_chip.tape_walk import TapeWalk

pytestmark = needs_prover

BITS = 3


@pytest.fixture(autouse=True)
def few_bits(monkeypatch):
    narrow(monkeypatch, INDEX_BITS=BITS)


SIZES = TileSizes(
    accumulator_words=2,
    regions=1,
    input_words=2,
    vector_words=2,
    held_words=2,
    state_words=2,
    tape_words=2,
    lists=2,
    list_entries=4,
    weight_words=0,
    gradient_words=0,
    loaded_lists=2,
    loaded_entries=4,
    most_classes=2,
)


def walk(component):
    """Return the claims about the order of a step's words: tape, state, x, h, each from its first word to its last."""
    claims = Claims()
    m = claims.m
    m.submodules.walk = walk = component(sizes=SIZES, lanes=4)
    surround(claims, walk)
    step, counts = walk.step, [table.place.count for table in walk.tables]
    lengths = Signal(data.ArrayLayout(unsigned(2), 4))
    m.d.comb += [
        lengths[0].eq(step.tape_words),
        lengths[1].eq(step.state_words),
        lengths[2].eq((counts[0] + 1) // 2),
        lengths[3].eq(Mux(step.has_h, (counts[1] + 1) // 2, 0)),
    ]
    total, number = Signal(BITS + 1), Signal(BITS + 1)
    m.d.comb += total.eq(sum(lengths[part] for part in range(4)))
    claims.assume((step.tape_words <= 2) & (step.state_words <= 2) & (counts[0] <= 4) & (counts[1] <= 2))
    claims.assume(total != 0)
    stays = ~claims.starts() & ~claims.before(walk.take & walk.last)
    claims.assume(~stays | (claims.before(lengths) == Value.cast(lengths)))
    with m.If(walk.take):
        m.d.sync += number.eq(Mux(number + 1 == total, 0, number + 1))
    part, offset = Value.cast(walk.part), walk.offset
    before = sum(Mux(part > other, lengths[other], 0) for other in range(4))
    claims.claim("each word has its turn", before + offset == number)
    claims.claim("it is in its part", offset < lengths[part])
    claims.claim("the last is told, and it alone", walk.last == (number + 1 == total))
    claims.claim("their number is told", walk.words == total)
    claims.claim(
        "the lists' lengths are told", (walk.counts[0] == counts[0]) & (walk.counts[1] == Mux(step.has_h, counts[1], 0))
    )
    return claims


def test_words_come_in_the_order_of_their_parts():
    assert_proved(walk(TapeWalk))


def test_a_fault_breaks_each_claim():
    assert_each_can_break(walk, TapeWalk, [("Mux(step.has_h, h.place.count, 0)", "h.place.count")])
