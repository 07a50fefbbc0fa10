"""The words of a step of the tape: each once, in the order of their parts."""

from __future__ import annotations

import pytest
from amaranth.hdl import Mux, Signal, Value, unsigned
from amaranth.lib import data
from narrowing import narrow
from proofs import proofs
from proving import Claims, needs_prover
from stream_claims import surround

from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.off_chip.tape_walk import TapeWalk, entries_of_word

pytestmark = needs_prover

BITS = 3
LANES = 4


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


def walk(component, sizes=SIZES):
    """Return the claims about the order of a step's words: tape, state, x, h, each from its first word to its last."""
    claims = Claims()
    m = claims.m
    m.submodules.walk = walk = component(sizes=sizes, lanes=LANES)
    surround(claims, walk)
    step, places = walk.step, [table.place for table in walk.tables]
    entries = [place.count + place.learning if sizes.spikes else place.count for place in places]
    word_entries = entries_of_word(LANES, spikes=bool(sizes.spikes))
    lengths = Signal(data.ArrayLayout(unsigned(2), 4))
    m.d.comb += [
        lengths[0].eq(step.tape_words),
        lengths[1].eq(step.state_words),
        lengths[2].eq((entries[0] + word_entries - 1) // word_entries),
        lengths[3].eq(Mux(step.has_h, (entries[1] + word_entries - 1) // word_entries, 0)),
    ]
    total, number = Signal(BITS + 1), Signal(BITS + 1)
    m.d.comb += total.eq(sum(lengths[part] for part in range(4)))
    claims.assume((step.tape_words <= 2) & (step.state_words <= 2))
    claims.assume((entries[0] <= min(2 * word_entries, 2**BITS - 1)) & (entries[1] <= word_entries))
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
    claims.claim("the lists' lengths are told", _are(walk.counts, entries, step))
    if sizes.spikes:
        claims.claim("the spikes among them are told", _are(walk.spikes, [place.count for place in places], step))
    return claims


def spiking_walk(component):
    """Return the claims where neurons spike: gradient-only neurons follow the spikes in a list, by index alone."""
    return walk(component, SIZES._replace(spikes=1))


def _are(told, numbers, step):
    """Return whether the numbers of x and h are told; there are none of h where it has no list."""
    return (told[0] == numbers[0]) & (told[1] == Mux(step.has_h, numbers[1], 0))


SUBJECTS = {
    walk: (TapeWalk, [("Mux(step.has_h, self._length(h.place), 0)", "self._length(h.place)")]),
    spiking_walk: (
        TapeWalk,
        [
            ("place.count + place.learning if self._spikes", "place.count if self._spikes"),
            ("Mux(step.has_h, h.place.count, 0)", "h.place.count"),
        ],
    ),
}

test_words_come_in_the_order_of_their_parts, test_a_fault_breaks_each_claim = proofs(SUBJECTS)
