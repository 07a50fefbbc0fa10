"""The exchange of several tiles: broadcasts their lists, and adds up what each of them has summed."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.engine import Formats
from deltatrain.accel.modes import encode, encode_spikes
from deltatrain.rtl.commands.begin import Begin
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.unit_counters import count_cycles, spent_layout
from deltatrain.rtl.commands.waits import Wait, command, counts_layout
from deltatrain.rtl.lanes.adder_tree import AdderTree
from deltatrain.rtl.lists.source import SourceKind
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.layouts import INDEX_BITS
from deltatrain.rtl.parts.number import fit, rescale
from deltatrain.rtl.tiles.contribution import ContributionPort
from deltatrain.rtl.tiles.exchange_op import Arrival, ExchangeKind, ExchangeOp
from deltatrain.rtl.tiles.part import dealt

__all__ = ["Exchange"]

_AHEAD = 4
"""Ops whose items may be read before they start."""


class Exchange(Component):
    """Takes items from the tiles, adds and rounds them, and gives the result to all tiles.

    A list passes unchanged, because all tiles but one give zeros. An item takes the way below and never stops on it.
    S = log2 n, rounded up; L is the exchange's latency:

        cycle          LIST                       SUMS                       LOGITS
        b (begins)     first entry of every       ..                         M is addressed
                       fragment is addressed
        b + 3 = start  first item of the first    first sum of each tile     first class of each tile
                       tile that has one
        .. 0           the item's last beat: it leaves its tile, or all of them together
        1              it is in the registers behind the tiles
        1 to S         tree of adders: the others are zero; sum
        1 + S to S + L on its way
        2 + S + L      arrival at every tile: it is written; rounded, to its own tile; it is written to the logits
        3 + S + L      soon, if it was the op's last

    An item takes as many beats as its bytes need. The next item follows without a gap, across tiles and ops. All ops
    take the same way, so they are done in order. An op of no items takes one cycle.

    Parameters
    ----------
    architecture
        The machine.
    sizes
        Of each tile's memories.

    Attributes
    ----------
    commands : In(stream.Signature(command(ExchangeOp)))
        What to do.
    soon_counts, ready_counts : In(counts_layout)
        From `rtl.commands.waits.DoneCounts`.
    running : In(1)
        Whether ops may start.
    tiles : In(ContributionPort).array(n)
        What each tile gives.
    sum_counts : In(stream.Signature(unsigned(INDEX_BITS + 1))).array(n)
        How many sums each tile has of each `matvec_t`, the same number in all.
    arrival : Out(Arrival)
        What comes out, at every tile.
    soon : Out(1)
        High for one cycle for each op, in order: what it brought is stored.
    spent : Out(spent_layout)
        Busy and stalled cycles.
    """

    def __init__(self, *, architecture: Architecture, sizes: TileSizes) -> None:
        check_at_least("tiles", sizes.tiles, 2)
        self._formats, self._sizes, self._wires = architecture.engine.formats, sizes, architecture.tiles
        self._lanes = architecture.engine.lanes
        listed = encode_spikes if sizes.spikes else encode
        self._beats = {
            ExchangeKind.LIST: architecture.tiles.beats(listed.list_entry_bytes(architecture.engine)),
            ExchangeKind.SUMS: architecture.tiles.beats(self._formats.backward_sum.bytes),
            ExchangeKind.LOGITS: architecture.tiles.beats(self._formats.memory.bytes),
        }
        n, counted = sizes.tiles, unsigned(INDEX_BITS + 1)
        super().__init__(
            {
                "commands": In(stream.Signature(command(ExchangeOp(sizes), sizes.units))),
                "soon_counts": In(counts_layout(sizes.units)),
                "ready_counts": In(counts_layout(sizes.units)),
                "running": In(1),
                "tiles": In(ContributionPort(self._formats, sizes)).array(n),
                "sum_counts": In(stream.Signature(counted)).array(n),
                "arrival": Out(Arrival(self._formats, sizes)),
                "soon": Out(1),
                "spent": Out(spent_layout(1, sizes.units)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Let the tiles read ahead, take their items in time, and bring them to all."""
        m = Module()
        ready = data.StructLayout(
            {"op": ExchangeOp(self._sizes), "counts": data.ArrayLayout(INDEX_BITS + 1, self._sizes.tiles)}
        )
        units = self._sizes.units
        m.submodules.begin = begin = Begin(ExchangeOp(self._sizes), ahead=_AHEAD, later=ready, units=units)
        m.submodules.start = start = Wait(ready, units, places=2)
        connect(m, flipped(self.commands), begin.commands)
        connect(m, begin.later, start.i)
        m.d.comb += [begin.soon_counts.eq(self.soon_counts), start.counts.eq(self.ready_counts)]
        self._read_ahead(m, begin)
        active, ends = Signal(), Signal()
        m.d.comb += [
            active.eq(start.o.valid & self.running),
            start.o.ready.eq(ends & self.running),
            *(tile.kind.eq(start.o.payload.op.kind) for tile in self.tiles),
        ]
        self._bring(m, self._take(m, start.o.payload, active, ends))
        count_cycles(m, self._sizes, self.spent, running=self.running, active=active, works=active, unmet=start.unmet)
        return m

    # --- before an op may start

    def _read_ahead(self, m: Module, begin: Begin) -> None:
        """Tell every tile what to read, and note how many items each will give."""
        op, of_sums = begin.op, begin.op.kind == ExchangeKind.SUMS
        had, takes = Signal(self._sizes.tiles), Signal(self._sizes.tiles)
        m.d.comb += [
            # The waits are met, so the `matvec_t` of the sums has begun, and its count is there.
            begin.has_room.eq(1),
            begin.read.eq(of_sums | (had | takes).all()),
            begin.item.op.eq(op),
            *(tile.bank.eq(op.bank) for tile in self.tiles),
        ]
        m.d.sync += had.eq((had | takes) & ~(begin.reads & begin.read).replicate(self._sizes.tiles))
        for number, (tile, sums) in enumerate(zip(self.tiles, self.sum_counts, strict=True)):
            source = tile.sources
            m.d.comb += [
                source.payload.kind.eq(Mux(op.kind == ExchangeKind.LIST, SourceKind.FIRED, SourceKind.VECTOR)),
                source.payload.list.eq(op.fragment),
                source.payload.base.eq(op.logits),
                source.payload.count.eq(op.classes),
                source.valid.eq(begin.reads & ~of_sums & ~had[number]),
                takes[number].eq(source.valid & source.ready),
                sums.ready.eq(begin.begins & of_sums),
                begin.item.counts[number].eq(Mux(of_sums, sums.payload, tile.count)),
            ]
            if self._sizes.spikes:
                m.d.comb += source.payload.learning.eq(op.learning)

    # --- while it runs

    def _take(self, m: Module, ready: data.View, active: Signal, ends: Signal) -> _Taken:
        """Choose the tiles that give an item in this cycle; return them with the item's place in its op."""
        n, op = self._sizes.tiles, ready.op
        lists = op.kind == ExchangeKind.LIST
        finished, left, current, gives = Signal(n), Signal(n), Signal(n), Signal(n)
        number, sent, count = Signal(INDEX_BITS + 1), Signal(INDEX_BITS + 1), Signal(INDEX_BITS + 1)
        beat, last_beat = Signal(range(max(self._beats.values()))), Signal()
        there, sends, tile_ends = Signal(), Signal(), Signal()
        has = Cat(counted.any() for counted in ready.counts)
        m.d.comb += [
            # Where all tiles give at once, the first stands for all.
            left.eq(Mux(lists, has & ~finished, has[0])),
            current.eq(left & -left),
            gives.eq(Mux(lists, current, current[0].replicate(n))),
            count.eq(_chosen(current, ready.counts)),
            there.eq(active & current.any() & Cat(~gives[i] | self.tiles[i].items.valid for i in range(n)).all()),
            sends.eq(there & last_beat),
            tile_ends.eq(number + 1 == count),
            ends.eq(active & (~current.any() | (sends & tile_ends & (left == current)))),
            *(self.tiles[i].items.ready.eq(sends & gives[i]) for i in range(n)),
        ]
        with m.Switch(op.kind):
            for kind, beats in self._beats.items():
                with m.Case(kind):
                    m.d.comb += last_beat.eq(beat == beats - 1)
        with m.If(there):
            m.d.sync += beat.eq(Mux(last_beat, 0, beat + 1))
        with m.If(sends):
            m.d.sync += [
                number.eq(Mux(tile_ends, 0, number + 1)),
                sent.eq(Mux(ends, 0, sent + 1)),
                finished.eq(Mux(ends, 0, finished | Mux(tile_ends, current, 0))),
            ]
        tag = Signal(_Tag(self._formats, self._sizes), name="tag")
        m.d.comb += [
            *(tag[name].eq(op[name]) for name in ("kind", "list", "place")),
            tag.work.eq(sends),
            tag.ends.eq(ends),
            tag.number.eq(sent),
        ]
        return _Taken(tag, current & sends.replicate(n), gives & sends.replicate(n))

    def _bring(self, m: Module, taken: _Taken) -> None:
        """Add what the tiles give, and give the sum to all; one tile says which element it is of."""
        formats, latency = self._formats, self._wires.latency_cycles
        bits, tag = formats.memory_bits, delayed(m, taken.tag, 1)
        m.submodules.values = values = AdderTree(bits=bits, terms=self._sizes.tiles, tag=tag.shape())
        m.submodules.indices = indices = AdderTree(bits=INDEX_BITS + 1, terms=self._sizes.tiles, tag=0)
        m.d.comb += [values.tag.eq(tag), values.active.eq(tag.work), indices.active.eq(tag.work)]
        for number, item in enumerate(tile.items for tile in self.tiles):
            value, index = Signal.like(values.terms[0]), Signal(INDEX_BITS)
            m.d.sync += [
                value.eq(Mux(taken.gives[number], item.payload.value, 0)),
                index.eq(Mux(taken.names[number], item.payload.index, 0)),
            ]
            m.d.comb += [values.terms[number].eq(value), indices.terms[number].eq(index)]
        total, index = delayed(m, values.sum, latency), delayed(m, indices.sum, latency)
        tag, arrival, fitted = delayed(m, values.sum_tag, latency), self.arrival, Signal(signed(bits))
        rounded = rescale(fitted, formats.backward_sum.fraction_bits, formats.gradient)
        tile, local = dealt(index[:INDEX_BITS], self._lanes, self._sizes.tiles)
        m.d.comb += fitted.eq(fit(total, formats.memory))
        m.d.sync += [
            *(arrival[name].eq(tag[name]) for name, _ in tag.shape()),
            arrival.index.eq(index),
            arrival.tile.eq(tile),
            arrival.local.eq(local),
            arrival.value.eq(Mux(tag.kind == ExchangeKind.SUMS, rounded, fitted)),
        ]
        m.d.comb += self.soon.eq(delayed(m, arrival.ends, 1))


class _Tag(data.StructLayout):
    """What travels beside an item: of an `Arrival` all but index and value."""

    def __init__(self, formats: Formats, sizes: TileSizes) -> None:
        members = dict(Arrival(formats, sizes))
        super().__init__({name: members[name].shape for name in ("kind", "work", "ends", "number", "list", "place")})


class _Taken(NamedTuple):
    """An item that leaves the tiles in this cycle, if there is one: which tile names it, and which give a value."""

    tag: data.View
    names: Value
    gives: Value


def _chosen(one_hot: Signal, values: data.View) -> Value:
    """Return the one of `values` whose bit is set: AND and OR, so no chain of priorities."""
    found: Value = values[0] & one_hot[0].replicate(len(values[0]))
    for number in range(1, len(one_hot)):
        found = found | (values[number] & one_hot[number].replicate(len(values[number])))
    return found
