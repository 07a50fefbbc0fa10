"""A ring of entries: written one by one, read one by one or a word of neighbours at once."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.memory import ReadPort, WritePort
from amaranth.lib.wiring import Component, Out, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.rtl.lists.ports import ring_port, word_port
from deltatrain.rtl.parts.arguments import check_at_least, check_power_of_two
from deltatrain.rtl.parts.layouts import Entry
from deltatrain.rtl.parts.of_arrays import of_arrays
from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory

__all__ = ["EntryRing"]


class EntryRing(Component):
    """Keeps entry i in bank i mod E, so that any E = `word_entries` neighbours are in E different banks.

    Parameters
    ----------
    value_bits
        Width of a value, 0 for entries without.
    entries
        Depth, a power of two of at least 2 * `word_entries`.
    readers
        Ports that read one entry; none may do where words are read.
    word_entries
        Entries that the other port reads at once, a power of two; there is none if it is 1.
    halves
        Whether the ring is two, in the halves of one memory: there is a port for a word of each.
    word_readers
        How many words are read at once; `halves` doubles the ports.

    Attributes
    ----------
    write : Out(WritePort.Signature)
        Writes an entry.
    read : Out(ring_port).array(readers)
        Reads an entry in the next cycle.
    read_word : Out(word_port)
        Reads `word_entries` entries, modulo the depth, in the next cycle; with `halves` an array of two, one for each,
        whose addresses are within their halves. Of several `word_readers` an array, one reader after the other.
    """

    def __init__(
        self,
        *,
        value_bits: int,
        entries: int,
        readers: int,
        word_entries: int = 1,
        halves: bool = False,
        word_readers: int = 1,
    ) -> None:
        check_at_least("value_bits", value_bits or 2, 2)
        check_power_of_two("word_entries", word_entries)
        check_at_least("entries", entries, 2 * word_entries)
        check_power_of_two("entries", entries)
        check_at_least("readers", readers, int(word_entries == 1))
        self._depth, self._readers, self._word_entries, self._halves = entries, readers, word_entries, halves
        write = WritePort.Signature(addr_width=ceil_log2(entries), shape=Entry(value_bits))
        members = {
            "write": Out(write),
            "read": Out(ring_port(value_bits=value_bits, entries=entries)).array(readers),
        }
        if word_entries > 1:
            port = Out(word_port(value_bits=value_bits, entries=entries >> halves, word_entries=word_entries))
            ports = word_readers << halves
            members["read_word"] = port.array(ports) if ports > 1 else port
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        shape = self.write.data.shape()
        banks = [
            UncheckedMemory(shape=shape, depth=self._depth // self._word_entries) for _ in range(self._word_entries)
        ]
        for number, bank in enumerate(banks):
            m.submodules[f"bank_{number}"] = bank
            write = bank.write_port()
            m.d.comb += [
                write.en.eq(self.write.en & self._is_in(self.write.addr, number)),
                write.addr.eq(self._row(self.write.addr)),
                write.data.eq(self.write.data),
            ]
        for reader in range(self._readers):
            self._read_one(m, banks, self.read[reader])
        if self._word_entries > 1:
            for number, port in enumerate(of_arrays(self.read_word)):
                self._read_word(m, banks, port, number % 2)
        return m

    @property
    def _bank_bits(self) -> int:
        return ceil_log2(self._word_entries)

    def _is_in(self, address: Value, bank: int) -> Value | int:
        return (address[: self._bank_bits] == bank) if self._word_entries > 1 else 1

    def _row(self, address: Value) -> Value:
        return address[self._bank_bits :]

    def _read_one(self, m: Module, banks: list[UncheckedMemory], port: ReadPort) -> None:
        """Address all banks, and choose when they answer."""
        if self._word_entries == 1:
            connect(m, banks[0].read_port(), flipped(port))
            return
        bank_of = Signal(self._bank_bits)
        with m.If(port.en):
            m.d.sync += bank_of.eq(port.addr)
        for number, bank in enumerate(banks):
            read = bank.read_port()
            m.d.comb += [read.en.eq(port.en), read.addr.eq(self._row(port.addr))]
            with m.If(bank_of == number):
                m.d.comb += port.data.eq(read.data)

    def _read_word(self, m: Module, banks: list[UncheckedMemory], port: ReadPort, half: int) -> None:
        """Address in each bank the first entry that is not before `addr`, and turn the answers into their order."""
        first = Signal(self._bank_bits)
        with m.If(port.en):
            m.d.sync += first.eq(port.addr)
        answers = []
        for number, bank in enumerate(banks):
            read = bank.read_port()
            row = self._row(port.addr + (self._word_entries - 1 - number))
            m.d.comb += [read.en.eq(port.en), read.addr.eq(row[: len(read.addr)])]
            if self._halves:
                m.d.comb += read.addr[-1].eq(half)
            answers.append(Value.cast(read.data))
        with m.Switch(first):
            for number in range(self._word_entries):
                with m.Case(number):
                    m.d.comb += Value.cast(port.data).eq(Cat(answers[number:] + answers[:number]))
