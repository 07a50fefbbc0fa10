"""What one tile gives to the exchange: its fragments of lists, its sums, its part of the logits."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, unsigned
from amaranth.lib import stream
from amaranth.lib.memory import ReadPort
from amaranth.lib.wiring import Component, In, Out, Signature, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Engine, Formats
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.lanes.op import BANKS
from deltatrain.rtl.lists.entry_reader import EntryReader
from deltatrain.rtl.lists.ports import list_port
from deltatrain.rtl.lists.source import ListSource
from deltatrain.rtl.parts.layouts import INDEX_BITS, Entry, word
from deltatrain.rtl.tiles.exchange_op import ExchangeKind
from deltatrain.rtl.tiles.part import Part

__all__ = ["Contribution", "ContributionPort"]


class ContributionPort(Signature):
    """What one tile gives to the exchange, seen from the tile.

    Parameters
    ----------
    formats
        Of the engine.
    sizes
        Of the tile's memories.

    Members
    -------
    sources : In(stream.Signature(ListSource))
        What to read.
    bank : In(1)
        The bank of M, of a source at the port.
    count : Out(unsigned(INDEX_BITS + 1))
        Items of the source at the port; of meaning while ``sources.valid``.
    kind : In(ExchangeKind)
        What the op that takes items is.
    items : Out(stream.Signature(Entry(memory_bits)))
        Items, with indices among the elements of all tiles, or classes.
    """

    def __init__(self, formats: Formats, sizes: TileSizes) -> None:
        source = ListSource(sizes.own_lists, max(sizes.accumulator_words, 2), spikes=bool(sizes.spikes))
        super().__init__(
            {
                "sources": In(stream.Signature(source)),
                "bank": In(1),
                "count": Out(unsigned(INDEX_BITS + 1)),
                "kind": In(ExchangeKind),
                "items": Out(stream.Signature(Entry(formats.memory_bits))),
            }
        )


class Contribution(Component):
    """Reads ahead what an op will take, so that the first item is there when the op starts; sums wait in a queue.

    A fragment is read from the encoder's lists, whose indices count the tile's own elements. The tile's part of the
    logits is read like a vector: lane after lane of M.

    Parameters
    ----------
    engine
        Lanes and formats.
    sizes
        Of the tile's memories.
    part
        Which tile this is.

    Attributes
    ----------
    given : Out(ContributionPort)
        To the exchange.
    lists : In(list_port)
        To the lists that the encoder made, and to those that were loaded.
    partial : In(ReadPort.Signature)
        To M; address: accumulator word times 2, plus bank.
    sums : In(stream.Signature(Entry(memory_bits)))
        What `matvec_t` summed.
    """

    def __init__(self, *, engine: Engine, sizes: TileSizes, part: Part) -> None:
        formats, words = engine.formats, max(sizes.accumulator_words, 2)
        self._part = part
        self._reader = EntryReader(
            value_bits=formats.memory_bits,
            lanes=engine.lanes,
            ring_depth=sizes.own_entries,
            lists=sizes.own_lists,
            vector_words=words,
            one=1,  # no source here has a bias; a spike is told from a gradient-only neuron
            spikes=bool(sizes.spikes),
        )
        self._spikes, shape = bool(sizes.spikes), word(formats.memory_bits, engine.lanes)
        kept: dict[str, Any] = {"entries": sizes.own_entries, "lists": sizes.own_lists, "spikes": self._spikes}
        super().__init__(
            {
                "given": Out(ContributionPort(formats, sizes)),
                "lists": In(list_port(value_bits=formats.activation.bits, **kept)),
                "partial": In(
                    ReadPort.Signature(addr_width=ceil_log2(BANKS * sizes.accumulator_words), shape=shape),
                ),
                "sums": In(stream.Signature(Entry(formats.memory_bits))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect reader and memories; choose where items come from."""
        m = Module()
        m.submodules.reader = reader = self._reader
        given, items = self.given, self.given.items
        connect(m, flipped(given.sources), reader.sources)
        connect(m, flipped(self.lists.table), reader.lists.table)
        ring = self.lists.ring  # its values are narrower than the reader's
        of_sums, of_lists = given.kind == ExchangeKind.SUMS, given.kind == ExchangeKind.LIST
        index = Mux(of_lists, self._part.everywhere(reader.entries.payload.index), reader.entries.payload.index)
        m.d.comb += [
            reader.columns.eq(reader.columns_of(reader.sources.payload, reader.lists.table.place)),
            given.count.eq(reader.count),
            self.lists.reads.eq(reader.lists.reads),
            ring.en.eq(reader.lists.ring.en),
            ring.addr.eq(reader.lists.ring.addr),
            reader.lists.ring.data.index.eq(ring.data.index),
            self.partial.en.eq(reader.vectors.en),
            self.partial.addr.eq(Cat(given.bank, reader.vectors.addr)),
            reader.vectors.data.eq(self.partial.data),
            items.valid.eq(Mux(of_sums, self.sums.valid, reader.entries.valid)),
            items.payload.index.eq(Mux(of_sums, self.sums.payload.index, index)),
            items.payload.value.eq(Mux(of_sums, self.sums.payload.value, reader.entries.payload.value)),
            self.sums.ready.eq(items.ready & of_sums),
            reader.entries.ready.eq(items.ready & ~of_sums),
        ]
        if not self._spikes:
            m.d.comb += reader.lists.ring.data.value.eq(ring.data.value)
        return m
