"""Several tiles and their exchange: all tiles get the same commands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Member, Out, connect, flipped

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.program import PHASES
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.unit_counters import spent_layout
from deltatrain.rtl.lists.column_table import ColumnTable
from deltatrain.rtl.off_chip.fetch_unit import FetchUnit
from deltatrain.rtl.off_chip.matrix_ports import connect_matrices, matrix_members
from deltatrain.rtl.off_chip.shared_walk import share_out
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.layouts import word
from deltatrain.rtl.tile import IDENTITY_BITS, RESET_CYCLES, checksum
from deltatrain.rtl.tiles.exchange import Exchange
from deltatrain.rtl.tiles.fork import Fork
from deltatrain.rtl.tiles.part import Part
from deltatrain.rtl.tiles.part_tile import PartTile
from deltatrain.rtl.tiles.received_lists import ReceivedLists
from deltatrain.rtl.tiles.shared_columns import SharedColumns

__all__ = ["TileArray"]

_COMMANDED = ("encoder", "engine", "elementwise", "load")
"""Units of which each tile has one; all get the same commands."""

_LOCAL = ("local_weights", "local_gradients")
"""Ports to matrices that live in the tiles."""

_OF_TAPE = ("store", "load_is_tape", "load_tape_words", "store_requests", "store_words", "stored")
"""Ports to a tape off-chip, like those of each tile."""

_AS_OF_A_TILE = (
    "start",
    "finishes",
    "load_requests",
    "load_words",
    "finished",
    "done_counts",
    "cycles",
)
"""Further ports that are like those of each tile."""


class TileArray(Component):
    """Trains like a `rtl.tile.Tile`.

    One fetch asks for columns of all tiles, as for those of one tile with the lanes of all. An op begins in all tiles
    in the same cycle, and is done in all in the same cycle. So the first tile's counts hold for all.

    Parameters
    ----------
    architecture
        The machine, of at least 2 tiles.
    cell
        A member of `accel.cells`.
    sizes
        Of each tile's memories.
    neuron
        As of `rtl.tile.Tile`.

    Attributes
    ----------
    sizes
        As given.
    made_from, identity
        As of `rtl.tile.Tile`.
    encoder, engine, elementwise, exchange, load : In(stream.Signature(command(...)))
        The commands of each unit.
    local_weights, local_gradients : Out(Signature).array(n)
        The host's access to each tile's matrices; each present if those are local.
    fetch, fetch_requests, weights, new_weights, posts_weights, weights_written, ...
        As in `rtl.tile`, present where matrices live off-chip. A word has P values of each tile, tile after tile.
    column_table
        As in `rtl.tile`: every tile has the same, and the fetch one of its own.
    spent : Out(StructLayout)
        Busy and stalled cycles of each unit, of the engine by phase.
    store, load_is_tape, load_tape_words, store_requests, store_words, stored
        As in `rtl.tile`, present where the tape lives off-chip: of a step the words of one tile after the other.
    start, learning_rate, load_requests, load_words, finishes, finished, done_counts, cycles
        As in `rtl.tile`. Word w of an input vector is that of tile w mod n; ``base`` counts the words of all tiles.
    """

    def __init__(
        self, *, architecture: Architecture, cell: str, sizes: TileSizes, neuron: LeakyNeuron | None = None
    ) -> None:
        n = sizes.tiles
        if n != architecture.tiles.count or n < 2:
            raise ValueError(f"tiles must be those of the machine, at least 2, not {n}")
        self.sizes = sizes
        self._parts = [Part(number, n, architecture.engine.lanes) for number in range(n)]
        of_tile: dict[str, Any] = {"architecture": architecture, "cell": cell, "sizes": sizes, "neuron": neuron}
        self._tiles = [PartTile(**of_tile, part=part) for part in self._parts]
        self.made_from = self._tiles[0].made_from
        self._exchange = Exchange(architecture=architecture, sizes=sizes)
        self._share_columns(architecture)
        tile = self._tiles[0].signature.members
        units = sizes.units if sizes.stores else sizes.units[:-1]
        phases = dict.fromkeys(units, 1) | {"engine": len(PHASES)}
        super().__init__(
            {
                **{name: tile[name] for name in (*_COMMANDED, *_AS_OF_A_TILE, *sizes.update_factors)},
                **({name: tile[name] for name in _OF_TAPE} if sizes.stores else {}),
                **({"load_words": self._row_of_words(architecture)} if sizes.load_words > 1 else {}),
                "exchange": self._exchange.signature.members["commands"],
                "identity": Out(IDENTITY_BITS),
                **{name: Out(tile[name].signature).array(n) for name in _LOCAL if name in tile},
                **self._fetch_members(),
                **({"column_table": tile["column_table"]} if sizes.number_bits else {}),
                "spent": Out(data.StructLayout({name: spent_layout(phases[name], sizes.units) for name in phases})),
            }
        )

    def _row_of_words(self, architecture: Architecture) -> Member:
        """Return the port by which a word of a vector comes to each tile at once."""
        own = word(architecture.engine.formats.activation.bits, architecture.engine.lanes)
        return In(stream.Signature(data.ArrayLayout(own, self.sizes.load_words)))

    def _share_columns(self, architecture: Architecture) -> None:
        """Make what tiles share of matrices that live off-chip, if any does."""
        engine, sizes = architecture.engine, self.sizes
        of_kind = {
            "weights": (sizes.weight_words, engine.formats.weight.bits + sizes.number_bits),
            "gradients": (sizes.gradient_words, engine.formats.weight_gradient_bits + sizes.number_bits),
        }
        self._columns = {
            name: SharedColumns(value_bits=bits, lanes=engine.lanes, tiles=sizes.tiles)
            for name, (words, bits) in of_kind.items()
            if not words
        }
        self._fetch = FetchUnit(engine=engine, dma=architecture.dma, sizes=sizes) if self._columns else None
        self._formats = engine.formats

    def _fetch_members(self) -> dict[str, object]:
        """Return the ports to matrices that live off-chip."""
        if self._fetch is None:
            return {}
        lanes = {name: columns.together.signature for name, columns in self._columns.items()}
        return {"fetch": self._fetch.signature.members["commands"], **matrix_members(self._fetch, lanes)}

    def elaborate(self, platform: object) -> Module:
        """Give all tiles the same commands, and join them."""
        m = Module()
        first, factors = self._tiles[0], self.sizes.update_factors
        for number, tile in enumerate(self._tiles):
            m.submodules[f"tile_{number}"] = tile
            m.d.comb += [
                tile.start.eq(self.start),
                *(getattr(tile, name).eq(getattr(self, name)) for name in factors),
                tile.finishes.eq(self.finishes),
            ]
            for name in (name for name in _LOCAL if hasattr(self, name)):
                connect(m, getattr(tile, name), flipped(getattr(self, name)[number]))
        self._command(m, "encoder", self.encoder, [tile.encoder for tile in self._tiles])
        self._command(m, "engine", self.engine, [tile.engine for tile in self._tiles])
        self._command(m, "elementwise", self.elementwise, [tile.elementwise for tile in self._tiles])
        self._command(m, "load", self.load, [tile.load for tile in self._tiles])
        self._load(m, first)
        if self.sizes.stores:
            self._move_tape(m, first)
        self._join(m, first)
        if self.sizes.number_bits:
            self._keep_tables(m)
        if self._fetch is not None:
            self._fetch_columns(m, self._fetch, first)
        m.d.comb += [
            self.identity.eq(checksum(self.made_from)),
            self.finished.eq(first.finished),
            self.done_counts.eq(first.done_counts),
            self.cycles.eq(first.cycles),
            *(self.spent[name].eq(first.spent[name]) for name in (*_COMMANDED, *["store"] * self.sizes.stores)),
            self.spent.exchange.eq(self._exchange.spent),
        ]
        return m

    def _command(self, m: Module, name: str, commands: stream.Interface, units: Sequence[stream.Interface]) -> None:
        """Give each of the units every command."""
        m.submodules[f"{name}_fork"] = fork = Fork(shape=commands.payload.shape(), outlets=len(units))
        connect(m, flipped(commands), fork.i)
        for outlet, unit in zip(fork.o, units, strict=True):
            connect(m, outlet, unit)

    def _load(self, m: Module, first: PartTile) -> None:
        """Request the words of all tiles once, and show every word to each tile, or give each its own at once."""
        connect(m, first.load_requests, flipped(self.load_requests))
        m.d.comb += self.load_words.ready.eq(first.load_words.ready)
        for number, tile in enumerate(self._tiles):
            words = self.load_words.payload
            m.d.comb += [
                tile.load_words.payload.eq(words[number] if self.sizes.load_words > 1 else words),
                tile.load_words.valid.eq(self.load_words.valid),
            ]
            if tile is not first:
                m.d.comb += tile.load_requests.ready.eq(self.load_requests.ready)

    def _move_tape(self, m: Module, first: PartTile) -> None:
        """Move each step of the tape in one request for all tiles, whose words follow each other, tile after tile."""
        self._command(m, "store", self.store, [tile.store for tile in self._tiles])
        share_out(m, [tile.load_share for tile in self._tiles])
        share_out(m, [tile.store_share for tile in self._tiles])
        connect(m, first.store_requests, flipped(self.store_requests))
        words = [Value.cast(tile.store_words.payload) for tile in self._tiles]
        m.d.comb += [
            self.load_is_tape.eq(first.load_is_tape),
            self.load_tape_words.ready.eq(first.load_tape_words.ready),
            self.store_words.valid.eq(first.store_words.valid),
            Value.cast(self.store_words.payload).eq(reduce(or_, words)),  # but one of them they are zero
        ]
        for tile in self._tiles:
            m.d.comb += [
                tile.load_tape_words.payload.eq(self.load_tape_words.payload),
                tile.load_tape_words.valid.eq(self.load_tape_words.valid),
                tile.store_words.ready.eq(self.store_words.ready),
                tile.stored.eq(self.stored),
            ]
            if tile is not first:
                m.d.comb += tile.store_requests.ready.eq(self.store_requests.ready)

    def _keep_tables(self, m: Module) -> None:
        """Write each row of the table of compressed columns in every tile, and in a table for the fetch."""
        tables = [tile.column_table for tile in self._tiles]
        if self._fetch is not None:
            m.submodules.column_table = table = ColumnTable(sizes=self.sizes, readers=1)
            connect(m, table.read[0], self._fetch.table)
            tables.append(table.writes)
        self._command(m, "column_table", self.column_table, tables)

    def _join(self, m: Module, first: PartTile) -> None:
        """Connect the exchange with every tile, and let the encoders wait for each other."""
        m.submodules.exchange_unit = exchange = self._exchange
        connect(m, flipped(self.exchange), exchange.commands)
        ended = Signal()
        m.d.comb += [
            exchange.running.eq(delayed(m, self.start, RESET_CYCLES)),
            exchange.soon_counts.eq(first.soon_counts),
            exchange.ready_counts.eq(first.ready_counts),
            ended.eq(Cat(tile.barrier.ended for tile in self._tiles).all()),
        ]
        for number, tile in enumerate(self._tiles):
            connect(m, tile.given, exchange.tiles[number])
            connect(m, tile.sum_counts, exchange.sum_counts[number])
            m.d.comb += [
                tile.barrier.all_ended.eq(ended),
                tile.exchange_soon.eq(exchange.soon),
                tile.arrival.eq(exchange.arrival),
            ]

    def _fetch_columns(self, m: Module, fetch: FetchUnit, first: PartTile) -> None:
        """Let one fetch read the lists as they come from all tiles, and deal out the columns that they name."""
        m.submodules.fetch_unit = fetch
        m.submodules.fetch_lists = lists = ReceivedLists(formats=self._formats, sizes=self.sizes, part=self._parts[0])
        connect(m, flipped(self.fetch), fetch.commands)
        connect(m, lists.read, fetch.lists)
        m.d.comb += [
            lists.arrival.eq(self._exchange.arrival),
            fetch.running.eq(self._exchange.running),
            fetch.soon_counts.eq(first.soon_counts),
            fetch.ready_counts.eq(first.ready_counts),
        ]
        for name, columns in self._columns.items():
            m.submodules[f"{name}_columns"] = columns
            for number, tile in enumerate(self._tiles):
                connect(m, columns.tiles[number], getattr(tile, f"lane_{name}"))
        connect_matrices(m, fetch, self, {name: columns.together for name, columns in self._columns.items()})
