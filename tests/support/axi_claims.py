"""The rules of AXI4 for a master, as claims about its wires ``m_axi_*`` beside a memory that does all that it may.

Sections are those of the AXI4 specification, ARM IHI 0022.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Mux, Signal, Value
from amaranth.lib.fifo import SyncFIFO
from proving import Claims

__all__ = ["claim_axi_reads", "claim_axi_writes"]

_PAGE_BYTES = 4096
_INCREMENTING = 1
_PAYLOADS = {
    "aw": ("awaddr", "awlen", "awsize", "awburst"),
    "ar": ("araddr", "arlen", "arsize", "arburst"),
    "w": ("wdata", "wstrb", "wlast"),
}


class _Wires:
    """The wires ``m_axi_*`` of a master by the rest of their names, and whether something passes a channel."""

    def __init__(self, master: Any) -> None:
        self._master = master

    def __getitem__(self, name: str) -> Value:
        return Value.cast(getattr(self._master, f"m_axi_{name}"))

    def passes(self, channel: str) -> Value:
        return self[f"{channel}valid"] & self[f"{channel}ready"]


def claim_axi_reads(
    claims: Claims, master: Any, *, beat_bytes: int, burst_beats: int, outstanding: int, patience: int
) -> None:
    """Claim that a master reads as AXI4 demands, from a memory that answers in order, at any time.

    Parameters
    ----------
    claims
        Whose module has the master in it, without what answers its wires.
    master
        Has wires ``m_axi_ar*`` and ``m_axi_r*``.
    beat_bytes
        Bytes of a beat.
    burst_beats, outstanding
        Most beats of a burst, and most bursts that are asked for and not answered.
    patience
        Cycles after which an answer is taken at the latest, and the next beat of a burst offered; None claims nothing.
    """
    wires = _Wires(master)
    _claim_channel(claims, wires, "ar")
    _claim_bursts(claims, wires, "ar", beat_bytes, burst_beats)
    m = claims.m
    claims.drive(wires["arready"], "arready")
    beat, passes = Signal(range(burst_beats)), wires.passes("r")
    m.submodules.asked = asked = SyncFIFO(width=len(beat), depth=outstanding)
    m.d.comb += [
        asked.w_en.eq(wires.passes("ar")),
        asked.w_data.eq(wires["arlen"]),
        wires["rlast"].eq(beat == asked.r_data),
        wires["rvalid"].eq(asked.r_rdy & claims.any(1, "answers")),
        asked.r_en.eq(passes & wires["rlast"]),
    ]
    with m.If(passes):
        m.d.sync += beat.eq(Mux(wires["rlast"], 0, beat + 1))
    for name in ("rdata", "rresp"):
        claims.drive(wires[name], name)
    stalled = claims.before(wires["rvalid"] & ~wires["rready"])
    answer = Cat(wires["rdata"], wires["rresp"])
    claims.assume(~stalled | (wires["rvalid"] & (answer == claims.before(answer))))
    claims.claim("no more reads are outstanding than may be", ~asked.w_en | asked.w_rdy)
    if patience is not None:
        _claim_soon(claims, "r is taken in time", wires["rvalid"], wires["rready"], patience)


def claim_axi_writes(
    claims: Claims, master: Any, *, beat_bytes: int, burst_beats: int, outstanding: int, patience: int
) -> None:
    """Claim that a master writes as AXI4 demands, to a memory that takes and answers at any time.

    Parameters
    ----------
    claims, beat_bytes, burst_beats, outstanding, patience
        As in `claim_axi_reads`.
    master
        Has wires ``m_axi_aw*``, ``m_axi_w*`` and ``m_axi_b*``.
    """
    wires = _Wires(master)
    _claim_channel(claims, wires, "aw")
    _claim_channel(claims, wires, "w")
    _claim_bursts(claims, wires, "aw", beat_bytes, burst_beats)
    m = claims.m
    for name in ("awready", "wready", "bresp"):
        claims.drive(wires[name], name)
    begins, ends = _begins(claims, wires), wires.passes("w") & wires["wlast"]
    names = ("asked", "unsent", "accepted", "unanswered")
    asked, unsent, accepted, unanswered = (Signal(range(outstanding + 3), name=name) for name in names)
    answers = wires.passes("b")
    m.d.sync += [
        unsent.eq(unsent + begins - ends),
        asked.eq(asked + begins - answers),
        accepted.eq(accepted + wires.passes("aw") - answers),
        unanswered.eq(unanswered + ends - answers),
    ]
    may_answer = (accepted != 0) & (unanswered != 0)
    m.d.comb += wires["bvalid"].eq(may_answer & claims.any(1, "answers"))
    stalled = claims.before(wires["bvalid"] & ~wires["bready"])
    claims.assume(~stalled | (wires["bvalid"] & (wires["bresp"] == claims.before(wires["bresp"]))))
    claims.claim("no more writes are outstanding than may be", asked + begins <= outstanding)
    claims.claim("no beat comes before its address is offered", ~wires["wvalid"] | (unsent != 0) | begins)
    _claim_soon(claims, "the beats of a burst follow in time", unsent != 0, wires["wvalid"], patience)
    _claim_soon(claims, "b is taken in time", wires["bvalid"], wires["bready"], patience)
    _claim_lengths(claims, wires, begins, ends, unsent, burst_beats)


def _claim_lengths(claims: Claims, wires: _Wires, begins: Value, ends: Value, unsent: Signal, burst_beats: int) -> None:
    """Claim of any one burst that it has the beats that its address said, the last of them marked."""
    m, picks = claims.m, claims.any(1, "picks")
    follows, done = Signal(), Signal()
    ahead, length, beat = Signal.like(unsent), Signal(range(burst_beats)), Signal(range(burst_beats))
    now = begins & picks & ~follows & ~done
    its_ahead, its_length = Signal.like(unsent), Signal.like(length)
    m.d.comb += [
        its_ahead.eq(Mux(now, unsent, ahead)),
        its_length.eq(Mux(now, wires["awlen"], length)),
    ]
    its_beat = (now | follows) & (its_ahead == 0) & wires["wvalid"]
    m.d.sync += [
        follows.eq((follows | now) & ~(its_beat & ends)),
        done.eq(done | (its_beat & ends)),
        ahead.eq(its_ahead - ends),
        length.eq(its_length),
    ]
    with m.If(its_beat & wires["wready"]):
        m.d.sync += beat.eq(beat + 1)
    claims.claim(
        "the last beat of a burst is marked, and it alone (A3.2.1)",
        ~its_beat | (wires["wlast"] == (beat == its_length)),
    )


def _claim_soon(claims: Claims, name: str, asked: Value, given: Value, patience: int) -> None:
    """Claim that what is asked for is given in one of the next `patience` cycles."""
    late = Signal(range(patience + 2))
    claims.m.d.sync += late.eq(Mux(asked & ~given, late + (late <= patience), 0))
    claims.claim(name, late <= patience)


def _begins(claims: Claims, wires: _Wires) -> Value:
    """Return whether a burst to write is offered for the first time."""
    return wires["awvalid"] & ~claims.before(wires["awvalid"] & ~wires["awready"])


def _claim_channel(claims: Claims, wires: _Wires, channel: str) -> None:
    """Claim that what is offered stays offered, and the same, until it is taken."""
    valid, payload = wires[f"{channel}valid"], Cat(wires[name] for name in _PAYLOADS[channel])
    stalled = claims.before(valid & ~wires[f"{channel}ready"])
    claims.claim(f"{channel}valid stays until {channel}ready (A3.2.1)", ~stalled | valid)
    claims.claim(
        f"{channel} payload stays until {channel}ready (A3.2.1)", ~stalled | (payload == claims.before(payload))
    )


def _claim_bursts(claims: Claims, wires: _Wires, channel: str, beat_bytes: int, burst_beats: int) -> None:
    """Claim that bursts are whole beats, as long as they may be, and within a page."""
    offered, address, last = wires[f"{channel}valid"], wires[f"{channel}addr"], wires[f"{channel}len"]
    claims.claim(f"{channel}: whole beats", ~offered | ((1 << wires[f"{channel}size"]) == beat_bytes))
    claims.claim(f"{channel}: incrementing bursts", ~offered | (wires[f"{channel}burst"] == _INCREMENTING))
    claims.claim(f"{channel}: aligned to a beat", ~offered | (address % beat_bytes == 0))
    claims.claim(f"{channel}: no longer than a burst may be", ~offered | (last < burst_beats))
    end = address % _PAGE_BYTES + (last + 1) * beat_bytes
    claims.claim(f"{channel}: within 4 KiB (A3.4.1)", ~offered | (end <= _PAGE_BYTES))
