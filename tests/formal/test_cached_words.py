"""The column cache's lines of dW: what hits is what the lanes made of it last, and so is what goes out.

Lines have one word of one bit. One of two is followed. Which runs hit and which lines go out is assumed as the
tags say it (`test_tags.py`). No words pass the cache by. Lanes take fewer cycles here; nothing but how long is waited
depends on that.
"""

from __future__ import annotations

import pytest
from amaranth.hdl import Signal, Value
from narrowing import narrow
from proofs import proofs
from proving import Claims, needs_prover
from stream_claims import surround

from deltatrain.rtl.off_chip.cached_words import CachedWords
from deltatrain.rtl.off_chip.run_walk import Run
from deltatrain.rtl.off_chip.word_sizes import WordSize
from deltatrain.rtl.parts.line_shape import LineShape

pytestmark = [needs_prover, pytest.mark.long]

SHAPE = LineShape(sets=1, ways=2, line_bytes=1, runs=2)
RETURN_CYCLES = 2
ITS = 0
"""One line of two that are alike."""


@pytest.fixture(autouse=True)
def few_cycles(monkeypatch):
    narrow(monkeypatch, RETURN_CYCLES=RETURN_CYCLES, _MOST_MADE=1)


def words_of_a_line(component):
    """Return the claims about a line, beside lanes that hand out each word `RETURN_CYCLES` after taking it."""
    claims = Claims()
    m = claims.m
    run = Run(SHAPE, 1, 1)
    m.submodules.words = words = component(sizes={"gradients": WordSize(1, 1, 1)}, shape=SHAPE, run=run)
    surround(claims, words, driven=("made", "lane_gradients"))
    claims.claimed.clear()  # what is offered together with a word that goes out waits for that, too
    comes, payload, lane, held = words.runs.valid, words.runs.payload, words.lane_gradients, Signal()
    is_its, flushes = payload.slot == ITS, payload.words == 0
    claims.assume(~payload.weights & (payload.gradients != flushes) & (payload.returned == 0) & ~payload.writes_back)
    claims.assume((payload.words <= 1) & (payload.out_words <= 1))
    claims.assume(payload.steps == (payload.words | payload.out_words))  # as `rtl.off_chip.cached_fetch` reckons them
    claims.assume(payload.waits == (payload.out_words > payload.words))
    claims.assume(~(payload.hit & (payload.out_words != 0)))  # its own line does not go out
    claims.assume((payload.cached != flushes) & (payload.cached | (~payload.hit & (payload.out_words != 0))))
    # Its line goes out, or hits, only if it has a run.
    claims.assume(~comes | ~is_its | held | (~payload.hit & (payload.out_words == 0)))
    with m.If(comes & words.runs.ready & is_its):
        m.d.sync += held.eq(payload.cached)
    ended, taken = words.ended, lane.valid & lane.ready
    its_ends = words.ends & (ended.slot == ITS)
    written, returns, value = claims.before(taken & its_ends), claims.before(taken), Signal()
    for _ in range(RETURN_CYCLES - 1):
        written, returns = claims.before(written), claims.before(returns)
    m.d.comb += [
        words.made.valid.eq(returns),
        words.made.payload.eq(claims.any(1, "made_word")),
        lane.ready.eq(claims.any(1, "takes")),
    ]
    with m.If(written):
        m.d.sync += value.eq(Value.cast(words.made.payload))
    hands_out = words.new_words.valid & words.new_words.ready
    claims.claim("what hits is what was written last", ~(its_ends & ended.hit) | (Value.cast(lane.payload) == value))
    goes, gone = its_ends & (ended.out_words != 0), Value.cast(words.new_words.payload)
    claims.claim("what goes out is what was written last", ~goes | (hands_out & (gone == value)))
    claims.claim("what the lanes make of a cached word is taken at once", ~returns | words.made.ready)
    return claims


SUBJECTS = {
    words_of_a_line: (
        CachedWords,
        [
            (
                "Mux(run.hit, self._rows.word(name, row, step.part), Value.cast(comes.payload))",
                "Value.cast(comes.payload)",
            ),
            ("(walk.reads_line & unwritten) | owed", "owed"),
            ("self.made.ready.eq(self.new_words.ready | returns)", "self.made.ready.eq(self.new_words.ready)"),
        ],
    ),
}

test_what_was_written_is_read, test_a_fault_breaks_each_claim = proofs(SUBJECTS)
