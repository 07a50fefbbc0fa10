"""The column cache's tags: what is there hits in its own line, and no line that was written is lost.

One run, any, is followed through a cache of one set. Numbers have few bits here; nothing but their range depends on
that.
"""

from __future__ import annotations

import pytest
from amaranth.hdl import Mux, Signal, unsigned
from narrowing import narrow
from proofs import proofs
from proving import Claims, assert_proved, needs_prover
from stream_claims import surround

from deltatrain.rtl.off_chip import segment_splitter
from deltatrain.rtl.off_chip.tags import Tags
from deltatrain.rtl.parts.line_shape import LineShape

pytestmark = needs_prover

SHAPE = LineShape(sets=1, ways=2, line_bytes=8, runs=4)
COUNT_BITS = 2


@pytest.fixture(autouse=True)
def few_bits(monkeypatch):
    narrow(monkeypatch, INDEX_BITS=1, ADDRESS_BITS=2, COUNT_BITS=COUNT_BITS)
    for matrix in ("weights", "gradients"):
        monkeypatch.setitem(segment_splitter.WHAT_IS_FETCHED, f"{matrix}_address", unsigned(1))


def tags(component, shape=SHAPE):
    """Return the claims about the run `its`: a model says whether it is there, where, and when it went out last."""
    claims = Claims()
    m = claims.m
    m.submodules.tags = tags = component(shape=shape, gradient_word_bytes=1)
    surround(claims, tags)
    its = claims.constant(shape.run_bits, "its")
    segment = tags.segments.payload
    # A run is of one matrix, here those of dW have odd numbers; it has one place.
    claims.assume(segment.gradients == segment.line[0])
    claims.assume(segment.gradients_address == segment.line[1])
    claims.assume((segment.first_word == 0) & (segment.word == 0))
    cleared = Signal(range(shape.sets + 1))
    m.d.sync += cleared.eq(cleared + (cleared != shape.sets))
    claims.assume(~tags.segments.valid | (cleared == shape.sets))
    found, here, slot = tags.found.payload, Signal(), Signal(range(shape.slots))
    of = found.segment
    taken, looked_up, passes, is_its, loses = Signal(), Signal(), Signal(), Signal(), Signal()
    m.d.comb += [
        taken.eq(tags.found.valid & tags.found.ready),
        looked_up.eq(tags.found.valid & of.cached & ~of.empty),
        passes.eq(tags.found.valid & ~of.cached & ~of.empty & ~found.flushed & ~found.skips),
        is_its.eq(looked_up & (of.line == its)),
        # Its line is another's from now on.
        loses.eq(here & (found.slot == slot) & ((looked_up & ~is_its) | (tags.found.valid & found.flushed))),
    ]
    outs, its_out, last_out = Signal(COUNT_BITS), Signal(COUNT_BITS), Signal(COUNT_BITS)
    posted = passes & of.writes_back & of.gradients
    claims.assume(outs < (1 << COUNT_BITS) - 2)  # no count begins again
    with m.If(taken):
        m.d.sync += [
            here.eq((here | is_its) & ~loses & ~passes),
            slot.eq(Mux(is_its, found.slot, slot)),
            outs.eq(outs + (found.goes_out | posted)),
            last_out.eq(Mux(found.goes_out, outs + 1, last_out)),
            its_out.eq(Mux(passes, 0, Mux(loses & found.goes_out, outs + 1, its_out))),
        ]
    dirty = here & its[0]
    claims.claim("a run hits if it is there", ~is_its | (found.hit == here))
    claims.claim("it is in one line", ~(is_its & here) | (found.slot == slot))
    claims.claim("nobody else hits in its line", ~(loses & looked_up) | ~found.hit)
    claims.claim("its line goes out, if it was written, when another takes it", ~loses | (found.goes_out == dirty))
    claims.claim("it goes to its place", ~(loses & found.goes_out) | (found.out.address == its[1]))
    claims.claim("no line that was written is left when an op passes by", ~passes | ~dirty)
    misses = is_its & ~found.hit
    claims.claim("a run that comes back waits until it has gone out", ~misses | (found.behind >= its_out))
    claims.claim("what passes by waits for all that went out", ~passes | (found.behind == last_out))
    return claims


SUBJECTS = {
    tags: (
        Tags,
        [
            ("now.looks & ~hit & segment.gradients", "now.looks & ~hit & segment.weights"),
            ("newest.eq(issued + 1)", "newest.eq(issued)"),
            ("Mux(goes_out, issued + 1, now.row.last_out)", "Mux(goes_out, issued, now.row.last_out)"),
            ("lowest.eq(left & (~left + 1))", "lowest.eq(left)"),
            ("(old.dirty & hit)", "(old.dirty & ~hit)"),
            ("hit, match, Mux(valid.all()", "hit, last, Mux(valid.all()"),
            ("now.free.eq(~self.found.valid | self.found.ready)", "now.free.eq(1)"),
            ("& (now.set == there.set)", "& (now.set != there.set)"),
        ],
    ),
}

test_what_was_written_goes_out, can_break = proofs(SUBJECTS)
test_a_fault_breaks_each_claim = pytest.mark.long(can_break)  # they take up to a minute


@pytest.mark.long
def test_two_sets():
    assert_proved(tags(Tags, SHAPE._replace(sets=2, runs=8)))
