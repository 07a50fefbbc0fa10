"""One tile of the machine: its units, the memories that they share, and the counts that they wait for."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.memory import WritePort
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.modes import SOON_CYCLES
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.waits import DoneCounts, counts_layout
from deltatrain.rtl.elementwise.cells import neuron_of
from deltatrain.rtl.elementwise.unit import ElementwiseUnit
from deltatrain.rtl.encoder.unit import EncoderUnit
from deltatrain.rtl.engine.array_unit import ArrayEngineUnit
from deltatrain.rtl.engine.group_unit import GroupEngineUnit
from deltatrain.rtl.engine.unit import EngineUnit
from deltatrain.rtl.lists.array_loaded import ArrayLoadedLists
from deltatrain.rtl.lists.choice import ListChoice
from deltatrain.rtl.lists.column_table import ColumnTable, table_writes
from deltatrain.rtl.lists.loaded_lists import LoadedLists
from deltatrain.rtl.off_chip.array_fetch_unit import ArrayFetchUnit
from deltatrain.rtl.off_chip.fetch_unit import FetchUnit
from deltatrain.rtl.off_chip.load_unit import LoadUnit
from deltatrain.rtl.off_chip.matrix_ports import connect_matrices, matrix_members
from deltatrain.rtl.off_chip.moved import MovedStoreUnit
from deltatrain.rtl.off_chip.state_store import StateStoreUnit
from deltatrain.rtl.off_chip.store_unit import StoreUnit
from deltatrain.rtl.off_chip.tape_walk import entries_of_word
from deltatrain.rtl.off_chip.wide_store import WideStoreUnit
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.layouts import word
from deltatrain.rtl.parts.of_arrays import of_arrays
from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory

__all__ = ["IDENTITY_BITS", "RESET_CYCLES", "Tile", "checksum"]

IDENTITY_BITS = 32
"""Bits of the checksum that tells tiles apart."""

RESET_CYCLES = SOON_CYCLES
"""Cycles from `start` until the first op may start; what it reads ahead is read in them."""

_LOOKUPS = 4
"""The store and the load of a tape each look up two lists at once."""


def checksum(made_from: str) -> int:
    """Return the identity of a tile that is made from these arguments."""
    return crc32(made_from.encode())


class Tile(Component):
    """Runs the ops of a training program, which each unit gets as a stream of commands, against off-chip memory.

    A unit takes its commands in order. Each command says how many ops of every unit must be done before it starts
    (`rtl.commands.waits`). So no unit knows another, and the order of commands between units does not matter.

    Parameters
    ----------
    architecture
        The machine.
    cell
        A member of `accel.cells`.
    sizes
        Of the memories.
    gives_results
        Whether what the network puts out leaves the tile.
    neuron
        What a neuron of a spiking cell is, the cell's own if left out.

    Attributes
    ----------
    sizes
        As given.
    made_from
        The arguments as text: two tiles of equal text are the same hardware.
    results, results_have_room, results_begin
        What the network puts out: `result`, `has_room`, `gives` of `rtl.elementwise.unit`; present if `gives_results`.
    identity : Out(IDENTITY_BITS)
        A checksum of ``made_from``, constant: by it a host knows the tile that its commands and addresses are for.
    start : In(1)
        Rises once, when the commands have been offered. Cycle 0 of the program is `RESET_CYCLES` later.
    encoder, engine, elementwise, load, fetch, store : In(stream.Signature(command(...)))
        The commands of each unit; ``fetch`` is there if a matrix lives off-chip, ``store`` if the tape does.
    learning_rate, momentum : In(signed)
        In ``formats.learning_rate``; the latter only where ``sizes.velocity``.
    load_requests, load_words
        Vectors from off-chip memory, see `rtl.off_chip.load_unit`.
    load_is_tape, load_tape_words, store_requests, store_words, stored
        The tape in off-chip memory, see `rtl.off_chip.load_unit` and `rtl.off_chip.store_unit`.
    fetch_requests : Out(stream.Signature(FetchRequest()))
        Columns to read; present if a matrix lives off-chip.
    fetch_passed : In(stream.Signature(1))
        See ``passed`` of `rtl.off_chip.fetch`; present if the fetch is told so.
    weights, new_weights, posts_weights, weights_written
        W in off-chip memory, see `rtl.off_chip.fetch`. A request of ``posts_weights`` writes the oldest words of
        ``new_weights`` that no request has written; ``weights_written`` tells how many of them the memory has taken, in
        the cycle from which on it has.
    weight_gradients, new_weight_gradients, posts_gradients, gradients_written
        dW in off-chip memory, likewise.
    column_table : In(stream.Signature(table_writes))
        Rows of the table of compressed columns, see `rtl.lists.column_table`; present where columns are compressed.
    local_weights, local_gradients : Out(HostPort)
        The host's access to matrices that live here, see `rtl.engine.matrix_store`.
    finishes : In(counts_layout)
        How many ops of each unit the program has.
    finished : Out(1)
        All of them are done.
    done_counts : Out(counts_layout)
        How many ops of each unit are done.
    cycles : Out(32)
        Cycles from when the first op could start to the last result.
    spent : Out(StructLayout)
        Busy and stalled cycles of each unit, of the engine by phase, as in `accel.counters.Counters`.
    looked_up : Out(looked_up_layout())
        What was looked up in the column cache, by phase; present if there is one.
    """

    def __init__(
        self,
        *,
        architecture: Architecture,
        cell: str,
        sizes: TileSizes,
        gives_results: bool = False,
        neuron: LeakyNeuron | None = None,
    ) -> None:
        engine, neuron = architecture.engine, neuron_of(cell, neuron)
        self.made_from = f"{architecture.digest()} {cell} {sizes}" + (f" {neuron.digest()}" if neuron else "")
        self._engine_description = engine
        self.sizes, self._gives_results = sizes, gives_results
        self._weights_are_remote, self._gradients_are_remote = not sizes.weight_words, not sizes.gradient_words
        remote = (self._weights_are_remote or self._gradients_are_remote) and not sizes.is_part  # tiles share the fetch
        word_entries = entries_of_word(engine.lanes, spikes=bool(sizes.spikes))
        tape = {"lookups": _LOOKUPS, "word_entries": word_entries} if sizes.tape_is_remote else {}
        self._encoder = EncoderUnit(engine=engine, sizes=sizes, readers=1 + remote, **tape)
        unit = EngineUnit if engine.arrays == 1 else ArrayEngineUnit
        unit = GroupEngineUnit if sizes.group_steps > 1 else unit
        self._engine = unit(engine=engine, sizes=sizes)
        self._elementwise = ElementwiseUnit(
            engine=engine, cell=cell, sizes=sizes, gives_results=gives_results, neuron=neuron
        )
        fetch, dma = FetchUnit if engine.arrays == 1 else ArrayFetchUnit, architecture.dma
        self._fetch = fetch(engine=engine, dma=dma, sizes=sizes) if remote else None
        moved: dict[str, Any] = {"in_flight": dma.in_flight, "port_bytes": dma.bytes_per_cycle}
        self._load = LoadUnit(engine=engine, sizes=sizes, **self._kept_by("loaded"), **moved)
        self._store = None
        if sizes.stores:
            kind = MovedStoreUnit if sizes.moves_both else StateStoreUnit if sizes.moves_states else StoreUnit
            kind = WideStoreUnit if sizes.store_words > 1 else kind
            self._store = kind(engine=engine, sizes=sizes, **self._kept_by("stored"), **moved)
        super().__init__(
            {
                "identity": Out(IDENTITY_BITS),
                "start": In(1),
                **{name: unit.signature.members["commands"] for name, unit in self._units().items()},
                **{name: self._engine.signature.members[name] for name in sizes.update_factors},
                "load_requests": self._load.signature.members["requests"],
                "load_words": self._load.signature.members["words"],
                **self._matrix_members(),
                **({"column_table": In(stream.Signature(table_writes(sizes)))} if sizes.number_bits else {}),
                **self._tape_members(),
                **self._result_members(),
                "finishes": In(counts_layout(sizes.units)),
                "finished": Out(1),
                "done_counts": Out(counts_layout(sizes.units)),
                "cycles": Out(32),
                "spent": Out(data.StructLayout({name: unit.spent.shape() for name, unit in self._counted().items()})),
                **self._exchange_members(),
            }
        )

    def _kept_by(self, moved: str) -> dict[str, Any]:
        """Return the signatures of the ports to tapes and to kept states that are `moved`, as the units take them."""
        members = self._elementwise.signature.members
        ports = {"memories": moved, "kept": f"{moved}_states"}
        return {name: members[port].signature for name, port in ports.items() if port in members}

    def _counted(self) -> dict[str, Any]:
        """Return the units whose ops are counted, by name, in the order of their counters."""
        units: dict[str, Any] = {
            "encoder": self._encoder,
            "engine": self._engine,
            "elementwise": self._elementwise,
            "load": self._load,
        }
        return units if self._store is None else units | {"store": self._store}

    def _units(self) -> dict[str, Any]:
        """Return the units that have commands of their own, by name."""
        return self._counted() if self._fetch is None else self._counted() | {"fetch": self._fetch}

    def _matrix_members(self) -> dict[str, object]:
        """Return the ports to the matrices: the host's to those that live here, the memory's to the others."""
        weights, gradients = (self._engine.signature.members[name] for name in ("weights", "gradients"))
        members: dict[str, object] = {}
        if not self._weights_are_remote:
            members["local_weights"] = weights
        if not self._gradients_are_remote:
            members["local_gradients"] = gradients
        if self._fetch is None:
            return members
        lanes = {name: [words.signature for words in of_arrays(port)] for name, port in self._lanes().items()}
        return members | matrix_members(self._fetch, lanes)

    def _lanes(self) -> dict[str, Any]:
        """Return the lanes' words of each kind of matrix that lives off-chip."""
        remote = {"weights": self._weights_are_remote, "gradients": self._gradients_are_remote}
        return {name: getattr(self._engine, name) for name, lives in remote.items() if lives}

    def _tape_members(self) -> dict[str, object]:
        """Return the ports to a tape in off-chip memory."""
        if self._store is None:
            return {}
        load, store = self._load.signature.members, self._store.signature.members
        return {
            "load_is_tape": load["is_tape"],
            "load_tape_words": load["tape_words"],
            "store_requests": store["requests"],
            "store_words": store["words"],
            "stored": store["stored"],
        }

    def _result_members(self) -> dict[str, object]:
        """Return the ports of what the network puts out."""
        if not self._gives_results:
            return {}
        unit = self._elementwise.signature.members
        return {"results": unit["result"], "results_have_room": unit["has_room"], "results_begin": unit["gives"]}

    def _exchange_members(self) -> dict[str, object]:
        """Return the ports to other tiles."""
        return {}

    def elaborate(self, platform: object) -> Module:
        """Connect commands, memories, off-chip ports and counts."""
        m = Module()
        for name, unit in self._units().items():
            m.submodules[f"{name}_unit"] = unit
        self._command(m)
        self._count(m, self._run(m))
        if self._fetch is not None:
            connect_matrices(m, self._fetch, self, self._lanes())
        if self._store is not None:
            self._connect_tape(m, self._store)
        self._connect_lists(m)
        self._connect_memories(m)
        connect(m, self._load.requests, flipped(self.load_requests))
        connect(m, flipped(self.load_words), self._load.words)
        m.d.comb += [getattr(self._engine, name).eq(getattr(self, name)) for name in self.sizes.update_factors]
        m.d.comb += self.identity.eq(checksum(self.made_from))
        if self._gives_results:
            unit = self._elementwise
            m.d.comb += [
                self.results.eq(unit.result),
                self.results_begin.eq(unit.gives),
                unit.has_room.eq(self.results_have_room),
            ]
        if not self._weights_are_remote:
            _connect_each(m, self.local_weights, self._engine.weights)
        if not self._gradients_are_remote:
            _connect_each(m, self.local_gradients, self._engine.gradients)
        return m

    def _command(self, m: Module) -> None:
        """Hand the units their commands."""
        connect(m, flipped(self.encoder), self._encoder.commands)
        connect(m, flipped(self.engine), self._engine.commands)
        connect(m, flipped(self.elementwise), self._elementwise.commands)
        connect(m, flipped(self.load), self._load.commands)
        if self._store is not None:
            connect(m, flipped(self.store), self._store.commands)
        if self._fetch is not None:
            connect(m, flipped(self.fetch), self._fetch.commands)

    def _run(self, m: Module) -> Signal:
        """Return whether ops may start."""
        running = delayed(m, self.start, RESET_CYCLES)
        m.d.comb += [unit.running.eq(running) for unit in self._units().values()]
        return running

    def _count(self, m: Module, running: Signal) -> None:
        """Tell all units how many ops are done."""
        m.submodules.counts = counts = DoneCounts(self.sizes.units)
        soon = self._soon()
        read_ahead: list[Any] = [self._encoder, self._engine] + ([] if self._fetch is None else [self._fetch])
        m.d.comb += [
            counts.soon.eq(Cat(soon.get(name, 0) for name in self.sizes.units)),
            self.done_counts.eq(counts.done_counts),
            self.finished.eq(running & (counts.done_counts.as_value() == self.finishes.as_value())),
            *(self.spent[name].eq(unit.spent) for name, unit in self._counted().items()),
            *(unit.ready_counts.eq(counts.ready_counts) for unit in self._units().values()),
            *(unit.soon_counts.eq(counts.soon_counts) for unit in read_ahead),
        ]
        with m.If(running & ~self.finished):
            m.d.sync += self.cycles.eq(self.cycles + 1)

    def _soon(self) -> dict[str, Value]:
        """Return for each unit whether the results of an op become stored in this cycle."""
        return {name: unit.soon for name, unit in self._counted().items()}

    def _connect_memories(self, m: Module) -> None:
        """Join the units with the memories that they share."""
        activations = word(self._engine_description.formats.activation.bits, self._engine_description.lanes)
        m.submodules.x_memory = x = UncheckedMemory(shape=activations, depth=self.sizes.input_words)
        m.submodules.h_memory = h = UncheckedMemory(shape=activations, depth=self.sizes.vector_words)
        self._write_inputs(m, x.write_port())
        for inputs in of_arrays(self._encoder.x):
            connect(m, x.read_port(), inputs)
        connect(m, h.write_port(), self._elementwise.new_h)
        for vectors in of_arrays(self._encoder.h):
            connect(m, h.read_port(), vectors)
        for vectors in of_arrays(self._engine.vectors):
            connect(m, h.read_port(), vectors)
        connect(m, self._engine.shared, self._elementwise.shared)
        if self.sizes.keeps_states:
            connect(m, h.read_port(), self._elementwise.h)
        shared = (("held", "new_held") if self.sizes.restores_sums else ()) + (("rooms",) if self.sizes.rooms else ())
        for name in shared:
            connect(m, getattr(self._encoder, name), getattr(self._elementwise, name))
        if self.sizes.number_bits:
            self._keep_table(m)

    def _keep_table(self, m: Module) -> None:
        """Keep the table of compressed columns, which the host writes."""
        units = [unit for unit in (self._engine, self._fetch) if unit is not None]
        m.submodules.column_table = table = ColumnTable(sizes=self.sizes, readers=len(units))
        connect(m, flipped(self.column_table), table.writes)
        for port, unit in zip(table.read, units, strict=True):
            connect(m, port, unit.table)

    def _write_inputs(self, m: Module, port: WritePort) -> None:
        """Write what is loaded into the memory of x."""
        connect(m, port, self._load.write)

    def _connect_lists(self, m: Module) -> None:
        """Let engine and fetch read the tile's lists."""
        fetched = [] if self._fetch is None else of_arrays(self._fetch.lists)
        self._read_lists(m, of_arrays(self._engine.lists) + fetched)

    def _read_lists(self, m: Module, readers: list[Any]) -> None:
        """Let readers read the lists that were made, and those that were loaded."""
        if not self.sizes.tape_is_remote:
            for made, reader in zip(self._encoder.read, readers, strict=True):
                connect(m, made, reader)
            return
        engine, sizes = self._engine_description, self.sizes
        bits = engine.formats.activation.bits
        kept: dict[str, Any] = {
            "value_bits": bits,
            "entries": sizes.loaded_entries,
            "lists": sizes.loaded_lists,
            "readers": len(readers),
            "word_entries": entries_of_word(engine.lanes, spikes=bool(sizes.spikes)),
        }
        m.submodules.loaded_lists = loaded = (
            LoadedLists(**kept, spikes=bool(sizes.spikes))
            if engine.arrays == 1
            else ArrayLoadedLists(**kept, arrays=engine.arrays)
        )
        connect(m, loaded.write, self._load.lists)
        for number, reader in enumerate(readers):
            m.submodules[f"list_choice_{number}"] = choice = ListChoice(value_bits=bits, sizes=sizes)
            connect(m, self._encoder.read[number], choice.made)
            connect(m, loaded.read[number], choice.loaded)
            connect(m, choice.read, reader)

    def _connect_tape(self, m: Module, store: StoreUnit) -> None:
        """Join store and load with what they move, and with the ports to off-chip memory."""
        load, elementwise, encoder = self._load, self._elementwise, self._encoder
        connect(m, store.requests, flipped(self.store_requests))
        connect(m, store.words, flipped(self.store_words))
        connect(m, flipped(self.load_tape_words), load.tape_words)
        m.d.comb += [store.stored.eq(self.stored), self.load_is_tape.eq(load.is_tape)]
        if self.sizes.moves_states:
            connect(m, elementwise.stored_states, store.states)
            connect(m, elementwise.loaded_states, load.states)
        if not self.sizes.tape_is_remote:
            return
        for kept, memories in zip(of_arrays(elementwise.stored), of_arrays(store.memories), strict=True):
            connect(m, kept, memories)
        connect(m, elementwise.loaded, load.memories)
        for words, entries in zip(of_arrays(encoder.read_word), of_arrays(store.entries), strict=True):
            connect(m, words, entries)
        for table, looked_up in zip(encoder.lookups, (*store.tables, *load.tables), strict=True):
            connect(m, table, looked_up)


def _connect_each(m: Module, ports: Any, inside: Any) -> None:
    for port, of_array in zip(of_arrays(ports), of_arrays(inside), strict=True):
        connect(m, flipped(port), of_array)
