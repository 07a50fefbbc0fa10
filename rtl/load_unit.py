"""Loading vectors from off-chip memory into local SRAM."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream
from amaranth.lib.memory import WritePort
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from amaranth.utils import ceil_log2

from accel.engine import Engine
from rtl.layouts import word
from rtl.request import Request
from rtl.sizes import TileSizes
from rtl.unit_counters import UnitCounters, spent_layout
from rtl.waits import Gate, command, counts_layout

__all__ = ["LoadOp", "LoadUnit"]


class LoadOp(data.StructLayout):
    """One vector to load.

    Members
    -------
    request : Request
        Where it is.
    base : unsigned
        The first word where it goes.
    """

    def __init__(self, sizes: TileSizes) -> None:
        super().__init__({"request": Request(), "base": unsigned(ceil_log2(sizes.input_words))})


class LoadUnit(Component):
    """Asks for one vector after the other, the next when the last word of the one before has come.

    Parameters
    ----------
    engine
        Lanes and formats.
    sizes
        Of the tile's memories.

    Attributes
    ----------
    commands : In(stream.Signature(command(LoadOp)))
        What to load, at least a word.
    done_counts : In(counts_layout)
        From `rtl.waits.DoneCounts`.
    running : In(1)
        Whether ops may start.
    requests : Out(stream.Signature(Request))
        What to read, in the cycle in which an op starts; it waits at the port if it is not taken.
    words : In(stream.Signature(word))
        What the memory answers; always ready.
    write : In(WritePort.Signature)
        To the memory of x.
    soon : Out(1)
        The vector of the oldest op that was not announced yet is stored.
    spent : Out(spent_layout)
        Busy cycles, in which a word came, and stalled ones.
    """

    def __init__(self, *, engine: Engine, sizes: TileSizes) -> None:
        self._op = LoadOp(sizes)
        shape = word(engine.formats.activation.bits, engine.lanes)
        super().__init__(
            {
                "commands": In(stream.Signature(command(self._op))),
                "done_counts": In(counts_layout()),
                "running": In(1),
                "requests": Out(stream.Signature(Request())),
                "words": In(stream.Signature(shape)),
                "write": In(WritePort.Signature(addr_width=ceil_log2(sizes.input_words), shape=shape)),
                "soon": Out(1),
                "spent": Out(spent_layout(1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Ask once, count what comes, and store it."""
        m = Module()
        m.submodules.gate = gate = Gate(self._op)
        connect(m, flipped(self.commands), gate.i)
        op, active, asked, last = gate.o.payload, Signal(), Signal(), Signal()
        number = Signal.like(op.request.words)
        m.d.comb += [
            gate.counts.eq(self.done_counts),
            active.eq(gate.o.valid & self.running),
            gate.o.ready.eq(last & self.running),
            self.requests.payload.eq(op.request),
            self.requests.valid.eq(active & ~asked),
            self.words.ready.eq(1),
            last.eq(self.words.valid & (number + 1 == op.request.words)),
            self.write.addr.eq(op.base + number),
            self.write.data.eq(self.words.payload),
            self.write.en.eq(self.words.valid),
        ]
        m.d.sync += [asked.eq((asked | (active & self.requests.ready)) & ~last), self.soon.eq(last)]
        with m.If(self.words.valid):
            m.d.sync += number.eq(Mux(last, 0, number + 1))
        m.submodules.counters = counters = UnitCounters()
        m.d.comb += [
            counters.running.eq(self.running),
            counters.active.eq(active),
            counters.works.eq(self.words.valid),
            counters.unmet.eq(gate.unmet),
            self.spent.eq(counters.spent),
        ]
        return m
