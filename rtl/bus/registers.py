"""The registers as gates: an AXI4-Lite port, and every register of `accel.bus.registers` behind it."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, Signature

from deltatrain.accel.bus.register import REGISTER_BITS, REGISTER_BYTES, Register
from deltatrain.accel.bus.registers import ADDRESS_BITS

__all__ = ["RegisterPort", "RegisterWrite", "Registers"]


class RegisterWrite(data.StructLayout):
    """A word to write: its ``bits``, and a bit of ``strobes`` for each byte that is written."""

    def __init__(self) -> None:
        super().__init__({"bits": REGISTER_BITS, "strobes": REGISTER_BYTES})


class RegisterPort(Signature):
    """AXI4-Lite, seen from the registers. Responses are always OKAY: where no register is, 0 is read.

    Members
    -------
    writes, write_words, responses
        Addresses to write, what is written there, and that it is: the latter without a payload of its own.
    reads, read_words
        Addresses to read, and what was read.
    """

    def __init__(self) -> None:
        address, word = stream.Signature(ADDRESS_BITS), stream.Signature(REGISTER_BITS)
        super().__init__(
            {
                "writes": In(address),
                "write_words": In(stream.Signature(RegisterWrite())),
                "responses": Out(stream.Signature(0)),
                "reads": In(address),
                "read_words": Out(word),
            }
        )


class Registers(Component):
    """Answers one write and one read at a time.

        cycle   t                       t + 1
        write   address and word are    the register has it;
                both taken              response offered
        read    address taken           word offered

    Parameters
    ----------
    registers
        By name.
    facts
        The value of each register whose reset is None.

    Attributes
    ----------
    port : In(RegisterPort())
        The host's.
    NAME : Out(32)
        A "read-write" register, or a "command": the ones that are written, for a cycle.
    NAME : In(32)
        A "read-only" register; of one that "write-one-clears" the bits that are set in this cycle.
    NAME_now : Out(32)
        What a register that "write-one-clears" holds.
    """

    def __init__(self, registers: Mapping[str, Register], facts: Mapping[str, int]) -> None:
        self._registers, self._facts = registers, facts
        members: dict[str, object] = {}
        for name, register in registers.items():
            if register.reset is None:
                continue
            inward = register.access in ("read-only", "write-one-clears")
            members[name] = In(REGISTER_BITS) if inward else Out(REGISTER_BITS)
            if register.access == "write-one-clears":
                members[f"{name}_now"] = Out(REGISTER_BITS)
        super().__init__({"port": Out(RegisterPort()), **members})

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        self._write(m)
        self._read(m)
        return m

    def _write(self, m: Module) -> None:
        """Take address and word together; write what the strobes say."""
        port, takes, written = self.port, Signal(), Signal(REGISTER_BITS)
        word = port.write_words.payload
        bytes_written = Cat(strobe.replicate(8) for strobe in word.strobes)
        m.d.comb += [
            takes.eq(port.writes.valid & port.write_words.valid & (~port.responses.valid | port.responses.ready)),
            port.writes.ready.eq(takes),
            port.write_words.ready.eq(takes),
            written.eq(word.bits & bytes_written),
        ]
        with m.If(takes | port.responses.ready):
            m.d.sync += port.responses.valid.eq(takes)
        for name, register in self._registers.items():
            if register.access == "read-only":
                continue
            here = Signal(name=f"writes_{name}")
            m.d.comb += here.eq(takes & (_number(port.writes.payload) == register.address // REGISTER_BYTES))
            of_host, value = Mux(here, written & register.mask, 0), getattr(self, name)
            if register.access == "command":
                m.d.comb += value.eq(of_host)
            elif register.access == "write-one-clears":
                held = getattr(self, f"{name}_now")
                m.d.sync += held.eq((held & ~of_host) | (value & register.mask))
            else:
                value_bits = Value.cast(value)
                with m.If(here):
                    m.d.sync += value.eq((value_bits & ~bytes_written) | (written & register.mask))

    def _read(self, m: Module) -> None:
        """Answer the register that is addressed."""
        port, takes, found = self.port, Signal(), Signal(REGISTER_BITS)
        m.d.comb += [
            takes.eq(port.reads.valid & (~port.read_words.valid | port.read_words.ready)),
            port.reads.ready.eq(takes),
        ]
        with m.Switch(_number(port.reads.payload)):
            for name, register in self._registers.items():
                with m.Case(register.address // REGISTER_BYTES):
                    m.d.comb += found.eq(self._shown(name, register))
        with m.If(takes | port.read_words.ready):
            m.d.sync += port.read_words.valid.eq(takes)
        with m.If(takes):
            m.d.sync += port.read_words.payload.eq(found)

    def _shown(self, name: str, register: Register) -> Value | int:
        """Return what a register reads as."""
        if register.reset is None:
            return self._facts[name]
        if register.access == "command":
            return 0
        shown: Value = getattr(self, f"{name}_now" if register.access == "write-one-clears" else name)
        return shown & register.mask


def _number(address: Value) -> Value:
    """Return the number of the register that is addressed."""
    return address[(REGISTER_BYTES - 1).bit_length() :]
