"""Writes to the memory: words become beats, and a burst is asked for when all its beats are there."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.fifo import SyncFIFO, SyncFIFOBuffered
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Engine
from deltatrain.rtl.bus.beats_to_words import Awaited
from deltatrain.rtl.bus.burst_splitter import BurstSplitter
from deltatrain.rtl.bus.channels import ADDRESS_BITS, OKAY, MemoryPort
from deltatrain.rtl.bus.pending_writes import PendingWrites
from deltatrain.rtl.bus.requests import PlacedMove
from deltatrain.rtl.bus.words import COUNT_BITS, Kind, forms
from deltatrain.rtl.bus.words_to_beats import StrobedBeat, WordsToBeats

__all__ = ["WRITTEN_KINDS", "MemoryWriter", "Written"]

WRITTEN_KINDS: tuple[Any, ...] = (Kind.WEIGHTS, Kind.GRADIENTS, Kind.TAPE)
"""What is written."""


class Written(data.StructLayout):
    """A move that the memory has taken: ``valid`` for a cycle, its ``kind`` and how many ``words`` it had."""

    def __init__(self) -> None:
        super().__init__({"valid": 1, "kind": Kind, "words": COUNT_BITS})


class MemoryWriter(Component):
    """Never lets the memory wait for a beat: bursts are asked for when their beats wait in a queue.

    Parameters
    ----------
    engine
        Lanes and formats.
    beat_bytes, burst_beats
        Of the bus; bursts to write may be shorter than bursts to read.
    outstanding
        Most bursts without a response.
    moves
        Most moves without their last response, a power of two.

    Attributes
    ----------
    moves : In(stream.Signature(PlacedMove()))
        What to write.
    weights, gradients, tape
        The words of each kind, in the order of their moves.
    stops : In(1)
        While high no burst is begun; those that were begun come to their end.
    idle : Out(1)
        No burst has begun without having its response.
    done : Out(1)
        Nothing waits to be written.
    written : Out(Written())
        What the memory has taken.
    read, overlaps
        See `rtl.bus.pending_writes`.
    error : Out(1), error_address : Out(unsigned(ADDRESS_BITS))
        High in a cycle in which a response tells an error, and the address of its burst.
    writes, write_beats, responses
        See `rtl.bus.channels.MemoryPort`.
    """

    def __init__(self, *, engine: Engine, beat_bytes: int, burst_beats: int, outstanding: int, moves: int) -> None:
        found = forms(engine)
        written = {kind: found[kind] for kind in WRITTEN_KINDS}
        self._beats = WordsToBeats(forms=written, beat_bytes=beat_bytes)
        self._pending = PendingWrites(depth=moves)
        self._splitter = BurstSplitter(beat_bytes=beat_bytes, burst_beats=burst_beats)
        self._beat_bytes, self._burst_beats, self._outstanding = beat_bytes, burst_beats, outstanding
        self._names = [kind.name.lower() for kind in WRITTEN_KINDS]
        port, pending = MemoryPort(beat_bytes).members, self._pending.signature.members
        super().__init__(
            {
                "moves": In(stream.Signature(PlacedMove())),
                **{name: self._beats.signature.members[name] for name in self._names},
                "stops": In(1),
                "idle": Out(1),
                "done": Out(1),
                "written": Out(Written()),
                "read": pending["read"],
                "overlaps": pending["overlaps"],
                "error": Out(1),
                "error_address": Out(ADDRESS_BITS),
                **{name: port[name] for name in ("writes", "write_beats", "responses")},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Split moves into bursts and words into beats; hand out beats of bursts that were begun."""
        m = Module()
        m.submodules.to_beats = to_beats = self._beats
        m.submodules.splitter = splitter = self._splitter
        m.submodules.pending = pending = self._pending
        m.submodules.beats = beats = SyncFIFOBuffered(
            width=StrobedBeat(self._beat_bytes).size, depth=2 * self._burst_beats
        )
        move, takes = self.moves.payload, Signal()
        m.submodules.gathered = gathered = SyncFIFO(width=Awaited(self._beat_bytes).size, depth=2)
        item = Signal(Awaited(self._beat_bytes))
        for name in self._names:
            connect(m, flipped(getattr(self, name)), getattr(to_beats, name))
        m.d.comb += [
            takes.eq(self.moves.valid & splitter.pieces.ready & pending.moves.ready & gathered.w_rdy & ~self.stops),
            self.moves.ready.eq(takes),
            splitter.pieces.valid.eq(takes),
            splitter.pieces.payload.eq(move.piece),
            pending.moves.valid.eq(takes),
            pending.moves.payload.eq(move),
            item.kind.eq(move.kind),
            item.words.eq(move.words),
            item.offset.eq(move.piece.address[: ceil_log2(self._beat_bytes)]),
            gathered.w_data.eq(item),
            gathered.w_en.eq(takes),
            to_beats.moves.payload.as_value().eq(gathered.r_data),
            to_beats.moves.valid.eq(gathered.r_rdy),
            gathered.r_en.eq(to_beats.moves.ready),
            beats.w_data.eq(to_beats.beats.payload),
            beats.w_en.eq(to_beats.beats.valid),
            to_beats.beats.ready.eq(beats.w_rdy),
            pending.read.eq(self.read),
            self.overlaps.eq(pending.overlaps),
            self.done.eq(~pending.any),
        ]
        self._confirm(m, pending, self._begin(m, splitter, beats))
        return m

    def _begin(self, m: Module, splitter: BurstSplitter, beats: SyncFIFOBuffered) -> SyncFIFO:
        """Begin a burst when its beats are there; return the queue of bursts without a response."""
        burst, left, begins = splitter.bursts.payload, Signal(range(self._burst_beats + 1)), Signal()
        entry = data.StructLayout({"address": ADDRESS_BITS, "ends": 1})
        m.submodules.asked = asked = SyncFIFO(width=entry.size, depth=self._outstanding)
        item, beat = Signal(entry), Signal(StrobedBeat(self._beat_bytes))
        goes = Signal()
        m.d.comb += [
            begins.eq(
                splitter.bursts.valid
                & (left == 0)
                & (beats.level >= burst.beats)
                & (~self.writes.valid | self.writes.ready)
                & asked.w_rdy
                & ~self.stops
            ),
            splitter.bursts.ready.eq(begins),
            item.address.eq(burst.address),
            item.ends.eq(burst.ends),
            asked.w_data.eq(item),
            asked.w_en.eq(begins),
            beat.as_value().eq(beats.r_data),
            self.write_beats.valid.eq(left != 0),
            self.write_beats.payload.bytes.eq(beat.bytes),
            self.write_beats.payload.strobes.eq(beat.strobes),
            self.write_beats.payload.last.eq(left == 1),
            goes.eq(self.write_beats.valid & self.write_beats.ready),
            beats.r_en.eq(goes),
            self.idle.eq((left == 0) & ~self.writes.valid & ~asked.r_rdy),
        ]
        m.d.sync += left.eq(Mux(begins, burst.beats, left - goes))
        with m.If(~self.writes.valid | self.writes.ready):
            m.d.sync += [
                self.writes.valid.eq(begins),
                self.writes.payload.address.eq(burst.address),
                self.writes.payload.last.eq(burst.beats - 1),
            ]
        return asked

    def _confirm(self, m: Module, pending: PendingWrites, asked: SyncFIFO) -> None:
        """Take responses, and tell with the last one of a move that it is written."""
        answered, ends = Signal(), Signal()
        m.d.comb += [
            self.responses.ready.eq(1),
            answered.eq(self.responses.valid),
            asked.r_en.eq(answered),
            ends.eq(answered & asked.r_data[ADDRESS_BITS]),
            pending.ends.eq(ends),
            self.error.eq(answered & (self.responses.payload != OKAY)),
            self.error_address.eq(asked.r_data[:ADDRESS_BITS]),
        ]
        m.d.sync += [
            self.written.valid.eq(ends),
            self.written.kind.eq(pending.oldest.kind),
            self.written.words.eq(pending.oldest.words),
        ]
