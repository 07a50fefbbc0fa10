"""One stream for several consumers, each of which gets every item."""

from __future__ import annotations

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.parts.arguments import check_at_least

__all__ = ["Fork"]


class Fork(Component):
    """Offers an item to all consumers at once; it leaves in the cycle in which the last one takes it.

    Parameters
    ----------
    shape
        Shape of an item.
    outlets
        How many consumers there are.

    Attributes
    ----------
    i : In(stream.Signature(shape))
        The items.
    o : Out(stream.Signature(shape)).array(outlets)
        The same items.
    """

    def __init__(self, *, shape: ShapeLike, outlets: int) -> None:
        check_at_least("outlets", outlets, 1)
        self._outlets = outlets
        items = stream.Signature(shape)
        super().__init__({"i": In(items), "o": Out(items).array(outlets)})

    def elaborate(self, platform: object) -> Module:
        """Remember which consumers have taken the item in front."""
        m = Module()
        had, takes = Signal(self._outlets), Signal(self._outlets)
        m.d.comb += self.i.ready.eq((had | takes).all())
        m.d.sync += had.eq((had | takes) & ~self.i.ready.replicate(self._outlets))
        for number, outlet in enumerate(self.o):
            m.d.comb += [
                outlet.payload.eq(self.i.payload),
                outlet.valid.eq(self.i.valid & ~had[number]),
                takes[number].eq(outlet.valid & outlet.ready),
            ]
        return m
