"""Ops that may begin to fetch: noted in registers, so that nobody waits in one cycle for who waits for whom."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.parts.registered_queue import RegisteredQueue

__all__ = ["Permits"]


class Permits(Component):
    """Notes in each cycle that one more op may begin, at most two ahead, for `accel.column_fetch.ASK_CYCLES` later.

    Attributes
    ----------
    may_begin : In(1)
        Whether the next op may begin.
    noted : Out(1)
        That is noted; from the next cycle on `may_begin` is about the op after it.
    may_begin_now : Out(1)
        Whether the oldest op that has not begun may begin.
    begins : In(1)
        It does; only while it may.
    """

    def __init__(self) -> None:
        super().__init__({"may_begin": In(1), "noted": Out(1), "may_begin_now": Out(1), "begins": In(1)})

    def elaborate(self, platform: object) -> Module:
        """Connect a queue of nothing but items."""
        m = Module()
        m.submodules.noted = noted = RegisteredQueue(shape=1, depth=2)
        m.d.comb += [
            noted.i.valid.eq(self.may_begin),
            self.noted.eq(self.may_begin & noted.i.ready),
            self.may_begin_now.eq(noted.o.valid),
            noted.o.ready.eq(self.begins),
        ]
        return m
