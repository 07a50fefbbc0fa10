"""Who of those that want to be listed still has room, counted word by word."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.parts.layouts import INDEX_BITS

__all__ = ["RoomCount"]


class RoomCount(Component):
    """Takes the words of a vector one by one, and gives room to the lowest elements that want it.

    Parameters
    ----------
    elements
        Of a word.

    Attributes
    ----------
    valid, first, room : In(1), In(1), In(unsigned(INDEX_BITS))
        Whether a word is there, whether it is the first of its vector, and how many elements that has room for.
    wants : In(unsigned(elements))
        Which elements want some.
    has : Out(unsigned(elements))
        Which get it, in the same cycle.
    left : Out(unsigned(INDEX_BITS))
        What is left behind the word, in the same cycle.
    """

    def __init__(self, *, elements: int) -> None:
        super().__init__(
            {
                "valid": In(1),
                "first": In(1),
                "room": In(INDEX_BITS),
                "wants": In(elements),
                "has": Out(elements),
                "left": Out(INDEX_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Compare what is left with how many want it before each element."""
        m = Module()
        kept, now = Signal(INDEX_BITS), Signal(INDEX_BITS)
        m.d.comb += [now.eq(Mux(self.first, self.room, kept)), self.left.eq(now - _count(list(self.has)))]
        for k in range(len(self.wants)):
            m.d.comb += self.has[k].eq(self.wants[k] & (_count(list(self.wants[:k])) < now))
        with m.If(self.valid):
            m.d.sync += kept.eq(self.left)
        return m


def _count(bits: list[Value]) -> Value | int:
    """Return how many bits are set, by a tree of adders."""
    sums: list[Value] = bits
    while len(sums) > 1:
        sums = [one + other for one, other in zip(sums[::2], sums[1::2], strict=False)] + sums[len(sums) & ~1 :]
    return sums[0] if sums else 0
