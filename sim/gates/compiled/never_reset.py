"""A component as it runs after power-up: with a clock and no reset."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, Module
from amaranth.lib.wiring import Component, In

__all__ = ["CLOCK", "NeverReset"]

CLOCK = "clk"


class NeverReset(Component):  # type: ignore[misc]  # Amaranth ships no types
    """Puts a component into a clock domain that is never reset; the ports are the component's, and the clock.

    Registers begin with their first values, as after a reset. A reset input would be a second way into every register:
    Verilator then works out all that depends on registers anew whenever any input may have changed, twice a cycle.

    Parameters
    ----------
    component
        The gates.

    Attributes
    ----------
    clk : In(1)
        The clock.
    """

    def __init__(self, component: Component) -> None:
        self._component = component
        super().__init__({CLOCK: In(1), **dict(component.signature.members)})

    def elaborate(self, platform: object) -> Module:
        """Connect clock and ports."""
        m = Module()
        m.domains.sync = domain = ClockDomain(reset_less=True)
        m.d.comb += domain.clk.eq(self.clk)
        m.submodules.gates = component = self._component
        for path, member, inner in component.signature.flatten(component):
            outer = self
            for name in path:
                outer = outer[name] if isinstance(name, int) else getattr(outer, name)
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        return m
