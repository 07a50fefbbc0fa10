"""The store unit of a tile that moves kept states off-chip."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import In

from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.off_chip.state_words import KeptPorts, MemoryGroup, StateStep, StateWalk
from deltatrain.rtl.off_chip.store_unit import StoreOp, StoreUnit
from deltatrain.rtl.off_chip.tape_walk import VALUE_BITS

__all__ = ["StateStoreUnit", "read_state"]


class StateStoreUnit(StoreUnit):
    """Stores one state after the other, as `rtl.off_chip.store_unit` does with the tape.

    Parameters
    ----------
    engine, sizes, in_flight, port_bytes
        As of `rtl.off_chip.store_unit`.
    kept
        Read ports of the memories of kept states.

    Attributes
    ----------
    states : In(kept)
        To the kept states.
    commands, ready_counts, running, requests, words, stored, soon, spent
        As of `rtl.off_chip.store_unit`.
    """

    def __init__(self, *, engine: Engine, sizes: TileSizes, kept: KeptPorts, in_flight: int, port_bytes: int) -> None:
        self._group, self._memory_bits = MemoryGroup.of(engine), engine.formats.memory_bits
        step = StateStep(sizes.kept_words, sizes.kept_values)
        walk = StateWalk(engine=engine, step=step)
        self._set_ports(engine, sizes, StoreOp(step), walk, in_flight, port_bytes, {"states": In(kept)})

    def _read(self, m: Module, walk: Any, step: data.View, item: Any) -> None:
        """Read the word in front of its memory."""
        read_state(m, walk, self._group, self.states, item, self._lanes)


def read_state(m: Module, walk: Any, group: MemoryGroup, memories: Any, item: Any, lanes: int) -> None:
    """Address the word in front in its memory, and cut the answer into a word off-chip.

    Parameters
    ----------
    m
        The module of the store.
    walk
        A `StateWalk` through the state that is stored.
    group
        How M lies in words off-chip.
    memories
        To the kept states.
    item
        Becomes the word that was in front in the cycle before.
    lanes
        P.
    """
    if "memory" not in memories.signature.members:
        values = memories.values
        m.d.comb += [
            values.en.eq(walk.take),
            values.addr.eq(walk.values),
            Value.cast(item).eq(_wide(m, values.data, VALUE_BITS)),
        ]
        return
    memory, values = memories.memory, memories.values
    is_memory, piece, held = Signal(), Signal.like(walk.piece), Signal(memory.data.shape())
    m.d.comb += [
        memory.en.eq(walk.take & walk.is_memory & ((walk.piece == 0) | (walk.piece == group.second))),
        memory.addr.eq(walk.memory),
        values.en.eq(walk.take & ~walk.is_memory),
        values.addr.eq(walk.values),
    ]
    with m.If(walk.take):
        m.d.sync += [is_memory.eq(walk.is_memory), piece.eq(walk.piece)]
    with m.If(memory.en):
        m.d.sync += held.eq(memory.data)
    answer = _wide(m, memory.data, 8 * group.value_bytes)
    first = Mux(piece >= group.second, _wide(m, held, 8 * group.value_bytes), answer)
    of_memory = Cat(first, answer).word_select(piece, lanes * VALUE_BITS)
    m.d.comb += Value.cast(item).eq(Mux(is_memory, of_memory, _wide(m, values.data, VALUE_BITS)))


def _wide(m: Module, values: data.View, bits: int) -> Value:
    """Return the values of a word in so many bits each."""
    wide = [Signal(signed(bits), name=f"wide_{lane}") for lane in range(values.shape().length)]
    m.d.comb += [one.eq(values[lane]) for lane, one in enumerate(wide)]
    return Cat(*wide)
