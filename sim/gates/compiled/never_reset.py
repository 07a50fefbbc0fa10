"""A component as a host runs it: with a clock, without a reset, all its outputs taken at once."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, Module, Value
from amaranth.lib.wiring import Component, In, Out

from deltatrain.sim.gates.ports import Ports

__all__ = ["CLOCK", "NeverReset"]

CLOCK = "clk"


class NeverReset(Component):  # type: ignore[misc]  # Amaranth ships no types
    """Puts a component into a clock domain that is never reset; the ports are the clock and the component's, by name.

    Registers begin with their initial values, as after a reset. With a reset input, Verilator would evaluate everything
    that depends on a register twice a cycle, because any input might have changed it. The same holds for ``ready`` of
    the streams out of the component. A host keeps it high, so here it is a constant and not a port.

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
        self._always_ready = {stream.ready.name for stream in Ports.of(component).sinks.values()}
        members = {CLOCK: In(1)}
        for path, member, value in component.signature.flatten(component):
            if (name := "__".join(map(str, path))) not in self._always_ready:
                members[name] = (In if member.flow == In else Out)(Value.cast(value).shape())
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Connect clock and ports."""
        m = Module()
        m.domains.sync = domain = ClockDomain(reset_less=True)
        m.d.comb += domain.clk.eq(self.clk)
        m.submodules.gates = component = self._component
        for path, member, inner in component.signature.flatten(component):
            name = "__".join(map(str, path))
            if name in self._always_ready:
                m.d.comb += Value.cast(inner).eq(1)
                continue
            outer = getattr(self, name)
            m.d.comb += Value.cast(inner).eq(outer) if member.flow == In else outer.eq(inner)
        return m
