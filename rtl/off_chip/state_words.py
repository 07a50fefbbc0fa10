"""How a kept state lies in words off-chip: M first, then every other vector in its words.

A word has P values of `VALUE_BITS`, as a word of the tape. A word of M, of b bytes for each lane, fills b / 2 of them;
if b is odd, two words of M fill b of them.
"""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, Signature
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.off_chip.tape_walk import VALUE_BITS
from deltatrain.rtl.parts.layouts import INDEX_BITS, word

__all__ = ["KeptPorts", "MemoryGroup", "StateLoad", "StateStep", "StateWalk"]


class MemoryGroup(NamedTuple):
    """The least words off-chip that hold whole words of M.

    Attributes
    ----------
    pieces
        Words off-chip.
    second
        The piece in which the second word of M begins; `pieces` if the group has one word of M.
    value_bytes
        b.
    """

    pieces: int
    second: int
    value_bytes: int

    @classmethod
    def of(cls, engine: Engine) -> MemoryGroup:
        """Return the group of an engine's accumulators."""
        size = engine.formats.memory.bytes
        return cls(size, size // 2, size) if size % 2 else cls(size // 2, size // 2, size)


class StateStep(data.StructLayout):
    """One layer's state that is moved.

    Members
    -------
    words, memory_pieces : unsigned
        Words off-chip; those of them that are M's, in whole groups.
    memory, values : unsigned
        First word of M, and of the other vectors, where the state is kept. What is of M is present where it is kept.
    """

    def __init__(self, memory_words: int, value_words: int) -> None:
        count = unsigned(INDEX_BITS)
        of_memory = {"memory_pieces": count, "memory": unsigned(ceil_log2(max(memory_words, 1)))}
        super().__init__(
            {
                "words": count,
                **(of_memory if memory_words else {}),
                "values": unsigned(ceil_log2(value_words)),
            }
        )


class StateWalk(Component):
    """Counts through the words of a state that is moved.

    Parameters
    ----------
    engine
        Lanes and formats.
    step
        Shape of the state's step.

    Attributes
    ----------
    step : In(StateStep)
        What is walked through, the same until its last word.
    take : In(1)
        The word in front is taken in this cycle.
    words : Out(unsigned(INDEX_BITS))
        Words of the state.
    last : Out(1)
        Whether it is the last; the next is the first again.
    values : Out
        The word that it is of vectors beside M.
    is_memory, piece, memory : Out
        Whether it is a piece of M, and which of its group; the word of M that begins, or goes on, in it. Present where
        M is kept.
    """

    def __init__(self, *, engine: Engine, step: StateStep) -> None:
        self._group, self._has_memory = MemoryGroup.of(engine), "memory" in dict(step)
        of_memory = {"is_memory": Out(1), "piece": Out(range(self._group.pieces))}
        super().__init__(
            {
                "step": In(step),
                "take": In(1),
                "words": Out(unsigned(INDEX_BITS)),
                "last": Out(1),
                **(of_memory | {"memory": Out(step["memory"].shape)} if self._has_memory else {}),
                "values": Out(step["values"].shape),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count words, pieces and words of M."""
        m = Module()
        step, number = self.step, Signal(INDEX_BITS)
        m.d.comb += [
            self.words.eq(step.words),
            self.last.eq(number + 1 == step.words),
            self.values.eq(step.values + number - (step.memory_pieces if self._has_memory else 0)),
        ]
        with m.If(self.take):
            m.d.sync += number.eq(Mux(self.last, 0, number + 1))
        if self._has_memory:
            self._count_memory(m, number)
        return m

    def _count_memory(self, m: Module, number: Signal) -> None:
        """Count pieces and words of M."""
        step, group, first = self.step, self._group, Signal.like(self.memory)
        ends_group = self.piece == group.pieces - 1
        piece = Signal.like(self.piece, name="next_piece")
        m.d.comb += [
            self.is_memory.eq(number < step.memory_pieces),
            self.piece.eq(piece),
            self.memory.eq(step.memory + first + (self.piece >= group.second)),
        ]
        with m.If(self.take):
            with m.If(self.is_memory):
                m.d.sync += piece.eq(Mux(ends_group, 0, piece + 1))
            with m.If(self.last):
                m.d.sync += first.eq(0)
            with m.Elif(self.is_memory & ends_group):
                m.d.sync += first.eq(first + (2 if group.value_bytes % 2 else 1))


class KeptPorts(Signature):
    """Ports to the memories of kept states, seen from who keeps them.

    Members
    -------
    memory, values : Out(memory), Out(values)
        To M, if it is kept, and to the other vectors.
    """

    def __init__(self, *, memory: Signature | None, values: Signature) -> None:
        super().__init__(({"memory": Out(memory)} if memory else {}) | {"values": Out(values)})


class StateLoad(Component):
    """Stores the words of a state that come from off-chip memory where loaded states are kept.

    Parameters
    ----------
    engine
        Lanes and formats.
    sizes
        Of the tile's memories.
    memories
        Write ports of the memories of loaded states.

    Attributes
    ----------
    op : In(StateStep)
        The state whose words come.
    words : In(stream.Signature(word))
        They; always ready.
    last : Out(1)
        The last of them comes in this cycle.
    memories : In(memories)
        To where loaded states are kept.
    """

    def __init__(self, *, engine: Engine, sizes: TileSizes, memories: KeptPorts) -> None:
        self._step, self._lanes = StateStep(sizes.loaded_words, sizes.loaded_values), engine.lanes
        self._group, self._step_has_memory = MemoryGroup.of(engine), bool(sizes.loaded_words)
        self._walk = StateWalk(engine=engine, step=self._step)
        super().__init__(
            {
                "op": In(self._step),
                "words": In(stream.Signature(word(VALUE_BITS, engine.lanes))),
                "last": Out(1),
                "memories": In(memories),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count the words; hand on those of vectors beside M."""
        m = Module()
        m.submodules.walk = walk = self._walk
        values, came, is_memory = self.memories.values, self.words.valid, Signal()
        m.d.comb += [
            walk.step.eq(self.op),
            walk.take.eq(came),
            self.words.ready.eq(1),
            self.last.eq(came & walk.last),
            values.en.eq(came & ~is_memory),
            values.addr.eq(walk.values),
            *(values.data[lane].eq(self.words.payload[lane]) for lane in range(self._lanes)),
        ]
        if self._step_has_memory:
            m.d.comb += is_memory.eq(walk.is_memory)
            self._gather(m, walk)
        return m

    def _gather(self, m: Module, walk: StateWalk) -> None:
        """Gather the pieces of each word of M."""
        group, came, now = self._group, self.words.valid, Value.cast(self.words.payload)
        word_bits = self._lanes * VALUE_BITS
        before = [Signal(word_bits, name=f"before_{number}") for number in range(-(-group.value_bytes // 2) - 1)]
        with m.If(came):
            m.d.sync += [older.eq(newer) for older, newer in zip(before, [*before[1:], now], strict=True)]
        gathered = Cat(*before, now)
        ends_first = -(-group.value_bytes // 2) - 1
        ends = walk.piece == ends_first
        bits = 8 * group.value_bytes
        chosen: Value = gathered[: self._lanes * bits]
        if group.value_bytes % 2:
            is_second = walk.piece == group.pieces - 1
            ends = ends | is_second
            chosen = Mux(is_second, gathered[8 * self._lanes :], chosen)
        at = Signal.like(walk.memory, name="at")  # of the word of M that ends in this piece
        m.d.comb += at.eq(walk.memory - ((walk.piece == ends_first) & (ends_first >= group.second)))
        memory = self.memories.memory
        m.d.comb += [
            memory.en.eq(came & walk.is_memory & ends),
            memory.addr.eq(at),
            *(memory.data[lane].eq(chosen[lane * bits : (lane + 1) * bits]) for lane in range(self._lanes)),
        ]
