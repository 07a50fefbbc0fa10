"""Packets of results: each comes out whole and unchanged, in order, and a run that is stopped leaves no part of one.

Values have one bit, and packets two values at most: nothing but a count depends on either.
"""

from __future__ import annotations

import pytest
from amaranth.hdl import Cat, Mux, Signal
from proofs import proofs
from proving import Claims, needs_prover
from stream_claims import claim_passage, surround

from deltatrain.rtl.bus.results import PACKETS, Results

pytestmark = needs_prover

MOST = 2


def packets(component, forgets=True):
    """Return the claims about packets that are begun while there is room and filled, one after the other."""
    claims = Claims()
    claims.m.submodules.results = results = component(bits=1, most=MOST)
    surround(claims, results)
    result, item = results.result, results.items.payload
    begun, filled = Signal(range(PACKETS + 2)), Signal(range(MOST + 1))
    made, goes = result.valid & result.last, results.items.valid & results.items.ready
    claims.assume(~results.begins | results.has_room)
    claims.assume(~result.valid | ((begun != 0) & ((filled + 1 != MOST) | result.last)))
    if not forgets:
        claims.assume(~results.forgets)
    claims.m.d.sync += [
        begun.eq(Mux(results.forgets, 0, begun + results.begins - made)),
        filled.eq(Mux(results.forgets | made, 0, filled + result.valid)),
    ]
    return claims, results, (begun, made, goes, item)


def whole(component):
    """Return the claims about what is seen of packets that may be forgotten."""
    claims, results, (begun, made, goes, item) = packets(component)
    waiting, inside = Signal(range(PACKETS + 2)), Signal(range(PACKETS * MOST + 2))
    held = Signal(range(MOST + 1))  # values of the packet that is not whole
    result, keeps = results.result, made & ~results.forgets
    claims.m.d.sync += [
        waiting.eq(waiting + keeps - (goes & item.last)),
        held.eq(Mux(results.forgets | made, 0, held + result.valid)),
        inside.eq(inside + Mux(keeps, held + 1, 0) - goes),
    ]
    claims.claim("what is offered is of a packet that is whole", ~results.items.valid | (inside != 0))
    claims.claim("whole packets are offered", results.items.valid | (claims.before(waiting) == 0) | claims.before(goes))
    claims.claim("those that wait are counted", results.waiting == waiting)
    claims.claim("there is room while two have not begun", results.has_room == (begun + waiting != PACKETS))
    claims.claim("a packet has its end", (inside == 0) == (waiting == 0))
    return claims


def in_order(component):
    """Return the claims about the values, where nothing is forgotten."""
    claims, results, (_, _, goes, item) = packets(component, forgets=False)
    result = results.result
    claim_passage(
        claims,
        comes=result.valid,
        item=result.as_value()[1:],
        goes=goes,
        gone=Cat(item.value[0], item.last),
        most=PACKETS * MOST,
    )
    claims.claim("a value is extended by its sign", ~results.items.valid | (item.value == -item.value[0]))
    return claims


SUBJECTS = {
    whole: (
        Results,
        [
            ("offered.eq(whole)", "offered.eq(written)"),
            ("Mux(self.forgets, 0, made)", "made"),
            ("self.has_room.eq(begun + self.waiting != PACKETS)", "self.has_room.eq(begun != PACKETS)"),
            ("goes.eq(self.items.valid & self.items.ready)", "goes.eq(self.items.ready)"),
            ("whole.eq(written + 1)", "whole.eq(written)"),
        ],
    ),
    in_order: (
        Results,
        [
            ("read.addr.eq((taken + goes)", "read.addr.eq((taken)"),
            ("item.value.eq(value)", "item.value.eq(value.as_unsigned())"),
        ],
    ),
}

test_packets_come_out_whole_and_in_order, can_break = proofs(SUBJECTS)
test_a_fault_breaks_each_claim = pytest.mark.long(can_break)  # they take up to a minute
