"""Reads from the memory: moves become bursts, several on their way, and their beats become words."""

from __future__ import annotations

from amaranth.hdl import Module, Shape, Signal
from amaranth.lib import stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Engine
from deltatrain.rtl.bus.beats_to_words import Awaited, BeatsToWords
from deltatrain.rtl.bus.burst_splitter import BurstSplitter
from deltatrain.rtl.bus.channels import ADDRESS_BITS, OKAY, MemoryPort
from deltatrain.rtl.bus.requests import PlacedMove
from deltatrain.rtl.bus.words import forms

__all__ = ["MemoryReader"]


class MemoryReader(Component):
    """Asks for bursts ahead of their beats. All words have a place, so it takes beats as fast as words can be made.

    Parameters
    ----------
    engine
        Lanes and formats.
    beat_bytes, burst_beats
        Of the bus.
    outstanding
        Most bursts, and moves, on their way.

    Attributes
    ----------
    moves : In(stream.Signature(PlacedMove()))
        What to read.
    stops : In(1)
        While high no move is taken; those that were taken come to their end.
    idle : Out(1)
        Nothing is on its way.
    error : Out(1), error_address : Out(unsigned(ADDRESS_BITS))
        High in a cycle in which a beat tells an error, and the address of its burst.
    reads, read_beats
        See `rtl.bus.channels.MemoryPort`.
    WEIGHTS_valid, WEIGHTS_word, ...
        The words by kind in lower case, see `rtl.bus.beats_to_words`.
    """

    def __init__(self, *, engine: Engine, beat_bytes: int, burst_beats: int, outstanding: int) -> None:
        self._splitter = BurstSplitter(beat_bytes=beat_bytes, burst_beats=burst_beats)
        self._words = BeatsToWords(forms=forms(engine), beat_bytes=beat_bytes)
        self._beat_bytes, self._outstanding = beat_bytes, outstanding
        port, words = MemoryPort(beat_bytes).members, self._words.signature.members
        self._word_names = [name for name in words if name.endswith(("_valid", "_word"))]
        super().__init__(
            {
                "moves": In(stream.Signature(PlacedMove())),
                "stops": In(1),
                "idle": Out(1),
                "error": Out(1),
                "error_address": Out(ADDRESS_BITS),
                "reads": port["reads"],
                "read_beats": port["read_beats"],
                **{name: words[name] for name in self._word_names},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Split, ask, remember what was asked."""
        m = Module()
        m.submodules.splitter = splitter = self._splitter
        m.submodules.words = words = self._words
        awaited = SyncFIFO(width=Awaited(self._beat_bytes).size, depth=self._outstanding)
        m.submodules.awaited = awaited
        move, item = self.moves.payload, Signal(Awaited(self._beat_bytes))
        takes = Signal()
        m.d.comb += [
            splitter.pieces.valid.eq(self.moves.valid & awaited.w_rdy & ~self.stops),
            self.moves.ready.eq(splitter.pieces.ready & awaited.w_rdy & ~self.stops),
            splitter.pieces.payload.eq(move.piece),
            takes.eq(self.moves.valid & self.moves.ready),
            item.kind.eq(move.kind),
            item.words.eq(move.words),
            item.offset.eq(move.piece.address[: ceil_log2(self._beat_bytes)]),
            awaited.w_data.eq(item),
            awaited.w_en.eq(takes),
            words.awaited.payload.as_value().eq(awaited.r_data),
            words.awaited.valid.eq(awaited.r_rdy),
            awaited.r_en.eq(words.awaited.ready),
            *(getattr(self, name).eq(getattr(words, name)) for name in self._word_names),
            self.idle.eq(splitter.idle & ~awaited.r_rdy & words.idle & ~self.reads.valid),
        ]
        self._ask(m, splitter)
        return m

    def _ask(self, m: Module, splitter: BurstSplitter) -> None:
        """Offer the next burst, and keep its address until its last beat."""
        m.submodules.asked = asked = SyncFIFO(width=Shape.cast(ADDRESS_BITS).width, depth=self._outstanding)
        burst, beats, words = splitter.bursts.payload, self.read_beats, self._words
        m.d.comb += [
            splitter.bursts.ready.eq(asked.w_rdy & (~self.reads.valid | self.reads.ready)),
            asked.w_data.eq(burst.address),
            asked.w_en.eq(splitter.bursts.valid & splitter.bursts.ready),
            words.beats.payload.eq(beats.payload.bytes),
            words.beats.valid.eq(beats.valid),
            beats.ready.eq(words.beats.ready),
            asked.r_en.eq(beats.valid & beats.ready & beats.payload.last),
            self.error.eq(beats.valid & beats.ready & (beats.payload.response != OKAY)),
            self.error_address.eq(asked.r_data),
        ]
        with m.If(~self.reads.valid | self.reads.ready):
            m.d.sync += [
                self.reads.valid.eq(asked.w_en),
                self.reads.payload.address.eq(burst.address),
                self.reads.payload.last.eq(burst.beats - 1),
            ]
