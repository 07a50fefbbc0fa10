"""Where the words of a step of the tape go when they come back from off-chip memory."""

from __future__ import annotations

from amaranth.hdl import Module, unsigned
from amaranth.lib import data, stream
from amaranth.lib.memory import WritePort
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.lists.loaded_lists import ListPair
from deltatrain.rtl.off_chip.tape_walk import VALUE_BITS, TapePart, TapeStep, TapeWalk, entries_of_word
from deltatrain.rtl.parts.layouts import INDEX_BITS, Entry, word

__all__ = ["TapeLoad", "TapeLoadOp"]


class TapeLoadOp(data.StructLayout):
    """One step's tape to load.

    Members
    -------
    step : TapeStep
        Where it goes, and the numbers that its lists had when they were made.
    pair : unsigned
        The pair of loaded lists that they become.
    x, h : unsigned
        First word of each in the memory of loaded lists.
    """

    def __init__(self, sizes: TileSizes, lanes: int) -> None:
        list_word = unsigned(ceil_log2(sizes.loaded_entries // entries_of_word(lanes)))
        pair = unsigned(ceil_log2(sizes.loaded_lists // 2))
        super().__init__({"step": TapeStep(sizes), "pair": pair, "x": list_word, "h": list_word})


class TapeLoad(Component):
    """Writes each word where it belongs in the cycle in which it comes.

    Parameters
    ----------
    engine
        Lanes and formats.
    sizes
        Of the tile's memories.
    tape
        To the memory of the tape.
    state
        To the memory of states; None for a cell without.

    Attributes
    ----------
    op : In(TapeLoadOp)
        What is loaded, the same until its last word has come.
    words : In(stream.Signature(word))
        What comes; always ready.
    total : Out(unsigned(INDEX_BITS))
        Words of the step.
    last : Out(1)
        Its last word comes in this cycle.
    tape, state : In(WritePort.Signature)
        To the memories of what the gates made.
    tables : In(table_port).array(2)
        To the lists that the encoder made, whose lengths stay known.
    entries : In(WritePort.Signature)
        To the words of loaded lists, see `rtl.lists.loaded_lists`.
    pair : Out(unsigned), places : Out(ListPair)
        Where the two lists of the step are.
    """

    def __init__(
        self, *, engine: Engine, sizes: TileSizes, tape: WritePort.Signature, state: WritePort.Signature | None
    ) -> None:
        self._lanes, self._word_entries = engine.lanes, entries_of_word(engine.lanes)
        op = TapeLoadOp(sizes, engine.lanes)
        self._walk = TapeWalk(sizes=sizes, lanes=engine.lanes)
        entries = data.ArrayLayout(Entry(engine.formats.activation.bits), self._word_entries)
        super().__init__(
            {
                "op": In(op),
                "words": In(stream.Signature(word(VALUE_BITS, engine.lanes))),
                "total": Out(unsigned(INDEX_BITS)),
                "last": Out(1),
                "tape": In(tape),
                **({} if state is None else {"state": In(state)}),
                "tables": self._walk.signature.members["tables"],
                "entries": In(WritePort.Signature(addr_width=op["x"].width, shape=entries)),
                "pair": Out(op["pair"].shape),
                "places": Out(ListPair(sizes.loaded_entries)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Follow the words through the parts of the tape."""
        m = Module()
        m.submodules.walk = walk = self._walk
        for table, looked_up in zip(self.tables, walk.tables, strict=True):
            connect(m, flipped(table), looked_up)
        op, came, values = self.op, self.words.valid, self.words.payload
        is_x, is_h = (walk.part == part for part in (TapePart.X, TapePart.H))
        m.d.comb += [
            self.words.ready.eq(1),
            walk.step.eq(op.step),
            walk.take.eq(came),
            self.total.eq(walk.words),
            self.last.eq(came & walk.last),
            self.tape.en.eq(came & (walk.part == TapePart.TAPE)),
            self.tape.addr.eq(op.step.tape + walk.offset),
            *(self.tape.data[lane].eq(values[lane]) for lane in range(self._lanes)),
            self.entries.en.eq(came & (is_x | is_h)),
            self.pair.eq(op.pair),
            self.places.x.base.eq(op.x * self._word_entries),
            self.places.x.count.eq(walk.counts[0]),
            self.places.h.base.eq(op.h * self._word_entries),
            self.places.h.count.eq(walk.counts[1]),
        ]
        with m.If(is_h):
            m.d.comb += self.entries.addr.eq(op.h + walk.offset)
        with m.Else():
            m.d.comb += self.entries.addr.eq(op.x + walk.offset)
        for number in range(self._word_entries):
            entry = self.entries.data[number]
            m.d.comb += [entry.index.eq(values[2 * number]), entry.value.eq(values[2 * number + 1])]
        if hasattr(self, "state"):
            m.d.comb += [
                self.state.en.eq(came & (walk.part == TapePart.STATE)),
                self.state.addr.eq(op.step.state + walk.offset),
                *(self.state.data[lane].eq(values[lane]) for lane in range(self._lanes)),
            ]
        return m
