"""A memory on AXI4, for simulations: it stalls at random, answers errors beyond its end, and watches the rules."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, Flow, In, Out, Signature
from amaranth.utils import ceil_log2

__all__ = ["ADDRESS_BITS", "AxiMemory", "axi"]

ADDRESS_BITS = 32

_BURSTS = 8
"""Bursts of each direction that wait."""

_INCREMENTING = 1
_ERROR = 2  # SLVERR
_BOUNDARY_BITS = 12  # no burst crosses 4 KiB


def axi(data_bytes: int) -> dict[str, tuple[Flow, int]]:
    """Return the wires of an AXI4 port without identities: direction as the manager sees it, and width."""
    burst = {"addr": (Out, ADDRESS_BITS), "len": (Out, 8), "size": (Out, 3), "burst": (Out, 2)}
    wires: dict[str, tuple[Flow, int]] = {}
    for channel in ("aw", "ar"):
        wires |= {f"{channel}{name}": wire for name, wire in burst.items()}
        wires |= {f"{channel}valid": (Out, 1), f"{channel}ready": (In, 1)}
    wires |= {"wdata": (Out, 8 * data_bytes), "wstrb": (Out, data_bytes), "wlast": (Out, 1)}
    wires |= {"wvalid": (Out, 1), "wready": (In, 1)}
    wires |= {"bresp": (In, 2), "bvalid": (In, 1), "bready": (Out, 1)}
    wires |= {"rdata": (In, 8 * data_bytes), "rresp": (In, 2), "rlast": (In, 1), "rvalid": (In, 1), "rready": (Out, 1)}
    return wires


class AxiMemory(Component):  # type: ignore[misc]  # Amaranth ships no types
    """Takes bursts of both directions beside each other, each direction in order.

    Parameters
    ----------
    data_bytes
        Bytes of a beat.
    beats
        Beats that it holds, a power of two, from address 0 on.

    Attributes
    ----------
    bus : In(Signature)
        The wires of `axi`.
    stalls : In(8)
        In so many of 256 cycles, at random, each channel does not go on.
    breaks_rule : Out(1)
        High from when the manager broke a rule: a burst crosses 4 KiB, is not incrementing or of narrow beats, or
        `wlast` is not with its last beat.
    host_writes : In(stream.Signature({"beat", "word"}))
        What the host writes.
    host_addresses : In(stream.Signature(unsigned)), host_words : Out(stream.Signature(unsigned))
        What the host reads.
    """

    def __init__(self, *, data_bytes: int, beats: int) -> None:
        self._data_bytes, self._beats = data_bytes, beats
        word = 8 * data_bytes
        wires = {name: flow(width) for name, (flow, width) in axi(data_bytes).items()}
        super().__init__(
            {
                "bus": In(Signature(wires)),
                "stalls": In(8),
                "breaks_rule": Out(1),
                "host_writes": In(stream.Signature(data.StructLayout({"beat": ADDRESS_BITS, "word": word}))),
                "host_addresses": In(stream.Signature(unsigned(ADDRESS_BITS))),
                "host_words": Out(stream.Signature(unsigned(word))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Join the two directions, the host and the random numbers with the words."""
        m = Module()
        words = Memory(shape=unsigned(8 * self._data_bytes), depth=self._beats, init=[])
        m.submodules.words = words
        goes = self._random(m)
        self._read(m, words.read_port(domain="comb"), goes[0], goes[1])
        self._write(m, words.write_port(granularity=8), goes[2], goes[3], goes[4])
        host_write, host_read = words.write_port(), words.read_port(domain="comb")
        m.d.comb += [
            self.host_writes.ready.eq(1),
            host_write.en.eq(self.host_writes.valid),
            host_write.addr.eq(self.host_writes.payload.beat),
            host_write.data.eq(self.host_writes.payload.word),
            host_read.addr.eq(self.host_addresses.payload),
            self.host_words.payload.eq(host_read.data),
            self.host_words.valid.eq(self.host_addresses.valid),
            self.host_addresses.ready.eq(self.host_words.ready),
        ]
        return m

    def _random(self, m: Module) -> list[Value]:
        """Return for each of five channels whether it may go on in this cycle."""
        state = Signal(40, init=0x1234567891)
        # x**40 + x**38 + x**21 + x**19 + 1, five steps a cycle and more to part the channels
        bits = list(state)
        for _ in range(13):
            bits = [bits[39] ^ bits[37] ^ bits[20] ^ bits[18], *bits[:-1]]
        m.d.sync += state.eq(Cat(*bits))
        return [state.word_select(channel, 8) >= self.stalls for channel in range(5)]

    def _bursts(self, m: Module, channel: str, goes: Value) -> Any:
        """Queue the bursts of a channel, and watch their rules; return the queue."""
        bus: Any = self.bus
        addr, length, valid, ready = (getattr(bus, f"{channel}{name}") for name in ("addr", "len", "valid", "ready"))
        queue = SyncFIFOBuffered(width=ADDRESS_BITS + 8, depth=_BURSTS)
        m.submodules[f"{channel}_bursts"] = queue
        offered = Signal()  # that it is ready is not taken back, and does not wait for what is offered
        with m.If(~offered | valid):
            m.d.sync += offered.eq(goes)
        m.d.comb += [
            ready.eq(offered & queue.w_rdy),
            queue.w_data.eq(Cat(addr, length)),
            queue.w_en.eq(valid & ready),
        ]
        size = ceil_log2(self._data_bytes)
        last = addr[:_BOUNDARY_BITS] + (length << size)
        right = (last < 1 << _BOUNDARY_BITS) & (getattr(bus, f"{channel}size") == size)
        right &= (getattr(bus, f"{channel}burst") == _INCREMENTING) & (addr[:size] == 0)
        with m.If(valid & ~right):
            m.d.sync += self.breaks_rule.eq(1)
        return queue

    def _is_inside(self, address: Value) -> Value:
        return address < self._beats * self._data_bytes

    def _read(self, m: Module, port: Any, takes: Value, gives: Value) -> None:
        """Give the beats of the first burst that waits, one after the other, each from a register."""
        bus: Any = self.bus
        queue, number, goes = self._bursts(m, "ar", takes), Signal(8), Signal()
        first, last = queue.r_data[:ADDRESS_BITS], queue.r_data[ADDRESS_BITS:]
        address = Signal(ADDRESS_BITS)
        m.d.comb += [
            address.eq(first + (number << ceil_log2(self._data_bytes))),
            port.addr.eq(address[ceil_log2(self._data_bytes) :]),
            goes.eq(queue.r_rdy & gives & (~bus.rvalid | bus.rready)),
            queue.r_en.eq(goes & (number == last)),
        ]
        with m.If(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(goes):
            m.d.sync += [
                bus.rvalid.eq(1),
                bus.rdata.eq(port.data),
                bus.rresp.eq(Mux(self._is_inside(address), 0, _ERROR)),
                bus.rlast.eq(number == last),
                number.eq(Mux(number == last, 0, number + 1)),
            ]

    def _write(self, m: Module, port: Any, takes: Value, stores: Value, answers: Value) -> None:
        """Store the beats of the first burst that waits, then answer it."""
        bus: Any = self.bus
        queue, number, wrong = self._bursts(m, "aw", takes), Signal(8), Signal()
        m.submodules.answers = waiting = SyncFIFOBuffered(width=1, depth=_BURSTS)
        first, last = queue.r_data[:ADDRESS_BITS], queue.r_data[ADDRESS_BITS:]
        address, stored, ready = Signal(ADDRESS_BITS), Signal(), Signal()
        m.d.sync += ready.eq(stores)
        m.d.comb += [
            address.eq(first + (number << ceil_log2(self._data_bytes))),
            port.addr.eq(address[ceil_log2(self._data_bytes) :]),
            port.data.eq(bus.wdata),
            bus.wready.eq(ready & queue.r_rdy & waiting.w_rdy),
            stored.eq(bus.wvalid & bus.wready),
            port.en.eq(Mux(stored & self._is_inside(address), bus.wstrb, 0)),
            queue.r_en.eq(stored & (number == last)),
            waiting.w_en.eq(queue.r_en),
            waiting.w_data.eq(wrong | ~self._is_inside(address)),
        ]
        with m.If(stored):
            m.d.sync += [number.eq(Mux(number == last, 0, number + 1)), wrong.eq(waiting.w_data & (number != last))]
            with m.If(bus.wlast != (number == last)):
                m.d.sync += self.breaks_rule.eq(1)
        with m.If(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        m.d.comb += waiting.r_en.eq(waiting.r_rdy & answers & (~bus.bvalid | bus.bready))
        with m.If(waiting.r_en):
            m.d.sync += [bus.bvalid.eq(1), bus.bresp.eq(Mux(waiting.r_data, _ERROR, 0))]
