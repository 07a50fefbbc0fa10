"""The masters of `rtl.bus` keep to AXI4, and their bursts cover what is to be moved and no more.

Addresses have 13 bits here, two pages of 4 KiB, or 5 where pages do not matter, and a move has at most three words;
nothing but their range depends on that.
"""

from __future__ import annotations

import pytest
from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from axi_claims import claim_axi_reads, claim_axi_writes
from mutants import assert_each_can_break, mutant
from narrowing import narrow
from proving import Claims, assert_proved, broken, needs_prover
from stream_claims import claim_passage, is_stable, surround

from deltatrain.accel.architecture import Architecture
from deltatrain.rtl.bus.burst_splitter import BurstSplitter
from deltatrain.rtl.bus.channels import MemoryPort
from deltatrain.rtl.bus.memory_reader import MemoryReader
from deltatrain.rtl.bus.memory_writer import MemoryWriter
from deltatrain.rtl.bus.pins import connect_memory, memory_pins
from deltatrain.rtl.bus.requests import PlacedMove
from deltatrain.rtl.bus.words import forms

pytestmark = needs_prover

ENGINE = Architecture.named("tiny").engine
BEAT_BYTES = 4
SIZES = {"burst_beats": 4, "outstanding": 2}


@pytest.fixture(autouse=True)
def few_bits(monkeypatch):
    narrow(monkeypatch, ADDRESS_BITS=13, COUNT_BITS=2)


@pytest.fixture
def few_addresses(monkeypatch):
    narrow(monkeypatch, ADDRESS_BITS=5)


