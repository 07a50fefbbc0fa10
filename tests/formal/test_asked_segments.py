"""The fetch asks for no more segments than may be under way, and for another as soon as all words of one have come.

Segments have at most two words of each kind; nothing but their range depends on that.
"""

from __future__ import annotations

from amaranth.hdl import Mux, Signal
from proofs import proofs
from proving import Claims, needs_prover
from stream_claims import surround

from deltatrain.rtl.off_chip.asked_segments import AskedSegments
from deltatrain.rtl.off_chip.passed_requests import PassedRequests

pytestmark = needs_prover

MOST, MOST_WORDS, KINDS = 2, 2, ("weights", "gradients")


def two_under_way(component):
    """Return the claims beside a list of the words that two segments lack, the older first, and a port in order."""
    claims = Claims()
    m = claims.m
    m.submodules.asked = asked = component(most=MOST, most_words=MOST_WORDS, kinds=KINDS)
    surround(claims, asked, driven=("come", "segments"))
    asks, words = claims.any(1, "asks"), claims.any(range(MOST_WORDS + 1), "words")
    has, comes = claims.any(2, "has"), claims.any(1, "comes")
    claims.assume((words != 0) & (words <= MOST_WORDS) & (has != 0))
    # What each lacks of W and of dW; that which is asked for now may get its first word now.
    older, younger = ([Signal(range(MOST_WORDS + 1), name=f"{age}_{kind}") for kind in KINDS] for age in ("old", "new"))
    free = younger[0] + younger[1] == 0
    new = [Mux(asks & free & has[number], words, 0) for number in range(2)]
    told, is_first = asked.segments.payload, older[0] + older[1] == 0
    m.d.comb += [
        asked.segments.valid.eq(asks & free),
        told.words.eq(words),
        *(told[kind].eq(has[number]) for number, kind in enumerate(KINDS)),
    ]
    lacks = [Mux(is_first, one, lack) for one, lack in zip(new, older, strict=True)]
    lacks += [Mux(is_first, 0, Mux(free, one, lack)) for one, lack in zip(new, younger, strict=True)]
    gets, waits = [], comes
    for lack in lacks:
        gets.append(waits & (lack != 0))
        waits = waits & (lack == 0)
    left = [lack - one for lack, one in zip(lacks, gets, strict=True)]
    stays = left[0] + left[1] != 0
    m.d.comb += [asked.come[kind].eq(gets[number] | gets[2 + number]) for number, kind in enumerate(KINDS)]
    m.d.sync += [older[number].eq(Mux(stays, left[number], left[2 + number])) for number in range(2)]
    m.d.sync += [younger[number].eq(Mux(stays, left[2 + number], 0)) for number in range(2)]
    claims.claim("another may be asked for if and only if fewer are under way", asked.may_ask == free)
    return claims


def requests_under_way(component):
    """Return the claims beside the requests that two segments lack, the older first, and a port in order."""
    claims = Claims()
    m = claims.m
    m.submodules.asked = asked = component(most=MOST)
    surround(claims, asked, driven=("passed", "segments"))
    asks, both, passes = claims.any(1, "asks"), claims.any(1, "both"), claims.any(1, "passes")
    older, younger = (Signal(range(3), name=age) for age in ("old", "new"))
    free, is_first = younger == 0, older == 0
    new = Mux(asks & free, 1 + both, 0)
    first, second = Mux(is_first, new, older), Mux(is_first, 0, Mux(free, new, younger))
    passed = passes & (first != 0)
    left = first - passed
    m.d.comb += [asked.segments.valid.eq(asks & free), asked.segments.payload.eq(both), asked.passed.eq(passed)]
    m.d.sync += [older.eq(Mux(left == 0, second, left)), younger.eq(Mux(left == 0, 0, second))]
    claims.claim("another may be asked for if and only if fewer are under way", asked.may_ask == free)
    return claims


SUBJECTS = {
    two_under_way: (
        AskedSegments,
        [
            ("(now >= front.words)", "(now > front.words)"),
            ("Mux(ends & front[kind], now - front.words, now)", "Mux(ends, now - front.words, now)"),
            ("under_way + asks - ends", "under_way + asks"),
            ("complete.all()", "complete.any()"),
        ],
    ),
    requests_under_way: (
        PassedRequests,
        [
            ("(second | ~queue.o.payload)", "~queue.o.payload"),
            ("Mux(self.passed, ~ends, second)", "Mux(self.passed, 1, second)"),
            ("under_way + asks - ends", "under_way + asks"),
        ],
    ),
}

test_no_more_are_asked_for_than_may_be, test_a_fault_breaks_each_claim = proofs(SUBJECTS)
