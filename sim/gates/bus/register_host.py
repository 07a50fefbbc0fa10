"""A host's reads and writes of registers, one after the other, on AXI4-Lite."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, Flow, In, Out, Signature

from deltatrain.accel.bus.register import REGISTER_BITS, REGISTER_BYTES
from deltatrain.accel.bus.registers import ADDRESS_BITS

__all__ = ["Access", "Answer", "RegisterHost", "axi_lite"]


def axi_lite() -> dict[str, tuple[Flow, int]]:
    """Return the wires of an AXI4-Lite port: direction as the manager sees it, and width."""
    wires: dict[str, tuple[Flow, int]] = {}
    for channel in ("aw", "ar"):
        wires |= {f"{channel}addr": (Out, ADDRESS_BITS), f"{channel}valid": (Out, 1), f"{channel}ready": (In, 1)}
    wires |= {"wdata": (Out, REGISTER_BITS), "wstrb": (Out, REGISTER_BYTES), "wvalid": (Out, 1), "wready": (In, 1)}
    wires |= {"bresp": (In, 2), "bvalid": (In, 1), "bready": (Out, 1)}
    wires |= {"rdata": (In, REGISTER_BITS), "rresp": (In, 2), "rvalid": (In, 1), "rready": (Out, 1)}
    return wires


class Access(data.StructLayout):  # type: ignore[misc]  # Amaranth ships no types
    """What to do: whether it ``writes``, the ``address``, and the ``value`` to write."""

    def __init__(self) -> None:
        super().__init__({"writes": 1, "address": ADDRESS_BITS, "value": REGISTER_BITS})


class Answer(data.StructLayout):  # type: ignore[misc]
    """The ``response`` of the bus, 0 if all is well, and the ``value`` that was read."""

    def __init__(self) -> None:
        super().__init__({"response": 2, "value": REGISTER_BITS})


class RegisterHost(Component):  # type: ignore[misc]
    """Does one access after the other.

    Attributes
    ----------
    accesses : In(stream.Signature(Access()))
        What to do; taken when it is done.
    answers : Out(stream.Signature(Answer()))
        What came of each.
    bus : Out(Signature)
        The wires of `axi_lite`.
    """

    def __init__(self) -> None:
        wires = {name: flow(width) for name, (flow, width) in axi_lite().items()}
        super().__init__(
            {
                "accesses": In(stream.Signature(Access())),
                "answers": Out(stream.Signature(Answer())),
                "bus": Out(Signature(wires)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Offer address and value at once, and wait for the response."""
        m = Module()
        bus: Any = self.bus
        access, answer = self.accesses.payload, self.answers.payload
        m.d.comb += [
            bus.awaddr.eq(access.address),
            bus.araddr.eq(access.address),
            bus.wdata.eq(access.value),
            bus.wstrb.eq((1 << REGISTER_BYTES) - 1),
        ]
        with m.FSM():
            with m.State("IDLE"), m.If(self.accesses.valid):
                m.d.sync += [
                    bus.awvalid.eq(access.writes),
                    bus.wvalid.eq(access.writes),
                    bus.arvalid.eq(~access.writes),
                ]
                m.d.sync += [bus.bready.eq(access.writes), bus.rready.eq(~access.writes)]
                m.next = "WAIT"
            with m.State("WAIT"):
                for channel in ("aw", "w", "ar"):
                    with m.If(getattr(bus, f"{channel}ready")):
                        m.d.sync += getattr(bus, f"{channel}valid").eq(0)
                with m.If((bus.bvalid & bus.bready) | (bus.rvalid & bus.rready)):
                    m.d.sync += [bus.bready.eq(0), bus.rready.eq(0), answer.value.eq(bus.rdata)]
                    with m.If(access.writes):
                        m.d.sync += answer.response.eq(bus.bresp)
                    with m.Else():
                        m.d.sync += answer.response.eq(bus.rresp)
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += [self.answers.valid.eq(1), self.accesses.ready.eq(self.answers.ready)]
                with m.If(self.answers.ready):
                    m.next = "IDLE"
        return m
