"""A matrix memory of the tile, whole, to and from the memory on the bus."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, Signature

from deltatrain.rtl.bus.words import Move
from deltatrain.rtl.parts.arguments import check_at_least

__all__ = ["LocalMatrix"]


class LocalMatrix(Component):
    """Loads, saves or clears all words of a local memory of W or of dW. No op may run meanwhile.

    Parameters
    ----------
    kind
        Whether it is of W or of dW.
    port
        The host's access, see `rtl.engine.matrix_store.HostPort`.
    words
        Words of the memory.

    Attributes
    ----------
    loads, saves, clears : In(1)
        What to do; one of them, held until `done`, and low for a cycle before the next.
    done : Out(1)
        It is done.
    reads, writes : Out(stream.Signature(Move()))
        What to read from the memory on the bus, or to write to it.
    valid : In(1), word : In(word)
        A word that was read.
    saved : Out(stream.Signature(word))
        The words to write.
    written : In(1)
        The memory has taken all of them.
    host : In(port)
        To the memory in the tile.
    """

    def __init__(self, *, kind: Any, port: Signature, words: int) -> None:
        check_at_least("words", words, 2)
        self._kind, self._words = kind, words
        word = port.members["host_words"].signature.members["payload"].shape
        self._bits = word.size
        super().__init__(
            {
                **dict.fromkeys(("loads", "saves", "clears"), In(1)),
                "done": Out(1),
                "reads": Out(stream.Signature(Move())),
                "writes": Out(stream.Signature(Move())),
                "valid": In(1),
                "word": In(self._bits),
                "saved": Out(stream.Signature(self._bits)),
                "written": In(1),
                "host": In(port),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Ask once, and count the words."""
        m = Module()
        number, asked, host = Signal(range(self._words + 1)), Signal(), self.host
        stores, advances, all_passed, ended = Signal(), Signal(), Signal(), Signal()
        write = host.host_writes
        m.d.comb += [
            all_passed.eq(number == self._words),
            self.reads.valid.eq(self.loads & ~asked),
            self.writes.valid.eq(self.saves & ~asked),
            stores.eq((self.loads & self.valid) | (self.clears & ~all_passed)),
            write.valid.eq(stores),
            write.payload.address.eq(number),
            write.payload.word.as_value().eq(Mux(self.clears, 0, self.word)),
            host.host_addresses.valid.eq(self.saves & ~all_passed),
            host.host_addresses.payload.eq(number),
            self.saved.payload.eq(host.host_words.payload),
            self.saved.valid.eq(host.host_words.valid),
            host.host_words.ready.eq(self.saved.ready),
            advances.eq(stores | (host.host_addresses.valid & host.host_addresses.ready)),
            self.done.eq(Mux(self.saves, ended, all_passed)),
        ]
        for request in (self.reads, self.writes):
            m.d.comb += [request.payload.kind.eq(self._kind), request.payload.words.eq(self._words)]
        m.d.sync += [
            asked.eq(asked | (self.reads.valid & self.reads.ready) | (self.writes.valid & self.writes.ready)),
            ended.eq(ended | self.written),
        ]
        with m.If(advances):
            m.d.sync += number.eq(number + 1)
        with m.If(~(self.loads | self.saves | self.clears)):
            m.d.sync += [number.eq(0), asked.eq(0), ended.eq(0)]
        return m
