"""A core as a module of LiteX: the Python file that a LiteX user imports beside the Verilog."""

from __future__ import annotations

from deltatrain.accel.bus.registers import ADDRESS_BITS

__all__ = ["litex_module"]

_MODULE = '''\
"""A deltatrain core in a LiteX system, around {name}.v beside this file."""

from pathlib import Path

from litex.gen import LiteXModule
from litex.soc.integration.soc import SoCRegion
from litex.soc.interconnect import axi, stream
from litex.soc.interconnect.csr_eventmanager import EventManager, EventSourceLevel
from migen import ClockSignal, Instance, ResetSignal

REGISTER_BYTES = {register_bytes:#x}
REGISTER_ADDRESS_BITS = {register_address_bits}
BEAT_BITS = {beat_bits}
RESULT_BITS = {result_bits}


class DeltatrainCore(LiteXModule):
    """The core in the domain sys.

    Attributes
    ----------
    registers
        An AXI4-Lite slave: the registers, REGISTER_BYTES.
    memory
        An AXI4 master of BEAT_BITS: addresses that the registers give it are those of the system's bus.
    sequences
        A stream of input vectors into the core, `data` of BEAT_BITS; nothing is taken unless the register streams says
        so.
    results
        A stream of packets out of it, `data` of RESULT_BITS and `last`; likewise.
    ev
        `ev.run` is high while an enabled end of a run is set: clear interrupt_status of the core.
    """

    def __init__(self, platform):
        self.registers = axi.AXILiteInterface(data_width=32, address_width=32)
        self.memory = axi.AXIInterface(data_width=BEAT_BITS, address_width=32, id_width=1, bursting=True)
        self.sequences = stream.Endpoint([("data", BEAT_BITS)])
        self.results = stream.Endpoint([("data", RESULT_BITS)])
        self.ev = EventManager()
        self.ev.run = EventSourceLevel(description="An enabled end of a run is set.")
        self.ev.finalize()
        self.specials += Instance(
            "{name}",
            i_aclk=ClockSignal("sys"),
            i_aresetn=~ResetSignal("sys"),
            o_irq=self.ev.run.trigger,
            **_register_pins(self.registers),
            **_memory_pins(self.memory),
            **_stream_pins(self.sequences, self.results),
        )
        platform.add_source(str(Path(__file__).resolve().with_name("{name}.v")))


def add_deltatrain(soc, origin=None, name="deltatrain"):
    """Add a core to a system: registers at `origin`, or wherever there is room; its memory is the system's bus.

    Raises
    ------
    ValueError
        If the bus is not as wide as a beat: LiteX's converters know neither short bursts nor those that grow too long.
    """
    if soc.bus.data_width != BEAT_BITS:
        raise ValueError(f"the bus must have {{BEAT_BITS}} bits, a beat of the core, not {{soc.bus.data_width}}")
    core = DeltatrainCore(soc.platform)
    soc.add_module(name, core)
    soc.bus.add_slave(name, core.registers, SoCRegion(origin=origin, size=REGISTER_BYTES, cached=False))
    soc.bus.add_master(name, core.memory)
    if soc.irq.enabled:
        soc.irq.add(name, use_loc_if_exists=True)
    return core


def _register_pins(bus):
    """Connect s_axi_* with an AXI4-Lite interface."""
    pins = {{}}
    for name, channel in (("aw", bus.aw), ("ar", bus.ar)):
        pins[f"i_s_axi_{{name}}addr"] = channel.addr[:REGISTER_ADDRESS_BITS]
        pins |= _taken("s_axi", name, channel, "prot")
    pins |= _taken("s_axi", "w", bus.w, "data", "strb")
    pins |= _given("s_axi", "b", bus.b, "resp")
    return pins | _given("s_axi", "r", bus.r, "data", "resp")


def _memory_pins(bus):
    """Connect m_axi_* with an AXI4 interface."""
    pins = {{}}
    for name, channel in (("aw", bus.aw), ("ar", bus.ar)):
        pins |= _given("m_axi", name, channel, "id", "addr", "len", "size", "burst", "cache", "prot")
    pins |= _given("m_axi", "w", bus.w, "data", "strb", "last")
    pins |= _taken("m_axi", "b", bus.b, "id", "resp")
    return pins | _taken("m_axi", "r", bus.r, "id", "data", "resp", "last")


def _stream_pins(sequences, results):
    """Connect s_axis_* and m_axis_* with streams."""
    return _taken("s_axis", "t", sequences, "data") | _given("m_axis", "t", results, "data", "last")


def _given(port, prefix, channel, *names):
    """Connect a channel that the core gives."""
    pins = {{f"o_{{port}}_{{prefix}}{{name}}": getattr(channel, name) for name in (*names, "valid")}}
    return pins | {{f"i_{{port}}_{{prefix}}ready": channel.ready}}


def _taken(port, prefix, channel, *names):
    """Connect a channel that the core takes."""
    pins = {{f"i_{{port}}_{{prefix}}{{name}}": getattr(channel, name) for name in (*names, "valid")}}
    return pins | {{f"o_{{port}}_{{prefix}}ready": channel.ready}}
'''


def litex_module(name: str, *, beat_bytes: int, result_bytes: int) -> dict[str, str]:
    """Return the text of the file by its name, for a core whose Verilog is module `name` in ``NAME.v``.

    Parameters
    ----------
    name
        Of the Verilog module.
    beat_bytes
        Bytes of a beat on the bus of the memory.
    result_bytes
        Bytes of an item of the stream of results.
    """
    text = _MODULE.format(
        name=name,
        register_bytes=1 << ADDRESS_BITS,
        register_address_bits=ADDRESS_BITS,
        beat_bits=8 * beat_bytes,
        result_bits=8 * result_bytes,
    )
    return {f"{name}_litex.py": text}