class Master(Component):
    """A reader or a writer behind the wires of AXI4; the other channels are silent."""

    def __init__(self, part):
        self.part = part
        super().__init__({"moves": In(stream.Signature(PlacedMove())), **memory_pins(BEAT_BYTES)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.part = part = self.part
        connect(m, flipped(self.moves), part.moves)
        port = MemoryPort(BEAT_BYTES).create()
        for name, member in port.signature.members.items():
            if name in part.signature.members:
                ends = getattr(part, name), getattr(port, name)
                giver, taker = ends if member.flow == Out else ends[::-1]
                m.d.comb += [taker.payload.eq(giver.payload), taker.valid.eq(giver.valid), giver.ready.eq(taker.ready)]
        connect_memory(m, self, port, BEAT_BYTES)
        return m


class AnyBursts(Component):
    """Any bursts of which all holds that `bursts` claims, in the place of the part that cuts moves into them."""

    def __init__(self, claims, splitter):
        super().__init__(splitter.signature)
        burst = self.bursts.payload
        for name, port in (("taken", self.pieces.ready), ("idle", self.idle), ("begins", self.bursts.valid)):
            claims.drive(port, f"splitter_{name}")
        claims.drive(burst, "burst")
        longest = SIZES["burst_beats"] * BEAT_BYTES
        claims.assume(is_stable(claims, Value.cast(burst), self.bursts.valid, self.bursts.ready))
        claims.assume((burst.beats != 0) & (burst.address % BEAT_BYTES == 0))
        claims.assume(burst.address % longest + burst.beats * BEAT_BYTES <= longest)

    def elaborate(self, platform):
        return Module()


def master(claims, part):
    """Return a master in the module of `claims`, which is given moves of whole beats, any, at any time."""
    claims.m.submodules.master = master = Master(part)
    claims.drive(master.moves.valid, "moves_valid")
    move, size = master.moves.payload, Signal(6)
    for name, value in (("kind", move.kind), ("words", move.words), ("address", move.piece.address)):
        claims.drive(value, name)
    with claims.m.Switch(move.kind):
        for kind, form in forms(ENGINE).items():
            with claims.m.Case(kind):
                claims.m.d.comb += size.eq(move.words * form.bytes)
    claims.m.d.comb += move.piece.end.eq(move.piece.address + size)
    claims.assume(size != 0)
    claims.assume(move.piece.address % BEAT_BYTES == 0)
    return master


def reads(component):
    claims = Claims()
    reader = component(engine=ENGINE, beat_bytes=BEAT_BYTES, **SIZES)
    port = master(claims, reader)
    claim_axi_reads(claims, port, beat_bytes=BEAT_BYTES, patience=None, **SIZES)
    claim_all_asked(claims, reader, port.m_axi_arvalid & port.m_axi_arready, port.m_axi_araddr)
    return claims


def writes(component):
    claims = Claims()
    writer = component(engine=ENGINE, beat_bytes=BEAT_BYTES, moves=2, **SIZES)
    writer._splitter = AnyBursts(claims, writer._splitter)
    port = master(claims, writer)
    for name in ("weights", "gradients", "tape"):
        words = getattr(writer, name)
        claims.drive(words.valid, name)
        claims.drive(words.payload, f"{name}_word")
    claim_axi_writes(claims, port, beat_bytes=BEAT_BYTES, patience=2, **SIZES)
    claim_all_asked(claims, writer, port.m_axi_awvalid & port.m_axi_awready, port.m_axi_awaddr)
    return claims


def claim_all_asked(claims, part, asks, address):
    """Claim that all bursts that `part` cuts moves into are asked for, in their order."""
    bursts = part._splitter.bursts
    comes = bursts.valid & bursts.ready
    claim_passage(claims, comes=comes, item=bursts.payload.address, goes=asks, gone=address, most=1)


def bursts(component):
    """Return the claims about the bursts of a piece of memory: all its beats, in their order."""
    claims = Claims()
    m = claims.m
    m.submodules.splitter = splitter = component(beat_bytes=2, burst_beats=4)
    surround(claims, splitter, driven=("pieces",))
    piece, burst = splitter.pieces.payload, splitter.bursts.payload
    size = claims.any(len(piece.address) - 1, "size")
    claims.m.d.comb += piece.end.eq(piece.address + size)
    claims.drive(piece.address, "address")
    claims.drive(splitter.pieces.valid, "pieces_valid")
    claims.assume((size != 0) & ((piece.address + size - 1)[: len(piece.address)] >= piece.address))
    begins, goes = splitter.pieces.valid & splitter.pieces.ready, splitter.bursts.valid & splitter.bursts.ready
    next_byte, last_byte, busy = Signal.like(piece.address), Signal.like(piece.address), Signal()
    after = Signal(len(piece.address) + 1)
    m.d.comb += after.eq(burst.address + burst.beats * 2)
    m.d.sync += busy.eq(Mux(goes & burst.ends, 0, busy | begins))
    with m.If(begins):
        m.d.sync += [next_byte.eq(piece.address >> 1 << 1), last_byte.eq(piece.end - 1)]
    with m.If(goes):
        m.d.sync += next_byte.eq(after)
    offered = splitter.bursts.valid
    claims.claim("a burst is offered while the piece has one left", offered == busy)
    claims.claim("a piece is taken when the one before is done", splitter.pieces.ready == ~busy)
    claims.claim("a burst begins where the one before ended", ~offered | (burst.address == next_byte))
    claims.claim(
        "it has a beat at least, and no more than it may", ~offered | ((burst.beats != 0) & (burst.beats <= 4))
    )
    claims.claim(
        "it stays within a multiple of the longest burst", ~offered | (burst.address % 8 + burst.beats * 2 <= 8)
    )
    claims.claim("the last ends with the piece", ~offered | (burst.ends == (after > last_byte)))
    claims.claim("no burst reaches beyond the piece's last beat", ~offered | (after <= (last_byte >> 1 << 1) + 2))
    return claims


FAULTS_OF_BURSTS = [
    ("burst.ends.eq(left <= to_boundary)", "burst.ends.eq(left < to_boundary)"),
    ("self._burst_beats - beat[: ceil_log2(self._burst_beats)]", "self._burst_beats"),
    ("beat.eq(beat + burst.beats)", "beat.eq(beat + 1)"),
    ("self.bursts.valid.eq(~self.idle)", "self.bursts.valid.eq(1)"),
    ("(piece.end - 1)[", "piece.end["),
]
MASTERS = {
    reads: (
        MemoryReader,
        [
            ("asked.w_rdy & (~self.reads.valid | self.reads.ready)", "asked.w_rdy"),
            ("asked.w_rdy & (~self.reads.valid | self.reads.ready)", "(~self.reads.valid | self.reads.ready)"),
            ("self.reads.payload.last.eq(burst.beats - 1)", "self.reads.payload.last.eq(burst.beats)"),
        ],
    ),
    writes: (
        MemoryWriter,
        [
            ("& asked.w_rdy\n", "\n"),
            ("& (~self.writes.valid | self.writes.ready)\n", "\n"),
            ("& (left == 0)\n", "\n"),
            ("& (beats.level >= burst.beats)\n", "\n"),
            ("last.eq(left == 1)", "last.eq(left == 2)"),
        ],
    ),
}


@pytest.mark.usefixtures("few_addresses")
def test_bursts_are_all_of_a_piece_of_memory_and_no_more():
    assert_proved(bursts(BurstSplitter))


@pytest.mark.usefixtures("few_addresses")
def test_a_fault_breaks_each_claim_about_bursts():
    assert_each_can_break(bursts, BurstSplitter, FAULTS_OF_BURSTS)


@pytest.mark.parametrize("claims_of", MASTERS)
def test_a_master_keeps_to_the_rules(claims_of):
    component, _ = MASTERS[claims_of]
    assert_proved(claims_of(component))


@pytest.mark.long
@pytest.mark.parametrize(
    ("claims_of", "right", "wrong"), [(of, *fault) for of in (reads, writes) for fault in MASTERS[of][1]]
)
def test_a_fault_of_a_master_breaks_a_rule(claims_of, right, wrong):
    claims = claims_of(mutant(MASTERS[claims_of][0], right, wrong))
    assert broken(claims, claims.claimed)
