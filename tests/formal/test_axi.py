"""The claims of AXI4 hold for a master that keeps to them, and each is broken by one that does not."""

from __future__ import annotations

import pytest
from axi_claims import claim_axi_reads, claim_axi_writes
from mutants import assert_each_can_break
from proving import Claims, assert_proved, needs_prover
from small_axi_master import SmallMaster

pytestmark = needs_prover

SIZES = {"beat_bytes": 128, "burst_beats": 4, "outstanding": 2, "patience": 1}


def master(component, channel, claim):
    claims = Claims()
    claims.m.submodules.master = master = component(channel=channel, beat_bytes=128, burst_beats=4, outstanding=2)
    for name in ("start", "beat", "beats"):
        claims.drive(getattr(master, name), name)
    claim(claims, master, **SIZES)
    return claims


def reads(component):
    return master(component, "ar", claim_axi_reads)


def writes(component):
    return master(component, "aw", claim_axi_writes)


FAULTS = [
    ("valid.eq(begins | (valid & ~ready))", "valid.eq(begins)"),
    ("& (~valid | ready)", ""),
    ("size.eq(ceil_log2(self._beat_bytes))", "size.eq(2)"),
    ("burst.eq(1)", "burst.eq(2)"),
    ("self._burst_beats - place % self._burst_beats", "self._burst_beats"),
    ("address.eq(place * self._beat_bytes)", "address.eq(place * self._beat_bytes + 1)"),
    ("Mux(left < to_boundary, left, to_boundary)", "left"),
    ("& (unanswered != self._outstanding)", ""),
]
SUBJECTS = {
    reads: [*FAULTS, ("self.m_axi_rready.eq(1)", "self.m_axi_rready.eq(self.m_axi_rlast)")],
    writes: [
        *FAULTS,
        ("self.m_axi_wvalid.eq(unsent != 0)", "self.m_axi_wvalid.eq((unsent != 0) & self.m_axi_awready)"),
        ("self.m_axi_wvalid.eq(unsent != 0)", "self.m_axi_wvalid.eq(1)"),
        ("self.m_axi_bready.eq(1)", "self.m_axi_bready.eq(0)"),
    ],
}


@pytest.mark.parametrize("claims_of", SUBJECTS)
def test_a_master_keeps_to_the_rules(claims_of):
    assert_proved(claims_of(SmallMaster))


@pytest.mark.long
@pytest.mark.parametrize("claims_of", SUBJECTS)
def test_a_fault_breaks_each_rule(claims_of):
    assert_each_can_break(claims_of, SmallMaster, SUBJECTS[claims_of])
