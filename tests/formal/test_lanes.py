"""Banks of the accumulators: M of the step that may be read is never written, and sums go on from where they are.

Two regions, because one stands for all others; the banks are bits, and the parts of M are few.
"""

from __future__ import annotations

from amaranth.hdl import Array, Mux, Signal
from proofs import proofs
from proving import Claims, needs_prover
from stream_claims import surround

from deltatrain.rtl.lanes.banks import PARTS, AccumulatorBanks

pytestmark = needs_prover

REGIONS = 2


def banks(component):
    """Return the claims about one part of one region, any, beside ops that add to any."""
    claims = Claims()
    claims.m.submodules.banks = banks = component(regions=REGIONS)
    surround(claims, banks)
    region, part = claims.constant(range(REGIONS), "watched_region"), claims.constant(range(PARTS), "watched_part")
    claims.assume(part != PARTS)
    upper = Signal()
    claims.m.d.comb += upper.eq(part != 0)  # of an op's two parts, the one that is watched
    is_used = (part == 0) | (part == 1 + banks.recurrent)
    here = banks.take & (banks.region == region)
    adds = here & banks.fires & is_used
    source, target, zero = (port.bit_select(upper, 1) for port in (banks.source, banks.target, banks.from_zero))
    # Where the part is, whether it is zero, and what of it is settled: kept of what the ops were told.
    last, is_zero, settled, settled_zero = Signal(), Signal(), Signal(), Signal()
    now, now_zero = Signal(), Signal()
    claims.m.d.comb += [
        now.eq(Mux(adds, target, last)),
        now_zero.eq(~adds & (is_zero | banks.starts)),
    ]
    with claims.m.If(here):
        claims.m.d.sync += [last.eq(now), is_zero.eq(now_zero)]
        with claims.m.If(banks.ends):
            claims.m.d.sync += [settled.eq(now), settled_zero.eq(now_zero)]
    read, zeros = Array(banks.read_banks)[part], Array(banks.read_zeros)[part]
    reads = banks.read_region == region
    claims.claim("an op reads what the one before has written", ~adds | (source == last))
    claims.claim("it starts at zero before anything was added", ~adds | (zero == (is_zero | banks.starts)))
    claims.claim("what is settled is not written", ~adds | (target != settled))
    claims.claim("what is read is what was settled", ~reads | (read == settled))
    claims.claim("and zero if it was", ~reads | (zeros == settled_zero))
    return claims


SUBJECTS = {
    banks: (
        AccumulatorBanks,
        [
            ("targets[part].eq(before.newest ^ ~before.touched)", "targets[part].eq(before.newest)"),
            ("zeros[part].eq(self.starts | before.empty)", "zeros[part].eq(self.starts)"),
            ("then.settled_empty.eq(then.empty)", "then.settled_empty.eq(before.empty)"),
            ("(before.touched | adds) & ~self.ends", "before.touched | adds"),
        ],
    ),
}

test_banks_keep_what_is_read, test_a_fault_breaks_each_claim = proofs(SUBJECTS)
