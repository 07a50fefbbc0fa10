"""The load unit: loads vectors, and the tape, from off-chip memory into local SRAM."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import WritePort
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.unit_counters import count_cycles, spent_layout
from deltatrain.rtl.commands.waits import Wait, command, counts_layout
from deltatrain.rtl.off_chip.moved import MovedLoad, MovedLoadOp
from deltatrain.rtl.off_chip.port_cycles import port_cycles
from deltatrain.rtl.off_chip.request import Request
from deltatrain.rtl.off_chip.shared_walk import SHARE, walk_for
from deltatrain.rtl.off_chip.state_words import KeptPorts, StateLoad, StateStep
from deltatrain.rtl.off_chip.tape_load import TapeLoad, TapeLoadOp
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.division import divided
from deltatrain.rtl.parts.layouts import INDEX_BITS, word
from deltatrain.rtl.parts.tape_ports import TapePorts

__all__ = ["LoadOp", "LoadUnit"]


_TOLD = ("counts", "spikes")
"""What is known of the lists of a step of the tape when it is asked for."""


class LoadOp(data.StructLayout):
    """One vector to load, or one step's tape.

    Members
    -------
    request : Request
        Where it is. The words of a tape are not given here, because they follow from its lists.
    base : unsigned
        The first word where a vector goes.
    is_tape : unsigned(1), tape : TapeLoadOp or StateStep or MovedLoadOp
        Where a tape goes; only where the tape lives off-chip. Or where a state goes, where states are moved; or either.
    """

    def __init__(self, sizes: TileSizes, lanes: int) -> None:
        tape: dict[str, object] = {"is_tape": 1, "tape": TapeLoadOp(sizes, lanes)} if sizes.tape_is_remote else {}
        if sizes.moves_both:
            tape = {"is_tape": 1, "tape": MovedLoadOp(sizes, lanes)}
        elif sizes.moves_states:
            tape = {"is_tape": 1, "tape": StateStep(sizes.loaded_words, sizes.loaded_values)}
        super().__init__({"request": Request(), "base": unsigned(ceil_log2(sizes.all_input_words)), **tape})


class _Coming(data.StructLayout):
    """What words that come are of: the op that asked for them, with the lengths of its lists as they were then."""

    def __init__(self, sizes: TileSizes, lanes: int) -> None:
        op = LoadOp(sizes, lanes)
        members = {name: op[name].shape for name in ("base", "is_tape", "tape") if name in dict(op)}
        told = ("counts", "spikes") if sizes.spikes else ("counts",)
        lists = dict.fromkeys(told, data.ArrayLayout(unsigned(INDEX_BITS), 2)) if sizes.tape_is_remote else {}
        before = {"before": unsigned(INDEX_BITS)} if sizes.tape_is_remote and sizes.is_part else {}
        super().__init__({"words": unsigned(INDEX_BITS), **members, **lists, **before})


class LoadUnit(Component):
    """Asks for one vector or tape after the other; their words come in the order of the requests.

    The next op may start when this one has asked and had the cycles in which the port moves its words, and fewer than
    `in_flight` are on their way. With one in flight that is when its last word has come.

    Parameters
    ----------
    engine
        Lanes and formats.
    sizes
        Of the tile's memories.
    memories
        Write ports of the memories of tape and states, where the tape lives off-chip; else None.
    kept
        Write ports of the memories of loaded states, where states are moved; else None.
    in_flight
        Requests that may be outstanding.
    port_bytes
        Bytes that the off-chip port moves in a cycle; a word if not given.

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
        The words of a vector that the memory answers, or the tile's own words of it; always ready.
    write : In(WritePort.Signature)
        To the memory of x, of all tiles where there are several.
    is_tape : Out(1), tape_words : In(stream.Signature(word))
        Whether the request is for words of the tape; those words, always ready.
    memories, tables, lists, states
        To where a tape goes, see `rtl.off_chip.tape_load`, and a state. `is_tape` and `tape_words` are present where
        either comes back.
    share : Out(SHARE)
        In one of several tiles its words among those of all, of the tape that is asked for
        (`rtl.off_chip.shared_walk`); present where a tape comes back.
    soon : Out(1)
        High for one cycle for each op, in order: what it loaded is stored.
    spent : Out(spent_layout)
        Busy cycles, in which the port moves the words, and stalled ones.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        sizes: TileSizes,
        memories: TapePorts | None = None,
        kept: KeptPorts | None = None,
        in_flight: int = 1,
        port_bytes: int | None = None,
    ) -> None:
        check_at_least("in_flight", in_flight, 1)
        self._op, self._sizes, self._in_flight = LoadOp(sizes, engine.lanes), sizes, in_flight
        self._coming = _Coming(sizes, engine.lanes)
        self._word_bytes = engine.lanes * engine.formats.activation.bytes
        self._port_bytes = port_bytes or self._word_bytes
        self._tape: TapeLoad | StateLoad | MovedLoad | None = None
        self._walk = None
        members: dict[str, object] = {}
        if memories is None and kept is not None:
            self._tape = StateLoad(engine=engine, sizes=sizes, memories=kept)
            inside = self._tape.signature.members
            members = {"is_tape": Out(1), "tape_words": inside["words"], "states": inside["memories"]}
        elif memories is not None:
            given: dict[str, Any] = {"engine": engine, "sizes": sizes, "memories": memories, "looks_up": in_flight == 1}
            self._tape = TapeLoad(**given) if kept is None else MovedLoad(**given, kept=kept)
            self._walk = walk_for(sizes, engine.lanes) if in_flight > 1 else None
            inside = self._tape.signature.members
            tables = (self._walk or self._tape).signature.members["tables"]
            members = {"is_tape": Out(1), "tape_words": inside["words"], "tables": tables}
            members |= {name: inside[name] for name in ("memories", "lists", "states") if name in inside}
            members |= {"share": Out(SHARE)} if sizes.is_part else {}
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
        """Ask once for each op, count the words that come, and store them."""
        m = Module()
        m.submodules.start = start = Wait(self._op, self._sizes.units, places=2)
        connect(m, flipped(self.commands), start.i)
        op, active, asked, asks = start.o.payload, Signal(), Signal(), Signal()
        words, last, ends, leaves = Signal(INDEX_BITS), Signal(), Signal(), Signal()
        # The number and the one after it are in registers, so that no comparison waits for an adder.
        number, after = Signal.like(words), Signal.like(words, init=1)
        coming, some = self._come(m, op, words, active, asks, ends)
        m.d.comb += [
            start.counts.eq(self.ready_counts),
            active.eq(start.o.valid & self.running),
            start.o.ready.eq(leaves & self.running),
            self.requests.payload.address.eq(op.request.address),
            self.requests.payload.words.eq(words),
            self.requests.valid.eq(active & ~asked),
            asks.eq(self.requests.valid & self.requests.ready),
            self.words.ready.eq(1),
            last.eq(self.words.valid & (after == coming.words)),
            self.write.addr.eq(coming.base + number),
            self.write.data.eq(self.words.payload),
            self.write.en.eq(self.words.valid),
        ]
        m.d.sync += [asked.eq((asked | asks) & ~leaves), self.soon.eq(ends)]
        with m.If(self.words.valid):
            m.d.sync += [number.eq(Mux(last, 0, after)), after.eq(Mux(last, 1, after + 1))]
        if self._tape is None:
            m.d.comb += [words.eq(op.request.words), ends.eq(last)]
        else:
            total = self._load_tape(m, self._tape, op, coming, some)
            m.d.comb += [words.eq(Mux(op.is_tape, total, op.request.words)), ends.eq(last | self._tape.last)]
        works = self._leave(m, words, active, asked | asks, asks, ends, leaves)
        count_cycles(
            m,
            self._sizes,
            self.spent,
            running=self.running,
            active=active,
            works=works,
            unmet=start.unmet,
        )
        return m

    def _come(
        self, m: Module, op: data.View, words: Signal, active: Signal, asks: Signal, ends: Signal
    ) -> tuple[data.View, Value]:
        """Return the op whose words come next, and whether there is one: the oldest that asked and has not ended."""
        entering = Signal(self._coming)
        m.d.comb += entering.words.eq(self._own_words(words))
        if "before" in dict(self._coming):
            m.d.comb += entering.before.eq(self.share.before)
        told = ("words", "before", *_TOLD)
        m.d.comb += [entering[name].eq(op[name]) for name, _ in self._coming if name not in told]
        if self._in_flight == 1:
            return entering, active
        if self._walk is not None:
            for name in (name for name in _TOLD if name in dict(self._coming)):
                m.d.comb += [entering[name][number].eq(of) for number, of in enumerate(getattr(self._walk, name))]
        m.submodules.coming = queue = SyncFIFO(width=self._coming.size, depth=self._in_flight)
        coming = Signal(self._coming)
        m.d.comb += [
            queue.w_data.eq(entering),
            queue.w_en.eq(asks & ~(ends & ~queue.r_rdy)),  # an answer may come in the cycle of its request
            queue.r_en.eq(ends),
            coming.eq(Mux(queue.r_rdy, queue.r_data, entering)),
        ]
        return coming, queue.r_rdy | asks

    def _own_words(self, words: Value) -> Value:
        """Return how many of the words of a vector come: all, or of rows with one for each tile the tile's own."""
        tiles = self._sizes.load_words
        return words if tiles == 1 else divided(words + (tiles - 1), tiles).quotient

    def _leave(
        self, m: Module, words: Signal, active: Signal, asked: Value, asks: Signal, ends: Signal, leaves: Signal
    ) -> Value:
        """Let the next op start when it may; return whether this one has a busy cycle."""
        if self._in_flight == 1:
            m.d.comb += leaves.eq(ends)
            if self._word_bytes == self._port_bytes:  # a busy cycle for each word, whichever
                return self.words.valid if self._tape is None else self.words.valid | self.tape_words.valid
        sizes = {"word_bytes": self._word_bytes, "port_bytes": self._port_bytes}
        works, done = port_cycles(m, words=words, active=active, leaves=leaves, **sizes)
        if self._in_flight > 1:
            on_way = Signal(range(self._in_flight + 1))
            m.d.comb += leaves.eq(active & asked & done & (on_way + asks - ends < self._in_flight))
            m.d.sync += on_way.eq(on_way + asks - ends)
        return works

    def _load_tape(self, m: Module, tape: Any, op: data.View, coming: data.View, some: Value) -> Value:
        """Hand the words of a tape or a state to what stores them; return how many the op in front will ask for."""
        m.submodules.tape_load = tape
        connect(m, flipped(self.tape_words), tape.words)
        m.d.comb += [tape.op.eq(coming.tape), self.is_tape.eq(op.is_tape)]
        states = tape.memories if isinstance(tape, StateLoad) else getattr(tape, "states", None)
        if states is not None:
            connect(m, flipped(self.states), states)
        if isinstance(tape, StateLoad):
            total: Value = op.tape.words
            return total
        connect(m, flipped(self.memories), tape.memories)
        connect(m, flipped(self.lists), tape.lists)
        m.d.comb += tape.is_active.eq(some & coming.is_tape)
        looks_up, total = (tape, tape.total) if self._walk is None else (self._walk, self._walk.words)
        if self._sizes.is_part:
            total = self._share(m, tape, coming)
        for table, looked_up in zip(self.tables, looks_up.tables, strict=True):
            connect(m, flipped(table), looked_up)
        if self._walk is not None:
            m.submodules.walk = self._walk
            of_tape = op.tape.tape if isinstance(tape, MovedLoad) else op.tape
            m.d.comb += self._walk.step.eq(of_tape.step)
            m.d.comb += [getattr(tape, name).eq(coming[name]) for name in _TOLD if name in dict(self._coming)]
            if isinstance(tape, MovedLoad):
                total = Mux(op.tape.is_state, op.tape.state.words, total)
        return total

    def _share(self, m: Module, tape: TapeLoad, coming: data.View) -> Value:
        """Tell how many words of the step in front are this tile's; return how many all have."""
        asking = tape.share if self._walk is None else self._walk.share
        m.d.comb += [
            self.share.own.eq(asking.own),
            tape.share.before.eq(coming.before),
            tape.share.total.eq(coming.words),
        ]
        if self._walk is not None:
            m.d.comb += [self._walk.share.before.eq(self.share.before), self._walk.share.total.eq(self.share.total)]
        total: Value = self.share.total
        return total
