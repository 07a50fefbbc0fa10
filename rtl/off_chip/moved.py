"""Tapes and kept states at one port: what a tile moves off-chip and back that does both."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.off_chip.state_store import read_state
from deltatrain.rtl.off_chip.state_words import KeptPorts, MemoryGroup, StateLoad, StateStep, StateWalk
from deltatrain.rtl.off_chip.store_unit import StoreOp, StoreUnit
from deltatrain.rtl.off_chip.tape_load import TapeLoad, TapeLoadOp
from deltatrain.rtl.off_chip.tape_walk import VALUE_BITS, TapeStep, TapeWalk
from deltatrain.rtl.parts.layouts import INDEX_BITS, word
from deltatrain.rtl.parts.tape_ports import TapePorts

__all__ = ["MovedLoad", "MovedLoadOp", "MovedStep", "MovedStoreUnit"]


class MovedStep(data.StructLayout):
    """One step's tape, or one layer's kept state, that is stored.

    Members
    -------
    is_state : unsigned(1)
        Which of them it is.
    tape, state : TapeStep, StateStep
        Where it is.
    """

    def __init__(self, sizes: TileSizes) -> None:
        super().__init__(
            {"is_state": 1, "tape": TapeStep(sizes), "state": StateStep(sizes.kept_words, sizes.kept_values)}
        )


class MovedWalk(Component):
    """Counts through the words of what is stored.

    Parameters
    ----------
    engine, sizes
        As of `MovedStoreUnit`.

    Attributes
    ----------
    step, take, words, last
        As of `rtl.off_chip.tape_walk.TapeWalk`.
    of_tape, of_state
        The walks through either, to look at.
    """

    def __init__(self, *, engine: Engine, sizes: TileSizes) -> None:
        self.of_tape = TapeWalk(sizes=sizes, lanes=engine.lanes)
        self.of_state = StateWalk(engine=engine, step=StateStep(sizes.kept_words, sizes.kept_values))
        super().__init__(
            {
                "step": In(MovedStep(sizes)),
                "tables": self.of_tape.signature.members["tables"],
                "take": In(1),
                "words": Out(unsigned(INDEX_BITS)),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Let one of the two walk."""
        m = Module()
        m.submodules.of_tape, m.submodules.of_state = tape, state = self.of_tape, self.of_state
        is_state = self.step.is_state
        for table, looked_up in zip(self.tables, tape.tables, strict=True):
            connect(m, flipped(table), looked_up)
        m.d.comb += [
            tape.step.eq(self.step.tape),
            state.step.eq(self.step.state),
            tape.take.eq(self.take & ~is_state),
            state.take.eq(self.take & is_state),
            self.words.eq(Mux(is_state, state.words, tape.words)),
            self.last.eq(Mux(is_state, state.last, tape.last)),
        ]
        return m


class MovedStoreUnit(StoreUnit):
    """Stores tapes and states, in the order of their commands, as `rtl.off_chip.store_unit` does with tapes.

    Parameters
    ----------
    engine, sizes, in_flight, port_bytes
        As of `rtl.off_chip.store_unit`.
    memories
        Read ports of the memories of tape and states.
    kept
        Read ports of the memories of kept states.

    Attributes
    ----------
    states : In(kept)
        To the kept states.
    memories, tables, entries, commands, ready_counts, running, requests, words, stored, soon, spent
        As of `rtl.off_chip.store_unit`.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        sizes: TileSizes,
        memories: TapePorts,
        kept: KeptPorts,
        in_flight: int = 1,
        port_bytes: int | None = None,
    ) -> None:
        walk, entries = MovedWalk(engine=engine, sizes=sizes), self._entries(engine, sizes, memories)
        self._group = MemoryGroup.of(engine)
        ports = {"memories": In(memories), "tables": walk.signature.members["tables"], "entries": In(entries)}
        ports |= {"states": In(kept)}
        self._set_ports(engine, sizes, StoreOp(MovedStep(sizes)), walk, in_flight, port_bytes, ports)

    def _read(self, m: Module, walk: Any, step: data.View, item: Any) -> None:
        """Read the word in front of its memory, whichever it is."""
        shape, is_state = self.words.payload.shape(), Signal()
        of_tape, of_state = Signal(shape, name="of_tape"), Signal(shape, name="of_state")
        super()._read(m, walk.of_tape, step.tape, of_tape)
        read_state(m, walk.of_state, self._group, self.states, of_state, self._lanes)
        with m.If(walk.take):
            m.d.sync += is_state.eq(step.is_state)
        with m.If(is_state):
            m.d.comb += item.eq(of_state)
        with m.Else():
            m.d.comb += item.eq(of_tape)


class MovedLoadOp(data.StructLayout):
    """One step's tape, or one layer's state, that is loaded.

    Members
    -------
    is_state : unsigned(1)
        Which of them it is.
    tape, state : TapeLoadOp, StateStep
        Where it goes.
    """

    def __init__(self, sizes: TileSizes, lanes: int) -> None:
        state = StateStep(sizes.loaded_words, sizes.loaded_values)
        super().__init__({"is_state": 1, "tape": TapeLoadOp(sizes, lanes), "state": state})


class MovedLoad(Component):
    """Stores the words of tapes and states that come, as `TapeLoad` and `StateLoad` do.

    Parameters
    ----------
    engine, sizes, memories, looks_up
        As of `rtl.off_chip.tape_load.TapeLoad`.
    kept
        Write ports of the memories of loaded states.

    Attributes
    ----------
    op : In(MovedLoadOp)
        What is loaded, the same until its last word has come.
    states : In(kept)
        To where loaded states are kept.
    words, total, last, memories, tables, counts, lists, is_active
        As of `rtl.off_chip.tape_load.TapeLoad`.
    """

    def __init__(
        self, *, engine: Engine, sizes: TileSizes, memories: TapePorts, kept: KeptPorts, looks_up: bool
    ) -> None:
        self._tape = TapeLoad(engine=engine, sizes=sizes, memories=memories, looks_up=looks_up)
        self._state = StateLoad(engine=engine, sizes=sizes, memories=kept)
        inside = self._tape.signature.members
        self._told = [name for name in ("tables", "counts") if name in inside]
        super().__init__(
            {
                "op": In(MovedLoadOp(sizes, engine.lanes)),
                "words": In(stream.Signature(word(VALUE_BITS, engine.lanes))),
                "total": Out(unsigned(INDEX_BITS)),
                "last": Out(1),
                **{name: inside[name] for name in ("memories", "lists", *self._told)},
                "is_active": In(1),
                "states": self._state.signature.members["memories"],
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Hand each word to the part that stores it."""
        m = Module()
        m.submodules.tape, m.submodules.state = tape, state = self._tape, self._state
        is_state = self.op.is_state
        connect(m, flipped(self.memories), tape.memories)
        connect(m, flipped(self.lists), tape.lists)
        connect(m, flipped(self.states), state.memories)
        if "tables" in self._told:
            for table, looked_up in zip(self.tables, tape.tables, strict=True):
                connect(m, flipped(table), looked_up)
        else:
            m.d.comb += tape.counts.eq(self.counts)
        for part, own in ((tape, ~is_state), (state, is_state)):
            m.d.comb += [part.words.payload.eq(self.words.payload), part.words.valid.eq(self.words.valid & own)]
        m.d.comb += [
            self.words.ready.eq(1),
            tape.op.eq(self.op.tape),
            state.op.eq(self.op.state),
            tape.is_active.eq(self.is_active & ~is_state),
            self.total.eq(Mux(is_state, self.op.state.words, tape.total)),
            self.last.eq(tape.last | state.last),
        ]
        return m
