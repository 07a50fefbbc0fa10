"""Requests of several parts become one stream of moves, with the addresses that they have in memory."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.accel.bus.registers import BASES
from deltatrain.accel.engine import Engine
from deltatrain.rtl.bus.burst_splitter import Piece
from deltatrain.rtl.bus.channels import ADDRESS_BITS
from deltatrain.rtl.bus.words import COUNT_BITS, Kind, Move, forms

__all__ = ["PlacedMove", "Requests"]


class PlacedMove(data.StructLayout):
    """A move in memory: the ``kind`` and the number of its ``words``, and the ``piece`` that they are."""

    def __init__(self) -> None:
        super().__init__({"kind": Kind, "words": COUNT_BITS, "piece": Piece()})


class Requests(Component):
    """Takes requests, those of the first source first, and adds the base address of their kind.

        cycle  t               t + 1                t + 2
               a source is     base and bytes are   the move is offered;
               taken           added                the next source is taken

    Who asks sees a register: whether a source may be taken does not depend on who takes `moves`.

    Parameters
    ----------
    engine
        Lanes and formats.
    sources
        How many parts ask.

    Attributes
    ----------
    sources : In(stream.Signature(Move())).array(sources)
        What they ask; addresses count from the base of the kind.
    bases : In(unsigned(ADDRESS_BITS)).array(len(BASES))
        The base addresses, in the order of `Kind`; programs have none.
    moves : Out(stream.Signature(PlacedMove()))
        The same with addresses in memory.
    waiting : Out(1)
        Something was asked that has not been taken from `moves`.
    """

    def __init__(self, *, engine: Engine, sources: int) -> None:
        self._shifts = {kind: ceil_log2(form.bytes) for kind, form in forms(engine).items()}
        super().__init__(
            {
                "sources": In(stream.Signature(Move())).array(sources),
                "bases": In(ADDRESS_BITS).array(len(BASES)),
                "moves": Out(stream.Signature(PlacedMove())),
                "waiting": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Keep one request, then one move."""
        m = Module()
        asked, is_asked, goes = Signal(Move()), Signal(), Signal()
        m.d.comb += [
            goes.eq(is_asked & (~self.moves.valid | self.moves.ready)),
            self.waiting.eq(is_asked | self.moves.valid | _any(source.valid for source in self.sources)),
        ]
        with m.If(self.moves.ready | goes):
            m.d.sync += self.moves.valid.eq(goes)
        self._place(m, asked, goes)
        with m.If(~is_asked):
            m.d.sync += is_asked.eq(_any(source.valid for source in self.sources))
            self._choose(m, asked)
        with m.Elif(goes):
            m.d.sync += is_asked.eq(0)
        return m

    def _choose(self, m: Module, asked: data.View) -> None:
        """Take from the first source that asks."""
        for number, source in enumerate(self.sources):
            with m.If(source.valid) if number == 0 else m.Elif(source.valid):
                m.d.comb += source.ready.eq(1)
                m.d.sync += asked.eq(source.payload)

    def _place(self, m: Module, asked: data.View, goes: Signal) -> None:
        """Add base and length to the address."""
        bases = Array([*self.bases, *(0 for _ in range(len(Kind) - len(self.bases)))])
        address, size = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        m.d.comb += address.eq(asked.address + bases[asked.kind.as_value()])
        with m.Switch(asked.kind):
            for kind, shift in self._shifts.items():
                with m.Case(kind):
                    m.d.comb += size.eq(asked.words << shift)
        with m.If(goes):
            m.d.sync += [
                self.moves.payload.kind.eq(asked.kind),
                self.moves.payload.words.eq(asked.words),
                self.moves.payload.piece.address.eq(address),
                self.moves.payload.piece.end.eq(address + size),
            ]


def _any(bits: Any) -> Any:
    found: Any = 0
    for bit in bits:
        found = found | bit
    return found
