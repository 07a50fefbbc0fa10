"""The tile with all that brings its commands and moves its words: what is reset when a program starts."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.fifo import SyncFIFO, SyncFIFOBuffered
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.bus.program_format import RECORD_UNITS
from deltatrain.accel.bus.registers import BASES, THRESHOLDS
from deltatrain.rtl.bus.channels import ADDRESS_BITS, MemoryPort
from deltatrain.rtl.bus.dispatch import Dispatch
from deltatrain.rtl.bus.local_matrix import LocalMatrix
from deltatrain.rtl.bus.memory_reader import MemoryReader
from deltatrain.rtl.bus.memory_writer import MemoryWriter
from deltatrain.rtl.bus.program_reader import ProgramReader
from deltatrain.rtl.bus.requests import Requests
from deltatrain.rtl.bus.sequences import Sequences
from deltatrain.rtl.bus.words import Kind, Move, forms
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.tile import Tile

__all__ = ["MOVES", "WRITE_BURST_BEATS", "Machine"]

OUTSTANDING = 8
"""Bursts on their way, of reads and of writes."""

WRITE_BURST_BEATS = 64
"""Most beats of a burst that is written; twice as many wait in a queue."""

MOVES = ("clear_gradients", "load_weights", "save_weights", "save_gradients")
"""What is done with local matrices; commands of the control register have the same names, and the same order."""

_COUNTER_BITS = 48

_MATRICES = {"weights": (Kind.WEIGHTS, "weights"), "gradients": (Kind.GRADIENTS, "weight_gradients")}
"""Of each matrix by its name in the tile's ports: its kind, and the name of its words' ports."""


class Machine(Component):
    """Runs a program from memory, or moves a local matrix, once after a reset. Memories in the tile survive a reset.

    Parameters
    ----------
    architecture, cell, sizes
        Of the tile.
    beat_bytes, burst_beats
        Of the bus of the memory.

    Attributes
    ----------
    tile
        The tile.
    runs : In(1)
        Run the program. After a reset it rises at the earliest when the tile has forgotten, see `rtl.bus.run_control`.
    MOVES : In(1)
        Each of `MOVES`: do that.
    stops : In(1)
        Ask for nothing more, and end bursts that have begun.
    idle : Out(1)
        No burst is on its way.
    done : Out(1)
        What was to do is done, and memory has all that was written; since a cycle.
    program_address, program_bytes, bases, thresholds, learning_rate, finishes : In
        What the host says, see `accel.bus.registers`; held while it runs.
    read_error, write_error, program_error : Out(1)
        High when that happens.
    error_address : Out(unsigned(ADDRESS_BITS))
        First byte of the burst, or of the record, that it happens with.
    done_counts, cycles, spent : Out
        Of the tile.
    read_bytes, write_bytes : Out(unsigned(48))
        Bytes of beats that were read, and of beats that were written, whole beats.
    memory : Out(MemoryPort(beat_bytes))
        To the memory.
    streams_inputs : In(1), sequences : In(stream.Signature(8 * beat_bytes))
        Whether input vectors come over the stream, held while a program runs; their words.
    """

    def __init__(
        self, *, architecture: Architecture, cell: str, sizes: TileSizes, beat_bytes: int, burst_beats: int
    ) -> None:
        engine = architecture.engine
        self.tile = Tile(architecture=architecture, cell=cell, sizes=sizes)
        self._engine, self._sizes, self._beat_bytes = engine, sizes, beat_bytes
        self._buffer_bytes = architecture.dma.buffer_bytes
        self._reader = MemoryReader(
            engine=engine, beat_bytes=beat_bytes, burst_beats=burst_beats, outstanding=OUTSTANDING
        )
        self._writer = MemoryWriter(
            engine=engine,
            beat_bytes=beat_bytes,
            burst_beats=min(burst_beats, WRITE_BURST_BEATS),
            outstanding=OUTSTANDING,
            moves=4,
        )
        tile = self.tile.signature.members
        self._dispatch = Dispatch({name: tile[name].signature for name in RECORD_UNITS if name in tile})
        self._program = ProgramReader()
        self._sequences = Sequences(forms(engine)[Kind.INPUTS])
        super().__init__(
            {
                "runs": In(1),
                **dict.fromkeys(MOVES, In(1)),
                "stops": In(1),
                "idle": Out(1),
                "done": Out(1),
                "program_address": In(ADDRESS_BITS),
                "program_bytes": In(ADDRESS_BITS),
                "bases": In(ADDRESS_BITS).array(len(BASES)),
                "thresholds": In(17).array(THRESHOLDS),
                "learning_rate": tile["learning_rate"],
                "finishes": tile["finishes"],
                **{name: Out(1) for name in ("read_error", "write_error", "program_error")},
                "error_address": Out(ADDRESS_BITS),
                **{name: tile[name] for name in ("done_counts", "cycles", "spent")},
                "read_bytes": Out(_COUNTER_BITS),
                "write_bytes": Out(_COUNTER_BITS),
                "memory": Out(MemoryPort(beat_bytes)),
                "streams_inputs": In(1),
                "sequences": self._sequences.signature.members["items"],
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the tile, the program, the local matrices and the memory."""
        m = Module()
        m.submodules.tile = tile = self.tile
        m.submodules.reader = reader = self._reader
        m.submodules.writer = writer = self._writer
        self._connect_memory(m)
        reads: list[Any] = [self._run(m), self._load(m)]
        writes: list[Any] = []
        dones: list[Any] = []
        for name in _MATRICES:
            if hasattr(tile, f"local_{name}"):
                read, write, done = self._connect_local(m, name)
                reads.append(read)
                writes.append(write)
                dones.append(done)
            else:
                writes.append(self._connect_remote(m, name))
                dones += [getattr(self, move) for move in MOVES if move.endswith(name)]  # there is nothing to move
        if hasattr(tile, "fetch_requests"):
            reads.append(self._fetch(m))
        if hasattr(tile, "store_requests"):
            writes.append(self._store(m))
        waiting = self._ask(m, reads, writes)
        ends = (self._dispatch.done & tile.finished & self.runs) | Cat(*dones).any()
        m.d.sync += self.done.eq(ends & ~waiting & writer.done & reader.idle)
        self._tell(m)
        return m

    # --- the memory

    def _connect_memory(self, m: Module) -> None:
        reader, writer, memory = self._reader, self._writer, self.memory
        for name in ("reads", "read_beats"):
            _join(m, getattr(reader, name), getattr(memory, name))
        for name in ("writes", "write_beats", "responses"):
            _join(m, getattr(writer, name), getattr(memory, name))
        m.d.comb += [
            reader.stops.eq(self.stops),
            writer.stops.eq(self.stops),
            self.idle.eq(reader.idle & writer.idle),
            self.read_error.eq(reader.error),
            self.write_error.eq(writer.error),
        ]
        read, write = memory.read_beats, memory.write_beats
        with m.If(read.valid & read.ready):
            m.d.sync += self.read_bytes.eq(self.read_bytes + self._beat_bytes)
        with m.If(write.valid & write.ready):
            m.d.sync += self.write_bytes.eq(self.write_bytes + self._beat_bytes)

    def _ask(self, m: Module, reads: list[Any], writes: list[Any]) -> Value:
        """Hand requests to reader and writer, and return whether a write waits.

        A read waits for the writes before it that it may share bytes with. Those were asked for before it was, so it is
        enough that none of them waits, and none is pending, in one cycle.
        """
        m.submodules.reads = to_read = Requests(engine=self._engine, sources=len(reads))
        m.submodules.writes = to_write = Requests(engine=self._engine, sources=len(writes))
        reader, writer = self._reader, self._writer
        for requests, sources in ((to_read, reads), (to_write, writes)):
            for port, source in zip(requests.sources, sources, strict=True):
                connect(m, source, port)
            m.d.comb += [port.eq(base) for port, base in zip(requests.bases, self.bases, strict=True)]
        connect(m, to_write.moves, writer.moves)
        may_read, goes = Signal(), Signal()  # the move in front may be read: found in a cycle before
        m.d.comb += [
            writer.read.eq(to_read.moves.payload.piece),
            goes.eq(to_read.moves.valid & to_read.moves.ready),
            reader.moves.payload.eq(to_read.moves.payload),
            reader.moves.valid.eq(to_read.moves.valid & may_read),
            to_read.moves.ready.eq(reader.moves.ready & may_read),
        ]
        m.d.sync += may_read.eq((may_read | (to_read.moves.valid & ~to_write.waiting & ~writer.overlaps)) & ~goes)
        return to_write.waiting

    # --- the program

    def _run(self, m: Module) -> Any:
        """Read the program and dispatch its commands; return its requests."""
        m.submodules.program = program = self._program
        m.submodules.dispatch = dispatch = self._dispatch
        tile, reader = self.tile, self._reader
        connect(m, program.words, dispatch.words)
        for name in RECORD_UNITS:
            if hasattr(tile, name):
                connect(m, getattr(dispatch, name), getattr(tile, name))
        m.d.comb += [
            program.runs.eq(self.runs & ~self.stops),
            program.address.eq(self.program_address),
            program.size.eq(self.program_bytes),
            program.valid.eq(reader.program_valid),
            program.word.eq(reader.program_word),
            dispatch.ends.eq(program.ends & self.runs),
            *(port.eq(least) for port, least in zip(dispatch.thresholds, self.thresholds, strict=True)),
            tile.start.eq(self.runs),
            tile.learning_rate.eq(self.learning_rate),
            tile.finishes.eq(self.finishes),
        ]
        return program.requests

    # --- what the tile reads

    def _load(self, m: Module) -> Any:
        """Answer loads of vectors, and of the tape; return their requests."""
        tile, reader = self.tile, self._reader
        is_tape = getattr(tile, "load_is_tape", 0)
        self._stream(m, is_tape)
        if hasattr(tile, "load_tape_words"):
            words = tile.load_tape_words
            m.d.comb += [words.valid.eq(reader.tape_valid), _bits(words).eq(reader.tape_word)]
        streams = Signal()
        m.d.comb += streams.eq(self.streams_inputs & ~is_tape)
        moves = self._moves(m, "load", tile.load_requests, _choice(is_tape, Kind.TAPE, Kind.INPUTS))
        with m.If(streams):
            m.d.comb += [moves.valid.eq(0), tile.load_requests.ready.eq(self._sequences.loads.ready & ~self.stops)]
        return moves

    def _stream(self, m: Module, is_tape: Any) -> None:
        """Let the words of vectors come from memory, or over the stream."""
        tile, reader = self.tile, self._reader
        m.submodules.sequences = sequences = self._sequences
        connect(m, flipped(self.sequences), sequences.items)
        words, requests = tile.load_words, tile.load_requests
        m.d.comb += [
            words.valid.eq(reader.inputs_valid | sequences.valid),
            _bits(words).eq(Mux(self.streams_inputs, sequences.word, reader.inputs_word)),
            sequences.stops.eq(self.stops),
            sequences.loads.payload.eq(requests.payload.words),
            sequences.loads.valid.eq(requests.valid & self.streams_inputs & ~is_tape & ~self.stops),
        ]

    def _fetch(self, m: Module) -> Any:
        """Answer what the fetch reads; return its requests."""
        requests = self.tile.fetch_requests
        kind = _choice(requests.payload.matrix.as_value(), Kind.GRADIENTS, Kind.WEIGHTS)
        return self._moves(m, "fetch", requests, kind, requests.payload.request)

    # --- what the tile writes

    def _store(self, m: Module) -> Any:
        """Write the tape; return its requests."""
        tile, writer = self.tile, self._writer
        m.submodules.tape_words = queue = SyncFIFO(width=len(_bits(tile.store_words)), depth=4)
        self._queue(m, queue, tile.store_words, writer.tape)
        m.d.comb += tile.stored.eq(writer.written.valid & (writer.written.kind == Kind.TAPE))
        return self._moves(m, "store", tile.store_requests, Kind.TAPE)

    def _connect_remote(self, m: Module, name: str) -> Any:
        """Connect the words of a matrix that lives in memory; return the requests to write them.

        As many words wait as the fetch has room for: it takes room from a word's request until the word is written.
        """
        tile, reader, writer = self.tile, self._reader, self._writer
        kind, words = _MATRICES[name]
        read, new, written = getattr(tile, words), getattr(tile, f"new_{words}"), getattr(tile, f"{name}_written")
        value_bytes = getattr(self._engine.formats, words[:-1]).bytes
        depth = self._buffer_bytes // self._engine.lanes // value_bytes
        queue = SyncFIFOBuffered(width=len(_bits(new)), depth=depth)
        m.submodules[f"new_{name}"] = queue
        self._queue(m, queue, new, getattr(writer, name))
        m.d.comb += [
            read.valid.eq(getattr(reader, f"{name}_valid")),
            _bits(read).eq(getattr(reader, f"{name}_word")),
            written.valid.eq(writer.written.valid & (writer.written.kind == kind)),
            written.payload.eq(writer.written.words),
        ]
        return self._moves(m, f"post_{name}", getattr(tile, f"posts_{name}"), kind)

    def _connect_local(self, m: Module, name: str) -> tuple[Any, Any, Any]:
        """Connect a matrix that lives in the tile; return requests to read and to write, and whether it was moved."""
        tile, reader, writer = self.tile, self._reader, self._writer
        kind, _ = _MATRICES[name]
        host, words = getattr(tile, f"local_{name}"), getattr(self._sizes, f"{name[:-1]}_words")
        local = LocalMatrix(kind=kind, port=host.signature, words=words)
        m.submodules[f"local_{name}"] = local
        connect(m, host, local.host)
        m.d.comb += [
            local.saves.eq(getattr(self, f"save_{name}")),
            local.valid.eq(getattr(reader, f"{name}_valid")),
            local.word.eq(getattr(reader, f"{name}_word")),
            local.written.eq(writer.written.valid & (writer.written.kind == kind)),
        ]
        m.d.comb += local.loads.eq(self.load_weights) if name == "weights" else local.clears.eq(self.clear_gradients)
        connect(m, local.saved, getattr(writer, name))
        return local.reads, local.writes, local.done & (local.loads | local.saves | local.clears)

    def _queue(self, m: Module, queue: Any, words: Any, to: Any) -> None:
        """Let words wait in a queue until they are written."""
        m.d.comb += [
            queue.w_data.eq(_bits(words)),
            queue.w_en.eq(words.valid),
            words.ready.eq(queue.w_rdy),
            to.payload.eq(queue.r_data),
            to.valid.eq(queue.r_rdy),
            queue.r_en.eq(to.ready),
        ]

    def _moves(self, m: Module, name: str, requests: Any, kind: Any, request: Any = None) -> Any:
        """Return requests of the tile as moves of a kind."""
        asked = requests.payload if request is None else request
        moves = stream.Signature(Move()).create(path=(f"{name}_moves",))
        m.d.comb += [
            moves.valid.eq(requests.valid & ~self.stops),
            requests.ready.eq(moves.ready & ~self.stops),
            moves.payload.kind.eq(kind),
            moves.payload.address.eq(asked.address),
            moves.payload.words.eq(asked.words),
        ]
        return moves

    # --- what the host is told

    def _tell(self, m: Module) -> None:
        tile, program, dispatch, reader, writer = self.tile, self._program, self._dispatch, self._reader, self._writer
        record = Signal(ADDRESS_BITS)
        with m.If(dispatch.starts_record & program.words.valid):
            m.d.sync += record.eq(program.word_address)
        m.d.comb += [
            self.program_error.eq(dispatch.error),
            self.done_counts.eq(tile.done_counts),
            self.cycles.eq(tile.cycles),
            self.spent.eq(tile.spent),
        ]
        with m.If(reader.error):
            m.d.comb += self.error_address.eq(reader.error_address)
        with m.Elif(writer.error):
            m.d.comb += self.error_address.eq(writer.error_address)
        with m.Else():
            m.d.comb += self.error_address.eq(record)


def _bits(words: Any) -> Value:
    """Return the payload of a stream as bits."""
    return Value.cast(words.payload)


def _choice(condition: Any, one: Any, other: Any) -> Value:
    """Return one kind or the other."""
    return Mux(condition, one.value, other.value)


def _join(m: Module, inner: Any, outer: Any) -> None:
    """Connect a stream of a part with the one of the whole, whichever way it goes."""
    connect(m, inner, flipped(outer))
