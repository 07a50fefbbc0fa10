"""One tile of several: what it gives to the exchange, what it takes from it, and which share of an op is its own."""

from __future__ import annotations

from amaranth.hdl import Module, Value
from amaranth.lib import data
from amaranth.lib.memory import Memory, WritePort
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.waits import counts_layout
from deltatrain.rtl.lists.emitter import BARRIER
from deltatrain.rtl.lists.source import SourceKind
from deltatrain.rtl.off_chip.shared_walk import SHARE
from deltatrain.rtl.parts.division import divided
from deltatrain.rtl.parts.layouts import word
from deltatrain.rtl.tile import Tile
from deltatrain.rtl.tiles.contribution import Contribution
from deltatrain.rtl.tiles.exchange_op import Arrival, ExchangeKind
from deltatrain.rtl.tiles.part import Part
from deltatrain.rtl.tiles.received_lists import ReceivedLists

__all__ = ["PartTile"]


class PartTile(Tile):
    """A tile that works on its own rows, neurons and elements, at the same commands as all the others.

    Commands count the elements of all tiles; a tile finds its own elements from its number. Every unit but the encoder
    takes the same time in all tiles, and the encoders wait for each other at the end of an op. So an op is done in all
    tiles in the same cycle, and no tile has to ask another.

    Parameters
    ----------
    architecture, cell, sizes, neuron
        As of a `rtl.tile.Tile`; the sizes are those of this tile's memories.
    part
        Which one this is.

    Attributes
    ----------
    given : Out(ContributionPort)
        What the tile gives.
    sum_counts : Out(stream.Signature(unsigned))
        Of each `matvec_t` the number of its sums.
    arrival : In(Arrival)
        What comes from the exchange.
    exchange_soon : In(1)
        High for one cycle for each op of the exchange: what it brought is stored.
    soon_counts, ready_counts : Out(counts_layout)
        From `rtl.commands.waits.DoneCounts`.
    barrier : Out(BARRIER)
        Whether the encoder can end its op, and whether all can.
    load_share, store_share : Out(SHARE)
        Its words of the step of the tape that is loaded, or stored, among those of all tiles; present where the tape
        lives off-chip.
    lane_weights, lane_gradients : Out(MatrixWords)
        The lanes' words of W and of dW, each present if those live off-chip.
    """

    def __init__(
        self,
        *,
        architecture: Architecture,
        cell: str,
        sizes: TileSizes,
        part: Part,
        neuron: LeakyNeuron | None = None,
    ) -> None:
        engine = architecture.engine
        self._part = part
        self._contribution = Contribution(engine=engine, sizes=sizes, part=part)
        self._received = ReceivedLists(formats=engine.formats, sizes=sizes, part=part)
        super().__init__(architecture=architecture, cell=cell, sizes=sizes, neuron=neuron)

    def _exchange_members(self) -> dict[str, object]:
        return {
            "given": self._contribution.signature.members["given"],
            "sum_counts": self._engine.between.signature.members["sum_counts"],
            "arrival": In(Arrival(self._engine_description.formats, self.sizes)),
            "exchange_soon": In(1),
            "soon_counts": Out(counts_layout(self.sizes.units)),
            "ready_counts": Out(counts_layout(self.sizes.units)),
            "barrier": Out(BARRIER),
            **(dict.fromkeys(("load_share", "store_share"), Out(SHARE)) if self.sizes.tape_is_remote else {}),
        }

    def _matrix_members(self) -> dict[str, object]:
        words = {f"lane_{name}": self._engine.signature.members[name] for name in self._lanes()}
        return super()._matrix_members() | words

    def elaborate(self, platform: object) -> Module:
        """Add to the tile what it shares with others."""
        m = super().elaborate(platform)
        self._give(m)
        self._take_logits(m)
        for name, lanes in self._lanes().items():
            connect(m, flipped(getattr(self, f"lane_{name}")), lanes)
        if self._store is not None:
            connect(m, self._load.share, flipped(self.load_share))
            connect(m, self._store.share, flipped(self.store_share))
        between, arrival = self._engine.between, self.arrival
        connect(m, between.sum_counts, flipped(self.sum_counts))
        connect(m, self._encoder.barrier, flipped(self.barrier))
        m.d.comb += [
            self.soon_counts.eq(m.submodules.counts.soon_counts),
            self.ready_counts.eq(m.submodules.counts.ready_counts),
            between.own.eq(self._received.own),
            between.reduced.valid.eq(
                arrival.work & (arrival.kind == ExchangeKind.SUMS) & (arrival.tile == self._part.number)
            ),
            between.reduced.payload.index.eq(arrival.local),
            between.reduced.payload.value.eq(arrival.value),
        ]
        return m

    def _give(self, m: Module) -> None:
        """Give the exchange the encoder's lists, the lanes' sums, and the tile's part of the logits."""
        m.submodules.contribution = given = self._contribution
        connect(m, given.given, flipped(self.given))
        self._read_lists(m, [given.lists])
        connect(m, self._engine.between.partial, given.partial)
        connect(m, self._engine.between.sums, given.sums)

    def _take_logits(self, m: Module) -> None:
        """Keep the logits of one step, which the loss has read before those of the next can come."""
        lanes, arrival, read = self._engine_description.lanes, self.arrival, self._elementwise.logits
        lane_bits, depth = ceil_log2(lanes), max(-(-self.sizes.most_classes // lanes), 2)
        shape = word(self._engine_description.formats.memory_bits, lanes)
        m.submodules.logits = memory = Memory(shape=shape, depth=depth, init=[])
        write, shown = memory.write_port(granularity=1), memory.read_port()
        comes = arrival.work & (arrival.kind == ExchangeKind.LOGITS)
        m.d.comb += [
            write.addr.eq(arrival.index[lane_bits:]),
            *(write.en[k].eq(comes & (arrival.index[:lane_bits] == k)) for k in range(lanes)),
            *(write.data[k].eq(arrival.value) for k in range(lanes)),
            shown.en.eq(read.en),
            shown.addr.eq(read.addr[1:]),  # the bank is that of M
            read.data.eq(shown.data),
        ]

    # --- what differs from a tile that is alone

    def _command(self, m: Module) -> None:
        """Hand the units their commands, each with the tile's share of the op."""
        super()._command(m)
        width, encoded = self.encoder.payload.op.encoder.width, self._encoder.commands.payload.op
        m.d.comb += [
            encoded.encoder.width.eq(self._part.own_width(width)),
            encoded.feed.words.eq(self._part.own_words(width)),
        ]
        if self._store is not None:
            self._share_tape(m, self._load.commands.payload.op.tape.step)
            self._share_tape(m, self._store.commands.payload.op.step)
        if self._part.number == 0:
            with m.If(self.engine.payload.op.source.kind == SourceKind.SHARE):
                m.d.comb += self._engine.commands.payload.op.source.kind.eq(SourceKind.VECTOR)

    def _share_tape(self, m: Module, step: data.View) -> None:
        """Let a step have the words of a tile with a word of neurons less than the first, if this is one."""
        with m.If(self._part.number >= step.whole_tiles):
            m.d.comb += [step[name].eq(step.fewer[name]) for name, _ in step.fewer.shape()]

    def _soon(self) -> dict[str, Value]:
        return super()._soon() | {"exchange": self.exchange_soon}

    def _write_inputs(self, m: Module, port: WritePort) -> None:
        """Write those of the loaded words that are the tile's own."""
        write = self._load.write
        own, tile = divided(write.addr, self.sizes.tiles)
        one_each = self.sizes.load_words > 1  # they come in rows, and rows are counted
        m.d.comb += [
            port.addr.eq(write.addr if one_each else own),
            port.data.eq(write.data),
            port.en.eq(write.en if one_each else write.en & (tile == self._part.number)),
        ]

    def _connect_lists(self, m: Module) -> None:
        """Let the engine read the lists as they came from all tiles."""
        m.submodules.received = received = self._received
        m.d.comb += received.arrival.eq(self.arrival)
        connect(m, received.read, self._engine.lists)
