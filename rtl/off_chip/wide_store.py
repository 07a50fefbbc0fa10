"""The store unit behind a port that is wider than a word: several words of the tape in each cycle."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.off_chip.store_unit import StoreOp, StoreUnit
from deltatrain.rtl.off_chip.tape_walk import VALUE_BITS, TapePart, TapeStep, TapeWalk
from deltatrain.rtl.parts.layouts import INDEX_BITS, word
from deltatrain.rtl.parts.tape_ports import TapePorts

__all__ = ["TapeRow", "WideStoreUnit", "WideWalk"]


class TapeRow(data.StructLayout):
    """Words of the tape that are handed over in one cycle.

    Members
    -------
    words : ArrayLayout(word, W)
        The first `count` of them are words of the tape.
    count : range(W + 1)
        How many.
    """

    def __init__(self, lanes: int, words: int) -> None:
        super().__init__({"words": data.ArrayLayout(word(VALUE_BITS, lanes), words), "count": range(words + 1)})


class WideWalk(Component):
    """Walks through the words of a step of the tape, W of them in a cycle.

    Parameters
    ----------
    sizes
        Of the tile's memories; W is their `store_words`.
    lanes
        P.

    Attributes
    ----------
    step, tables, words, take, last
        As of `rtl.off_chip.tape_walk.TapeWalk`; what is taken are W words, or the step's last.
    parts, offsets : Out(TapePart).array(W), Out(unsigned(INDEX_BITS)).array(W)
        What each of them is, and how many words of its part are before it.
    count : Out(range(W + 1))
        How many they are.
    """

    def __init__(self, *, sizes: TileSizes, lanes: int) -> None:
        each = range(sizes.store_words)
        self._walks = [TapeWalk(sizes=sizes, lanes=lanes, first=first, stride=len(each)) for first in each]
        walk = self._walks[0].signature.members
        super().__init__(
            {
                **{name: walk[name] for name in ("step", "tables", "words", "take", "last")},
                "parts": Out(TapePart).array(len(each)),
                "offsets": Out(unsigned(INDEX_BITS)).array(len(each)),
                "count": Out(range(len(each) + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Let all walks look up the same lists and take their words together."""
        m = Module()
        first = self._walks[0]
        for number, walk in enumerate(self._walks):
            m.submodules[f"walk_{number}"] = walk
            m.d.comb += [
                walk.step.eq(self.step),
                walk.take.eq(self.take),
                self.parts[number].eq(walk.part),
                self.offsets[number].eq(walk.offset),
            ]
            for table, inside in zip(self.tables, walk.tables, strict=True):
                m.d.comb += inside.place.eq(table.place)
        for table, inside in zip(self.tables, first.tables, strict=True):
            m.d.comb += table.list.eq(inside.list)
        m.d.comb += [
            self.words.eq(first.words),
            self.last.eq(first.last),
            self.count.eq(sum(walk.is_there for walk in self._walks)),
        ]
        return m


class WideStoreUnit(StoreUnit):
    """Stores one step after the other, as many words in a cycle as the port moves, the last part of one counted.

    So the last word has left the tile when the memory may take it. Memories of tape and states, and the lists, have a
    port for each word of a cycle.

    Parameters
    ----------
    engine, sizes, memories, in_flight, port_bytes
        As of `rtl.off_chip.store_unit.StoreUnit`; W is the `store_words` of `sizes`.

    Attributes
    ----------
    memories : In(memories).array(W)
        To the memories of what the element-wise unit made.
    entries : In(word_port).array(W)
        To the lists that the encoder made; where neurons spike two for each word.
    words : Out(stream.Signature(TapeRow(P, W)))
        The words, in the order of the requests; a row has words of one.
    commands, ready_counts, running, tables, requests, stored, soon, spent
        As of `rtl.off_chip.store_unit.StoreUnit`.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        sizes: TileSizes,
        memories: TapePorts,
        in_flight: int = 1,
        port_bytes: int | None = None,
    ) -> None:
        walk, entries = WideWalk(sizes=sizes, lanes=engine.lanes), self._entries(engine, sizes, memories)
        ports = {
            "memories": In(memories).array(sizes.store_words),
            "tables": walk.signature.members["tables"],
            "entries": In(entries).array((1 + self._spikes) * sizes.store_words),
        }
        self._row = TapeRow(engine.lanes, sizes.store_words)
        self._set_ports(engine, sizes, StoreOp(TapeStep(sizes)), walk, in_flight, port_bytes, ports)

    @property
    def _handed(self) -> Any:
        """What is handed over in a cycle."""
        return self._row

    def _read(self, m: Module, walk: Any, step: data.View, item: Any) -> None:
        """Address the words in front in their memories, and turn the answers into a row."""
        count = Signal.like(walk.count)
        with m.If(walk.take):
            m.d.sync += count.eq(walk.count)
        m.d.comb += item.count.eq(count)
        ports = 1 + self._spikes
        for number, memories in enumerate(self.memories):
            m.submodules[f"word_{number}"] = inside = Module()
            own = SimpleNamespace(take=walk.take, part=walk.parts[number], offset=walk.offsets[number])
            entries = self.entries[ports * number : ports * (number + 1)]
            self._read_word(inside, own, step, item.words[number], memories, entries)
