"""A machine on its bus, with a memory and a host: a design of its own that a simulation can let run."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.sim.gates.bus.axi_memory import AxiMemory, axi
from deltatrain.sim.gates.bus.register_host import RegisterHost, axi_lite

__all__ = ["System"]


class System(Component):  # type: ignore[misc]  # Amaranth ships no types
    """Joins a machine by the names of its wires.

    Parameters
    ----------
    machine
        A component with the wires ``m_axi_...`` (`axi`), ``s_axi_...`` (`axi_lite`), ``m_axis_...`` and ``irq``.
    data_bytes
        Bytes of a beat of its memory.
    beats
        Beats that the memory holds, a power of two.

    Attributes
    ----------
    data_bytes, beats
        As given.
    accesses, answers
        The registers, see `RegisterHost`.
    host_writes, host_addresses, host_words, stalls, breaks_rule
        The memory, see `AxiMemory`.
    result_asks : In(stream.Signature(1))
        Each item asks for a packet of results, and is taken with its end.
    results : Out(stream.Signature(unsigned))
        What came: bytes, and above them whether they end their packet.
    interrupts : Out(1)
        The machine's.
    """

    def __init__(self, machine: Any, *, data_bytes: int, beats: int) -> None:
        self._machine, self.data_bytes, self.beats = machine, data_bytes, beats
        self._memory, self._host = AxiMemory(data_bytes=data_bytes, beats=beats), RegisterHost()
        memory, host = self._memory.signature.members, self._host.signature.members
        super().__init__(
            {
                "accesses": host["accesses"],
                "answers": host["answers"],
                **{name: memory[name] for name in ("host_writes", "host_addresses", "host_words")},
                "stalls": In(8),
                "breaks_rule": Out(1),
                "result_asks": In(stream.Signature(1)),
                "results": Out(stream.Signature(unsigned(len(machine.m_axis_tdata) + 1))),
                "interrupts": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect wire by wire."""
        m = Module()
        m.submodules.machine, m.submodules.memory, m.submodules.host = self._machine, self._memory, self._host
        for name, (flow, _) in axi(self.data_bytes).items():
            _join(m, getattr(self._machine, f"m_axi_{name}"), getattr(self._memory.bus, name), drives=flow == Out)
        for name, (flow, _) in axi_lite().items():
            _join(m, getattr(self._machine, f"s_axi_{name}"), getattr(self._host.bus, name), drives=flow == In)
        connect(m, flipped(self.accesses), self._host.accesses)
        connect(m, self._host.answers, flipped(self.answers))
        connect(m, flipped(self.host_writes), self._memory.host_writes)
        connect(m, flipped(self.host_addresses), self._memory.host_addresses)
        connect(m, self._memory.host_words, flipped(self.host_words))
        m.d.comb += [
            self._memory.stalls.eq(self.stalls),
            self.breaks_rule.eq(self._memory.breaks_rule),
            self.interrupts.eq(self._machine.irq),
        ]
        self._take_results(m)
        return m

    def _take_results(self, m: Module) -> None:
        """Let the packets that are asked for pass."""
        machine, asks, results = self._machine, self.result_asks, self.results
        passes = Cat(machine.m_axis_tvalid, asks.valid, results.ready).all()
        m.d.comb += [
            results.valid.eq(machine.m_axis_tvalid & asks.valid),
            results.payload.eq(Cat(machine.m_axis_tdata, machine.m_axis_tlast)),
            machine.m_axis_tready.eq(asks.valid & results.ready),
            asks.ready.eq(passes & machine.m_axis_tlast),
        ]


def _join(m: Module, of_machine: Any, other: Any, *, drives: bool) -> None:
    """Connect a wire, which the machine drives or not."""
    m.d.comb += other.eq(of_machine) if drives else of_machine.eq(other)
