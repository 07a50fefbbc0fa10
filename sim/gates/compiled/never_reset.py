"""A component as it runs under a host: with a clock, no reset, and whatever it gives taken at once."""

from __future__ import annotations

from amaranth.hdl import ClockDomain, Module, Value
from amaranth.lib.wiring import Component, In, Out

from deltatrain.sim.gates.ports import Ports

__all__ = ["CLOCK", "NeverReset"]

CLOCK = "clk"


class NeverReset(Component):  # type: ignore[misc]  # Amaranth ships no types
    """Puts a component into a clock domain that is never reset; the ports are the clock and the component's, by name.

    Registers begin with their first values, as after a reset. A reset input would be a second way into every register:
    Verilator then works out all that depends on registers anew whenever any input may have changed, twice a cycle. The
    same holds for ``ready`` of streams out of the component, which a host keeps high: here it is a constant, no port.

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
