"""A small AXI4 master that keeps to the rules, for the claims to be tried at."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

__all__ = ["SmallMaster"]

_CHANNEL = {"addr": 14, "len": 8, "size": 3, "burst": 2, "valid": 1}


class SmallMaster(Component):
    """Writes zeros to pieces of memory, or reads them, burst by burst, each within a multiple of the longest burst.

    Attributes
    ----------
    start, beat, beats : In
        Begins a piece of `beats` beats, from number `beat` of the memory on, if the piece before is done.
    m_axi_*
        Wires of AXI4: those of addresses are ``aw`` where it writes and ``ar`` where it reads.
    """

    def __init__(self, *, channel: str, beat_bytes: int, burst_beats: int, outstanding: int) -> None:
        self._channel, self._beat_bytes, self._burst_beats = channel, beat_bytes, burst_beats
        self._outstanding = outstanding
        beat_bits = _CHANNEL["addr"] - ceil_log2(beat_bytes)
        wires = {f"{channel}{name}": Out(bits) for name, bits in _CHANNEL.items()} | {f"{channel}ready": In(1)}
        if channel == "aw":
            wires |= {"wdata": Out(8), "wstrb": Out(1), "wlast": Out(1), "wvalid": Out(1), "wready": In(1)}
            wires |= {"bresp": In(2), "bvalid": In(1), "bready": Out(1)}
        else:
            wires |= {"rdata": In(8), "rresp": In(2), "rlast": In(1), "rvalid": In(1), "rready": Out(1)}
        members = {"start": In(1), "beat": In(beat_bits), "beats": In(beat_bits)}
        super().__init__(members | {f"m_axi_{name}": member for name, member in wires.items()})

    def elaborate(self, platform: object) -> Module:
        """Offer one burst after the other; where they are written, send the beats of each before the next."""
        m = Module()
        valid, ready, address, last, size, burst = (
            getattr(self, f"m_axi_{self._channel}{name}") for name in ("valid", "ready", "addr", "len", "size", "burst")
        )
        place, left, to_boundary = Signal.like(self.beat), Signal.like(self.beats), Signal(range(self._burst_beats + 1))
        beats, begins, unanswered = Signal.like(left), Signal(), Signal(range(self._outstanding + 1))
        unsent, answered = Signal(range(self._burst_beats + 1)), Signal()
        m.d.comb += [
            to_boundary.eq(self._burst_beats - place % self._burst_beats),
            beats.eq(Mux(left < to_boundary, left, to_boundary)),
            begins.eq((left != 0) & (~valid | ready) & (unsent == 0) & (unanswered != self._outstanding)),
            size.eq(ceil_log2(self._beat_bytes)),
            burst.eq(1),
        ]
        with m.If(begins):
            m.d.sync += [
                address.eq(place * self._beat_bytes),
                last.eq(beats - 1),
                place.eq(place + beats),
                left.eq(left - beats),
            ]
        with m.Elif(self.start & (left == 0)):
            m.d.sync += [place.eq(self.beat), left.eq(self.beats)]
        m.d.sync += [valid.eq(begins | (valid & ~ready)), unanswered.eq(unanswered + begins - answered)]
        if self._channel == "aw":
            self._send(m, begins, beats, unsent, answered)
        else:
            m.d.comb += [self.m_axi_rready.eq(1), answered.eq(self.m_axi_rvalid & self.m_axi_rlast)]
        return m

    def _send(self, m: Module, begins: Signal, beats: Signal, unsent: Signal, answered: Signal) -> None:
        """Send the beats of the burst that was begun last, and take responses."""
        m.d.comb += [
            self.m_axi_wvalid.eq(unsent != 0),
            self.m_axi_wlast.eq(unsent == 1),
            self.m_axi_bready.eq(1),
            answered.eq(self.m_axi_bvalid),
        ]
        m.d.sync += unsent.eq(Mux(begins, beats, unsent - (self.m_axi_wvalid & self.m_axi_wready)))
