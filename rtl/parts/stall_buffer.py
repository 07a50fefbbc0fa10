"""A place beside a stream, so that a stall in front is not felt behind in the same cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ShapeLike, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

__all__ = ["StallBuffer"]


class StallBuffer(Component):
    """Hands items on in the cycle in which they come; what is not taken then waits in a register.

    There is no path from `o.ready` to `i.ready`.

    Parameters
    ----------
    shape
        Shape of an item.

    Attributes
    ----------
    i : In(stream.Signature(shape))
        What comes.
    o : Out(stream.Signature(shape))
        What goes.
    """

    def __init__(self, *, shape: ShapeLike) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        """Take an item while none waits; let the one that waits go first."""
        m = Module()
        waits, waiting = Signal(), Signal.like(self.i.payload)
        m.d.comb += [
            self.i.ready.eq(~waits),
            self.o.valid.eq(self.i.valid | waits),
            self.o.payload.eq(Mux(waits, waiting, self.i.payload)),
        ]
        m.d.sync += waits.eq(self.o.valid & ~self.o.ready)
        with m.If(~waits):
            m.d.sync += waiting.eq(self.i.payload)
        return m
