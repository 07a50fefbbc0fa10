"""The program is read from memory, ahead of its commands."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.bus.program_format import WORD_BYTES
from deltatrain.rtl.bus.channels import ADDRESS_BITS
from deltatrain.rtl.bus.words import Kind, Move

__all__ = ["ProgramReader"]

_AHEAD_WORDS = 64
"""Words of the program that are on their way or wait."""

_REQUEST_WORDS = 32
"""Most words that are asked for at once; half of those ahead, so that one half comes while the other is used."""


class ProgramReader(Component):
    """Asks for words as long as there is room for them, and hands them out in order.

    Attributes
    ----------
    runs : In(1)
        Whether to ask. The program begins in the first cycle after reset in which it is high.
    address, size : In(unsigned(ADDRESS_BITS))
        First byte of the program, and its bytes; held while it runs.
    requests : Out(stream.Signature(Move()))
        What to read.
    valid : In(1), word : In(64)
        A word that was read.
    words : Out(stream.Signature(64))
        The program.
    word_address : Out(unsigned(ADDRESS_BITS))
        Where the word in front was.
    ends : Out(1)
        All words have been taken.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "runs": In(1),
                "address": In(ADDRESS_BITS),
                "size": In(ADDRESS_BITS),
                "requests": Out(stream.Signature(Move())),
                "valid": In(1),
                "word": In(8 * WORD_BYTES),
                "words": Out(stream.Signature(8 * WORD_BYTES)),
                "word_address": Out(ADDRESS_BITS),
                "ends": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count the words that were asked for, and those that were taken."""
        m = Module()
        m.submodules.queue = queue = SyncFIFOBuffered(width=8 * WORD_BYTES, depth=_AHEAD_WORDS)
        asked, taken, left, wanted = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS), Signal(ADDRESS_BITS), Signal(8)
        request, takes = self.requests, Signal()
        m.d.comb += [
            left.eq(self.size - asked),
            wanted.eq(Mux(left >= _REQUEST_WORDS * WORD_BYTES, _REQUEST_WORDS, left[WORD_BYTES.bit_length() - 1 :])),
            request.valid.eq(
                self.runs & (left != 0) & ((asked - taken) <= (_AHEAD_WORDS - _REQUEST_WORDS) * WORD_BYTES)
            ),
            request.payload.kind.eq(Kind.PROGRAM),
            request.payload.address.eq(self.address + asked),
            request.payload.words.eq(wanted),
            queue.w_en.eq(self.valid),
            queue.w_data.eq(self.word),
            self.words.payload.eq(queue.r_data),
            self.words.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.words.ready),
            takes.eq(self.words.valid & self.words.ready),
            self.word_address.eq(self.address + taken),
            self.ends.eq(taken == self.size),
        ]
        with m.If(request.valid & request.ready):
            m.d.sync += asked.eq(asked + wanted * WORD_BYTES)
        with m.If(takes):
            m.d.sync += taken.eq(taken + WORD_BYTES)
        return m
