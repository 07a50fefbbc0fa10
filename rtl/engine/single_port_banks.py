"""Words in banks of one port each, which reads or writes in a cycle; a write goes first."""

from __future__ import annotations

from amaranth.hdl import Array, Const, Module, Mux, ShapeLike, Signal, Value
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.division import divided

__all__ = ["SinglePortBanks", "bank_of"]


def bank_of(address: Value, banks: int) -> Value:
    """Return the bank of a word: its address modulo the banks, of a power of two the lowest bits."""
    return divided(address, banks).remainder if banks > 1 else Const(0, 1)


class SinglePortBanks(Component):
    """A memory of words, of which word w is in bank w mod B, where every bank has one address a cycle.

    Parameters
    ----------
    shape
        Shape of a word.
    depth
        Words.
    banks
        B; unless they are a power of two, addresses are divided.

    Attributes
    ----------
    read : In(ReadPort.Signature)
        As of a memory; enabled only while `may_read`.
    write : In(WritePort.Signature)
        As of a memory.
    may_read : Out(1)
        The bank of the word at the reading address is not written in this cycle.
    """

    def __init__(self, *, shape: ShapeLike, depth: int, banks: int) -> None:
        check_at_least("banks", banks, 1)
        self._shape, self._banks, self._rows = shape, banks, max(-(-depth // banks), 2)
        width = ceil_log2(depth)
        super().__init__(
            {
                "read": In(ReadPort.Signature(addr_width=width, shape=shape)),
                "write": In(WritePort.Signature(addr_width=width, shape=shape)),
                "may_read": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Give each bank the address of what is written there, or else of what is read."""
        m = Module()
        words = []
        of_read, of_write = (bank_of(port.addr, self._banks) for port in (self.read, self.write))
        read_row, write_row = (divided(port.addr, self._banks).quotient for port in (self.read, self.write))
        answers = Signal.like(of_read, name="answers")
        for bank in range(self._banks):
            m.submodules[f"bank_{bank}"] = memory = Memory(
                shape=self._shape, depth=self._rows, init=[], attrs={"no_rw_check": True}
            )
            read, write = memory.read_port(), memory.write_port()
            address, writes = Signal.like(read.addr, name=f"address_{bank}"), Signal(name=f"writes_{bank}")
            m.d.comb += [
                writes.eq(self.write.en & (of_write == bank)),
                address.eq(Mux(writes, write_row, read_row)),
                write.addr.eq(address),
                write.data.eq(self.write.data),
                write.en.eq(writes),
                read.addr.eq(address),
                read.en.eq(self.read.en & (of_read == bank) & ~writes),
            ]
            words.append(Value.cast(read.data))
        m.d.comb += [
            self.may_read.eq(~(self.write.en & (of_read == of_write))),
            Value.cast(self.read.data).eq(Array(words)[answers]),
        ]
        with m.If(self.read.en):
            m.d.sync += answers.eq(of_read)
        return m
