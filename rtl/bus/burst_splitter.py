"""Pieces of memory become bursts: as long as the bus allows, and within its boundaries."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.rtl.bus.channels import ADDRESS_BITS
from deltatrain.rtl.parts.arguments import check_at_least, check_power_of_two

__all__ = ["BurstSplitter", "Piece", "SplitBurst"]


class Piece(data.StructLayout):
    """Neighbouring bytes: the ``address`` of the first, and the ``end``, of the one behind the last."""

    def __init__(self) -> None:
        super().__init__({"address": ADDRESS_BITS, "end": ADDRESS_BITS})


class SplitBurst(data.StructLayout):
    """A burst of whole beats: the ``address`` of the first, how many ``beats``, whether it ``ends`` its piece."""

    def __init__(self, burst_beats: int) -> None:
        super().__init__({"address": ADDRESS_BITS, "beats": range(burst_beats + 1), "ends": 1})


class BurstSplitter(Component):
    """Cuts a piece of memory where it crosses a multiple of the longest burst.

    The longest burst has a power of two of bytes, 4 KiB at most, so no burst crosses a multiple of 4 KiB.

    Parameters
    ----------
    beat_bytes
        Bytes of a beat, a power of two.
    burst_beats
        Beats of the longest burst, a power of two.

    Attributes
    ----------
    pieces : In(stream.Signature(Piece()))
        At least one byte each.
    bursts : Out(stream.Signature(SplitBurst(burst_beats)))
        Their bursts, in order: all beats that hold a byte of the piece.
    idle : Out(1)
        No piece is being cut.
    """

    def __init__(self, *, beat_bytes: int, burst_beats: int) -> None:
        check_power_of_two("beat_bytes", beat_bytes)
        check_power_of_two("burst_beats", burst_beats)
        check_at_least("burst_beats", burst_beats, 2)
        self._offset_bits, self._burst_beats = ceil_log2(beat_bytes), burst_beats
        super().__init__(
            {
                "pieces": In(stream.Signature(Piece())),
                "bursts": Out(stream.Signature(SplitBurst(burst_beats))),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Keep the first beat that is not asked for, and how many are left."""
        m = Module()
        offset_bits, piece, burst = self._offset_bits, self.pieces.payload, self.bursts.payload
        beat, left = Signal(ADDRESS_BITS - offset_bits), Signal(ADDRESS_BITS - offset_bits)
        to_boundary = Signal(range(self._burst_beats + 1))
        last_beat = Signal.like(beat)
        m.d.comb += [
            self.idle.eq(left == 0),
            self.pieces.ready.eq(self.idle),
            self.bursts.valid.eq(~self.idle),
            to_boundary.eq(self._burst_beats - beat[: ceil_log2(self._burst_beats)]),
            burst.ends.eq(left <= to_boundary),
            burst.beats.eq(Mux(burst.ends, left, to_boundary)),
            burst.address.eq(beat << offset_bits),
            last_beat.eq((piece.end - 1)[offset_bits:ADDRESS_BITS]),
        ]
        with m.If(self.pieces.valid & self.pieces.ready):
            m.d.sync += [
                beat.eq(piece.address[offset_bits:]),
                left.eq(last_beat - piece.address[offset_bits:] + 1),
            ]
        with m.Elif(self.bursts.valid & self.bursts.ready):
            m.d.sync += [beat.eq(beat + burst.beats), left.eq(left - burst.beats)]
        return m
