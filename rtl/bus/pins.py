"""The wires of AXI ports, by the names from which tools infer the interface."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib.wiring import In, Member, Out
from amaranth.utils import ceil_log2

from deltatrain.accel.bus.register import REGISTER_BITS, REGISTER_BYTES
from deltatrain.accel.bus.registers import ADDRESS_BITS as REGISTER_ADDRESS_BITS
from deltatrain.rtl.bus.channels import ADDRESS_BITS, OKAY

__all__ = [
    "connect_memory",
    "connect_registers",
    "connect_results",
    "connect_sequences",
    "memory_pins",
    "register_pins",
    "result_pins",
    "sequence_pins",
]

_IDENTITY_BITS = 1
"""All bursts have identity 0, so they come in order; the wires are there because interconnects expect them."""

_INCREMENTING = 1
_MODIFIABLE_BUFFERABLE = 0b0011
_UNPRIVILEGED_DATA = 0


def memory_pins(beat_bytes: int) -> dict[str, Member]:
    """Return the wires of an AXI4 port that asks memory, ``m_axi_*``, seen from it."""
    address = {"id": _IDENTITY_BITS, "addr": ADDRESS_BITS, "len": 8, "size": 3, "burst": 2, "cache": 4, "prot": 3}
    data = 8 * beat_bytes
    pins: dict[str, Member] = {}
    for channel in ("aw", "ar"):
        pins |= {f"{channel}{name}": Out(bits) for name, bits in {**address, "valid": 1}.items()}
        pins[f"{channel}ready"] = In(1)
    pins |= {"wdata": Out(data), "wstrb": Out(beat_bytes), "wlast": Out(1), "wvalid": Out(1), "wready": In(1)}
    pins |= {"bid": In(_IDENTITY_BITS), "rid": In(_IDENTITY_BITS)}
    pins |= {"bresp": In(2), "bvalid": In(1), "bready": Out(1)}
    pins |= {"rdata": In(data), "rresp": In(2), "rlast": In(1), "rvalid": In(1), "rready": Out(1)}
    return {f"m_axi_{name}": member for name, member in pins.items()}


def register_pins() -> dict[str, Member]:
    """Return the wires of an AXI4-Lite port that is asked, ``s_axi_*``, seen from it."""
    pins: dict[str, Member] = {}
    for channel in ("aw", "ar"):
        pins |= {f"{channel}addr": In(REGISTER_ADDRESS_BITS), f"{channel}prot": In(3)}
        pins |= {f"{channel}valid": In(1), f"{channel}ready": Out(1)}
    pins |= {"wdata": In(REGISTER_BITS), "wstrb": In(REGISTER_BYTES), "wvalid": In(1), "wready": Out(1)}
    pins |= {"bresp": Out(2), "bvalid": Out(1), "bready": In(1)}
    pins |= {"rdata": Out(REGISTER_BITS), "rresp": Out(2), "rvalid": Out(1), "rready": In(1)}
    return {f"s_axi_{name}": member for name, member in pins.items()}


def sequence_pins(beat_bytes: int) -> dict[str, Member]:
    """Return the wires of an AXI4-Stream of words that come, ``s_axis_*``; where a frame ends is not looked at."""
    pins = {"tdata": In(8 * beat_bytes), "tvalid": In(1), "tready": Out(1)}
    return {f"s_axis_{name}": member for name, member in pins.items()}


def result_pins(item_bytes: int) -> dict[str, Member]:
    """Return the wires of an AXI4-Stream of packets of values that leave, ``m_axis_*``."""
    pins = {"tdata": Out(8 * item_bytes), "tlast": Out(1), "tvalid": Out(1), "tready": In(1)}
    return {f"m_axis_{name}": member for name, member in pins.items()}


def connect_memory(m: Module, core: Any, port: Any, beat_bytes: int) -> None:
    """Connect the wires ``m_axi_*`` of `core` with a `rtl.bus.channels.MemoryPort`."""
    pins = _Pins(core, "m_axi_")
    for channel, bursts in (("aw", port.writes), ("ar", port.reads)):
        m.d.comb += [
            pins[f"{channel}id"].eq(0),
            pins[f"{channel}addr"].eq(bursts.payload.address),
            pins[f"{channel}len"].eq(bursts.payload.last),
            pins[f"{channel}size"].eq(ceil_log2(beat_bytes)),
            pins[f"{channel}burst"].eq(_INCREMENTING),
            pins[f"{channel}cache"].eq(_MODIFIABLE_BUFFERABLE),
            pins[f"{channel}prot"].eq(_UNPRIVILEGED_DATA),
            pins[f"{channel}valid"].eq(bursts.valid),
            bursts.ready.eq(pins[f"{channel}ready"]),
        ]
    write, read, responses = port.write_beats, port.read_beats, port.responses
    m.d.comb += [
        Cat(pins["wdata"], pins["wstrb"], pins["wlast"]).eq(write.payload),
        pins["wvalid"].eq(write.valid),
        write.ready.eq(pins["wready"]),
        read.payload.eq(Cat(pins["rdata"], pins["rresp"], pins["rlast"])),
        read.valid.eq(pins["rvalid"]),
        pins["rready"].eq(read.ready),
        responses.payload.eq(pins["bresp"]),
        responses.valid.eq(pins["bvalid"]),
        pins["bready"].eq(responses.ready),
    ]


def connect_registers(m: Module, core: Any, port: Any) -> None:
    """Connect the wires ``s_axi_*`` of `core` with a `rtl.bus.registers.RegisterPort`."""
    pins = _Pins(core, "s_axi_")
    for channel, addresses in (("aw", port.writes), ("ar", port.reads)):
        m.d.comb += [
            addresses.payload.eq(pins[f"{channel}addr"]),
            addresses.valid.eq(pins[f"{channel}valid"]),
            pins[f"{channel}ready"].eq(addresses.ready),
        ]
    m.d.comb += [
        port.write_words.payload.eq(Cat(pins["wdata"], pins["wstrb"])),
        port.write_words.valid.eq(pins["wvalid"]),
        pins["wready"].eq(port.write_words.ready),
        pins["bresp"].eq(OKAY),
        pins["bvalid"].eq(port.responses.valid),
        port.responses.ready.eq(pins["bready"]),
        pins["rdata"].eq(port.read_words.payload),
        pins["rresp"].eq(OKAY),
        pins["rvalid"].eq(port.read_words.valid),
        port.read_words.ready.eq(pins["rready"]),
    ]


def connect_sequences(m: Module, core: Any, items: Any) -> None:
    """Connect the wires ``s_axis_*`` of `core` with a stream."""
    pins = _Pins(core, "s_axis_")
    m.d.comb += [
        items.payload.eq(pins["tdata"]),
        items.valid.eq(pins["tvalid"]),
        pins["tready"].eq(items.ready),
    ]


def connect_results(m: Module, core: Any, items: Any) -> None:
    """Connect the wires ``m_axis_*`` of `core` with a stream of `rtl.bus.results.ResultItem`."""
    pins = _Pins(core, "m_axis_")
    m.d.comb += [
        pins["tdata"].eq(items.payload.value),
        pins["tlast"].eq(items.payload.last),
        pins["tvalid"].eq(items.valid),
        items.ready.eq(pins["tready"]),
    ]


class _Pins:
    """The wires of a component that begin alike, by the rest of their names."""

    def __init__(self, core: Any, prefix: str) -> None:
        self._core, self._prefix = core, prefix

    def __getitem__(self, name: str) -> Any:
        return getattr(self._core, self._prefix + name)
