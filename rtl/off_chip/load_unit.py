"""The load unit: loads vectors, and the tape, from off-chip memory into local SRAM."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.memory import WritePort
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.unit_counters import count_cycles, spent_layout
from deltatrain.rtl.commands.waits import Wait, command, counts_layout
from deltatrain.rtl.off_chip.request import Request
from deltatrain.rtl.off_chip.tape_load import TapeLoad, TapeLoadOp
from deltatrain.rtl.parts.layouts import INDEX_BITS, word
from deltatrain.rtl.parts.tape_ports import TapePorts

__all__ = ["LoadOp", "LoadUnit"]


class LoadOp(data.StructLayout):
    """One vector to load, or one step's tape.

    Members
    -------
    request : Request
        Where it is. The words of a tape are not given here, because they follow from its lists.
    base : unsigned
        The first word where a vector goes.
    is_tape : unsigned(1), tape : TapeLoadOp
        Where a tape goes; only where the tape lives off-chip.
    """

    def __init__(self, sizes: TileSizes, lanes: int) -> None:
        tape = {"is_tape": 1, "tape": TapeLoadOp(sizes, lanes)} if sizes.tape_is_remote else {}
        super().__init__({"request": Request(), "base": unsigned(ceil_log2(sizes.all_input_words)), **tape})


class LoadUnit(Component):
    """Has one request outstanding: makes the next when the last word of the one before has come.

    Parameters
    ----------
    engine
        Lanes and formats.
    sizes
        Of the tile's memories.
    memories
        Write ports of the memories of tape and states, where the tape lives off-chip; else None.

    Attributes
    ----------
    commands : In(stream.Signature(command(LoadOp)))
        What to load, at least a word.
    ready_counts : In(counts_layout)
        From `rtl.commands.waits.DoneCounts`.
    running : In(1)
        Whether ops may start.
    requests : Out(stream.Signature(Request))
        What to read, from the cycle in which an op starts until it is taken.
    words : In(stream.Signature(word))
        The words of a vector that the memory answers; always ready.
    write : In(WritePort.Signature)
        To the memory of x, of all tiles where there are several.
    is_tape : Out(1), tape_words : In(stream.Signature(word))
        Whether the request is for words of the tape; those words, always ready.
    memories, tables, lists
        To where a tape goes, see `rtl.off_chip.tape_load`. These, `is_tape` and `tape_words` are present where the tape
        lives off-chip.
    soon : Out(1)
        High for one cycle for each op, in order: what it loaded is stored.
    spent : Out(spent_layout)
        Busy cycles, in which a word came, and stalled ones.
    """

    def __init__(self, *, engine: Engine, sizes: TileSizes, memories: TapePorts | None = None) -> None:
        self._op, self._sizes = LoadOp(sizes, engine.lanes), sizes
        self._tape = None if memories is None else TapeLoad(engine=engine, sizes=sizes, memories=memories)
        members: dict[str, object] = {}
        if self._tape is not None:
            inside = self._tape.signature.members
            members = {"is_tape": Out(1), "tape_words": inside["words"]}
            members |= {name: inside[name] for name in ("memories", "tables", "lists")}
        shape = word(engine.formats.activation.bits, engine.lanes)
        super().__init__(
            {
                "commands": In(stream.Signature(command(self._op, sizes.units))),
                "ready_counts": In(counts_layout(sizes.units)),
                "running": In(1),
                "requests": Out(stream.Signature(Request())),
                "words": In(stream.Signature(shape)),
                **members,
                "write": In(WritePort.Signature(addr_width=ceil_log2(sizes.all_input_words), shape=shape)),
                "soon": Out(1),
                "spent": Out(spent_layout(1, sizes.units)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Request once, count the words that come, and store them."""
        m = Module()
        m.submodules.start = start = Wait(self._op, self._sizes.units)
        connect(m, flipped(self.commands), start.i)
        op, active, asked, last, comes = start.o.payload, Signal(), Signal(), Signal(), Signal()
        words, ends = Signal(INDEX_BITS), Signal()
        number = Signal.like(words)
        m.d.comb += [
            start.counts.eq(self.ready_counts),
            active.eq(start.o.valid & self.running),
            start.o.ready.eq(ends & self.running),
            self.requests.payload.address.eq(op.request.address),
            self.requests.payload.words.eq(words),
            self.requests.valid.eq(active & ~asked),
            self.words.ready.eq(1),
            last.eq(self.words.valid & (number + 1 == op.request.words)),
            self.write.addr.eq(op.base + number),
            self.write.data.eq(self.words.payload),
            self.write.en.eq(self.words.valid),
        ]
        m.d.sync += [asked.eq((asked | (active & self.requests.ready)) & ~ends), self.soon.eq(ends)]
        with m.If(self.words.valid):
            m.d.sync += number.eq(Mux(last, 0, number + 1))
        if self._tape is None:
            m.d.comb += [words.eq(op.request.words), ends.eq(last), comes.eq(self.words.valid)]
        else:
            self._load_tape(m, self._tape, op, active)
            m.d.comb += [
                words.eq(Mux(op.is_tape, self._tape.total, op.request.words)),
                ends.eq(last | self._tape.last),
                comes.eq(self.words.valid | self.tape_words.valid),
            ]
        count_cycles(
            m,
            self._sizes,
            self.spent,
            running=self.running,
            active=active,
            works=comes,
            unmet=start.unmet,
        )
        return m

    def _load_tape(self, m: Module, tape: TapeLoad, op: data.View, active: Value) -> None:
        """Hand the words of a tape to the part that stores them."""
        m.submodules.tape_load = tape
        connect(m, flipped(self.tape_words), tape.words)
        connect(m, flipped(self.memories), tape.memories)
        connect(m, flipped(self.lists), tape.lists)
        for table, looked_up in zip(self.tables, tape.tables, strict=True):
            connect(m, flipped(table), looked_up)
        m.d.comb += [
            tape.op.eq(op.tape),
            self.is_tape.eq(op.is_tape),
            tape.is_active.eq(active & op.is_tape),
        ]
