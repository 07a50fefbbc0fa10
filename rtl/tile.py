"""One tile of the machine: its units, the memories they share, and who waits for whom."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory, WritePort
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import SOON_CYCLES
from deltatrain.accel.program import PHASES
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.unit_counters import spent_layout
from deltatrain.rtl.commands.waits import DoneCounts, counts_layout
from deltatrain.rtl.elementwise.unit import ElementwiseUnit
from deltatrain.rtl.encoder.unit import EncoderUnit
from deltatrain.rtl.engine.unit import EngineUnit
from deltatrain.rtl.lists.choice import ListChoice
from deltatrain.rtl.lists.loaded_lists import LoadedLists
from deltatrain.rtl.off_chip.fetch_unit import FetchUnit
from deltatrain.rtl.off_chip.load_unit import LoadUnit
from deltatrain.rtl.off_chip.store_unit import StoreUnit
from deltatrain.rtl.off_chip.tape_walk import entries_of_word
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.layouts import word

__all__ = ["RESET_CYCLES", "Tile"]

RESET_CYCLES = SOON_CYCLES
"""From `start` until the first op may start: what is read for it ahead of time."""

_COMMANDED = ("encoder", "engine", "elementwise", "load")
"""Units that have commands of their own, as has the fetch where a matrix lives off-chip, and the store of a tape."""

_LOOKUPS = 4
"""The store and the load of a tape each look up two lists at once."""


class Tile(Component):
    """Trains: runs the ops of a program, which each unit gets as a stream of commands, against off-chip memory.

    Each unit takes its commands in their order, and each command says how many ops of every unit must be done before
    (`rtl.commands.waits`). So no unit knows of another, and the order of commands between units does not matter.

    Parameters
    ----------
    architecture
        The machine. Its port moves one word of activations a cycle.
    cell
        A member of `accel.cells`.
    sizes
        Of the memories.

    Attributes
    ----------
    sizes
        As given.
    made_from
        The arguments as a text: tiles of the same text are the same gates.
    start : In(1)
        Rises once, when commands are there; cycle 0 of the program is `RESET_CYCLES` after that.
    encoder, engine, elementwise, load, fetch, store : In(stream.Signature(command(...)))
        The commands of each unit; ``fetch`` is there if a matrix lives off-chip, ``store`` if the tape does.
    learning_rate : In(signed)
        In ``formats.learning_rate``.
    load_requests, load_words
        Vectors from off-chip memory, see `rtl.off_chip.load_unit`.
    load_is_tape, load_tape_words, store_requests, store_words, stored
        The tape in off-chip memory, see `rtl.off_chip.load_unit` and `rtl.off_chip.store_unit`.
    fetch_requests, weights, weight_gradients, posts_weights, ...
        Matrices in off-chip memory, see `rtl.off_chip.fetch`. What ``posts_weights`` hands over are the oldest words
        that ``new_weights`` gave and that were not handed over before; ``weights_written`` tells how many of them the
        memory has taken, in the cycle from which on it has.
    local_weights, local_gradients
        The host's access to matrices that live here, see `rtl.engine.matrix_store`.
    finishes : In(counts_layout)
        How many ops of each unit the program has.
    finished : Out(1)
        All of them are done.
    done_counts : Out(counts_layout)
        Ops that are done.
    cycles : Out(32)
        Cycles since the first op could start, up to the last result.
    spent : Out(StructLayout)
        Busy and stalled cycles of each unit, of the engine by phase, as in `accel.result.Counters`.
    """

    def __init__(self, *, architecture: Architecture, cell: str, sizes: TileSizes) -> None:
        engine = architecture.engine
        self.made_from = f"{architecture.digest()} {cell} {sizes}"
        remote = not (sizes.weight_words and sizes.gradient_words)
        self._engine_description = engine
        self.sizes = sizes
        tape = {"lookups": _LOOKUPS, "word_entries": entries_of_word(engine.lanes)} if sizes.tape_is_remote else {}
        self._encoder = EncoderUnit(engine=engine, sizes=sizes, readers=1 + remote, **tape)
        self._engine = EngineUnit(engine=engine, sizes=sizes)
        self._gates = ElementwiseUnit(engine=engine, cell=cell, sizes=sizes)
        self._load = LoadUnit(engine=engine, sizes=sizes, **self._memories("loaded"))
        self._fetch = FetchUnit(engine=engine, dma=architecture.dma, sizes=sizes) if remote else None
        self._units: dict[str, Any] = dict(
            zip(_COMMANDED, (self._encoder, self._engine, self._gates, self._load), strict=True)
        )
        if sizes.tape_is_remote:
            self._units["store"] = StoreUnit(engine=engine, sizes=sizes, **self._memories("stored"))
        phases = {name: len(PHASES) if name == "engine" else 1 for name in self._units}
        members = {
            "start": In(1),
            **{name: unit.signature.members["commands"] for name, unit in self._units.items()},
            "learning_rate": self._engine.signature.members["learning_rate"],
            "load_requests": self._load.signature.members["requests"],
            "load_words": self._load.signature.members["words"],
            **self._remote_members(),
            **self._tape_members(),
            **{name: member for name, member in self._engine.signature.members.items() if name.startswith("local_")},
            "finishes": In(counts_layout(sizes.units)),
            "finished": Out(1),
            "done_counts": Out(counts_layout(sizes.units)),
            "cycles": Out(32),
            "spent": Out(data.StructLayout({name: spent_layout(phases[name], sizes.units) for name in phases})),
            **self._exchange_members(),
        }
        super().__init__(members)

    def _memories(self, prefix: str) -> dict[str, Any]:
        """Return the signatures of the ports to tape and states for who moves them."""
        if not self.sizes.tape_is_remote:
            return {}
        ports = self._gates.signature.members
        return {
            name: ports[f"{prefix}_{name}"].signature if f"{prefix}_{name}" in ports else None
            for name in ("tape", "state")
        }

    def _tape_members(self) -> dict[str, object]:
        """Return the ports to a tape in off-chip memory."""
        if not self.sizes.tape_is_remote:
            return {}
        load, store = self._load.signature.members, self._units["store"].signature.members
        return {
            "load_is_tape": load["is_tape"],
            "load_tape_words": load["tape_words"],
            "store_requests": store["requests"],
            "store_words": store["words"],
            "stored": store["stored"],
        }

    def _exchange_members(self) -> dict[str, object]:
        """Return the ports to other tiles."""
        return {}

    def _remote_members(self) -> dict[str, object]:
        """Return the ports to matrices in off-chip memory."""
        if self._fetch is None:
            return {}
        fetch, engine = self._fetch.signature.members, self._engine.signature.members
        passed = ("weights", "weight_gradients", "posts_weights", "posts_gradients")
        written = ("weights_written", "gradients_written")
        return {
            "fetch": fetch["commands"],
            "fetch_requests": fetch["requests"],
            **{name: fetch[name] for name in passed if name in fetch},
            **{name: In(stream.Signature(fetch[name].shape)) for name in written if name in fetch},
            **{name: engine[name] for name in ("new_weights", "new_weight_gradients") if name in engine},
        }

    def elaborate(self, platform: object) -> Module:
        """Connect commands, memories, off-chip ports and counts."""
        m = Module()
        for name, unit in self._units.items():
            m.submodules[f"{name}_unit"] = unit
            self._command(m, name, unit)
        running = self._run(m)
        if self._fetch is not None:
            m.submodules.fetch_unit = self._fetch
            connect(m, flipped(self.fetch), self._fetch.commands)
            self._connect_fetch(m, self._fetch)
        if self.sizes.tape_is_remote:
            self._connect_tape(m, self._units["store"])
        self._count(m, running)
        self._connect_lists(m)
        self._connect_memories(m)
        connect(m, self._load.requests, flipped(self.load_requests))
        connect(m, flipped(self.load_words), self._load.words)
        m.d.comb += self._engine.learning_rate.eq(self.learning_rate)
        for name in self._engine.signature.members:
            if name.startswith("local_"):
                connect(m, flipped(getattr(self, name)), getattr(self._engine, name))
        return m

    def _command(self, m: Module, name: str, unit: Any) -> None:
        """Hand a unit its commands."""
        connect(m, flipped(getattr(self, name)), unit.commands)

    def _run(self, m: Module) -> Signal:
        """Return whether ops may start."""
        running = delayed(m, self.start, RESET_CYCLES)
        for unit in (*self._units.values(), self._fetch):
            if unit is not None:
                m.d.comb += unit.running.eq(running)
        return running

    def _count(self, m: Module, running: Signal) -> None:
        """Tell all units what is done; nothing is stored or done for anybody before the start."""
        m.submodules.counts = counts = DoneCounts(self.sizes.units)
        soon = self._soon()
        m.d.comb += [
            counts.soon.eq(Cat(soon.get(name, 0) for name in self.sizes.units)),
            self.done_counts.eq(counts.done_counts),
            self.finished.eq(running & (counts.done_counts.as_value() == self.finishes.as_value())),
            *(self.spent[name].eq(unit.spent) for name, unit in self._units.items()),
        ]
        for unit in (*self._units.values(), self._fetch):
            if unit is None:
                continue
            m.d.comb += unit.done_counts.eq(counts.done_counts)
            if "soon_counts" in unit.signature.members:
                m.d.comb += unit.soon_counts.eq(counts.soon_counts)
        with m.If(running & ~self.finished):
            m.d.sync += self.cycles.eq(self.cycles + 1)

    def _soon(self) -> dict[str, Value]:
        """Return by unit whether an op of it is stored in this cycle."""
        return {name: unit.soon for name, unit in self._units.items()}

    def _connect_memories(self, m: Module) -> None:
        """Join the units with the memories that they share."""
        activations = word(self._engine_description.formats.activation.bits, self._engine_description.lanes)
        m.submodules.x_memory = x = Memory(shape=activations, depth=self.sizes.input_words, init=[])
        m.submodules.h_memory = h = Memory(shape=activations, depth=self.sizes.vector_words, init=[])
        self._write_inputs(m, x.write_port())
        connect(m, x.read_port(), self._encoder.x)
        connect(m, h.write_port(), self._gates.new_h)
        connect(m, h.read_port(), self._encoder.h)
        connect(m, h.read_port(), self._engine.vectors)
        for name in ("memory", "gradient", "new_gradient", "g_above", "g_recurrent"):
            connect(m, getattr(self._engine, name), getattr(self._gates, name))
        m.d.comb += [
            self._engine.read_region.eq(self._gates.read_region),
            self._gates.read_banks.eq(self._engine.read_banks),
            self._gates.read_zeros.eq(self._engine.read_zeros),
        ]

    def _write_inputs(self, m: Module, port: WritePort) -> None:
        """Let what is loaded go to the memory of x."""
        connect(m, port, self._load.write)

    def _connect_lists(self, m: Module) -> None:
        """Let engine and fetch read the lists that were made, and those that were loaded."""
        readers = [reader for reader in (self._engine, self._fetch) if reader is not None]
        if not self.sizes.tape_is_remote:
            for number, reader in enumerate(readers):
                connect(m, self._encoder.table[number], reader.table)
                connect(m, self._encoder.ring[number], reader.ring)
            return
        engine, sizes, load = self._engine_description, self.sizes, self._load
        bits = engine.formats.activation.bits
        m.submodules.loaded_lists = loaded = LoadedLists(
            value_bits=bits,
            entries=sizes.loaded_entries,
            lists=sizes.loaded_lists,
            readers=len(readers),
            word_entries=entries_of_word(engine.lanes),
        )
        connect(m, loaded.write, load.entries)
        m.d.comb += [loaded.note.eq(load.note), loaded.pair.eq(load.pair), loaded.places.eq(load.places)]
        for number, reader in enumerate(readers):
            m.submodules[f"list_choice_{number}"] = choice = ListChoice(value_bits=bits, sizes=sizes)
            for name in ("table", "ring"):
                connect(m, getattr(self._encoder, name)[number], getattr(choice, f"made_{name}"))
                connect(m, getattr(loaded, name)[number], getattr(choice, f"loaded_{name}"))
                connect(m, getattr(choice, name), getattr(reader, name))

    def _connect_tape(self, m: Module, store: StoreUnit) -> None:
        """Join store and load with what they move, and with the ports to off-chip memory."""
        load, gates, encoder = self._load, self._gates, self._encoder
        connect(m, store.requests, flipped(self.store_requests))
        connect(m, store.words, flipped(self.store_words))
        connect(m, flipped(self.load_tape_words), load.tape_words)
        m.d.comb += [store.stored.eq(self.stored), self.load_is_tape.eq(load.is_tape)]
        connect(m, encoder.read_word, store.entries)
        for table, looked_up in zip(encoder.table[-_LOOKUPS:], (*store.tables, *load.tables), strict=True):
            connect(m, table, looked_up)
        for name in ("tape", "state"):
            if hasattr(gates, f"stored_{name}"):
                connect(m, getattr(gates, f"stored_{name}"), getattr(store, name))
                connect(m, getattr(gates, f"loaded_{name}"), getattr(load, name))

    def _connect_fetch(self, m: Module, fetch: FetchUnit) -> None:
        """Join fetch, lanes and the ports to off-chip memory."""
        connect(m, fetch.requests, flipped(self.fetch_requests))
        for kind, words in (("weights", "weights"), ("gradients", "weight_gradients")):
            if not hasattr(fetch, words):
                continue
            connect(m, flipped(getattr(self, words)), getattr(fetch, words))
            connect(m, getattr(fetch, f"{words}_out"), getattr(self._engine, words))
            connect(m, getattr(self._engine, f"new_{words}"), flipped(getattr(self, f"new_{words}")))
            connect(m, getattr(fetch, f"posts_{kind}"), flipped(getattr(self, f"posts_{kind}")))
            written = getattr(self, f"{kind}_written")
            m.d.comb += [
                written.ready.eq(1),
                getattr(fetch, f"{kind}_written").eq(Mux(written.valid, written.payload, 0)),
            ]
