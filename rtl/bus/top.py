"""The core with clock and reset as AXI names them: the top of its Verilog."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetSignal
from amaranth.lib.wiring import Component, In

from deltatrain.accel.architecture import Architecture
from deltatrain.rtl.bus.core import Core
from deltatrain.rtl.commands.sizes import TileSizes

__all__ = ["Top"]


class Top(Component):
    """A `Core` in one clock domain.

    Parameters
    ----------
    architecture, cell, sizes
        Of the core.

    Attributes
    ----------
    core
        The core.
    aclk : In(1)
        All ports belong to it; its rising edge counts.
    aresetn : In(1)
        Low in at least one rising edge of ``aclk`` resets all but the tile's memories.
    ...
        The ports of `Core`.
    """

    def __init__(self, *, architecture: Architecture, cell: str, sizes: TileSizes) -> None:
        self.core = Core(architecture=architecture, cell=cell, sizes=sizes)
        super().__init__({"aclk": In(1), "aresetn": In(1), **self.core.signature.members})

    def elaborate(self, platform: object) -> Module:
        """Make the domain, and hand the ports through."""
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.core = self.core
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]
        for name, member in self.core.signature.members.items():
            inner, outer = getattr(self.core, name), getattr(self, name)
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        return m
