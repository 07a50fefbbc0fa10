"""The fetch with a column cache: asks off-chip memory for the runs of columns that are not in it."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.accel.modes import matvec
from deltatrain.rtl.off_chip.asked_segments import asked_segments, follow, passed_member
from deltatrain.rtl.off_chip.cached_words import CachedWords
from deltatrain.rtl.off_chip.fetch import FetchedMatrix
from deltatrain.rtl.off_chip.found import COUNT_BITS, looked_up_layout
from deltatrain.rtl.off_chip.permits import Permits
from deltatrain.rtl.off_chip.posts import Posts
from deltatrain.rtl.off_chip.request import ADDRESS_BITS, MATRIX_OF, FetchRequest, Matrix, Request
from deltatrain.rtl.off_chip.run_walk import Run
from deltatrain.rtl.off_chip.segment_splitter import ColumnsOp, SegmentSplitter
from deltatrain.rtl.off_chip.tags import Tags
from deltatrain.rtl.off_chip.word_sizes import word_sizes
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.layouts import INDEX_BITS, GroupColumn
from deltatrain.rtl.parts.line_shape import LineShape
from deltatrain.rtl.parts.memory_queue import MemoryQueue
from deltatrain.rtl.parts.registered_queue import RegisteredQueue

__all__ = ["CachedFetch"]


class CachedFetch(Component):
    """Does what `rtl.off_chip.fetch.Fetch` does, and looks for the segments of all ops but updates in a cache first.

    The life of a segment, as there, with the tags before it is asked for and the lines behind:

    =============== ===================================================================== =============================
    cycle           what happens                                                          where
    =============== ===================================================================== =============================
    s               its op is offered, at the earliest                                    `ops`
    s + 1           its column is offered; it becomes a segment                           `columns`, `SegmentSplitter`
    s + 2           its tags are looked up                                                `Tags`
    s + 6           its address and its room are reckoned; its op may begin, at the       `_reckon`, `Permits`
                    earliest
    s + 7 = t       its op has been told to begin and there is room: it is asked for, or  `_ask`
                    it is there
    t + 4           its first word may be taken, if that is there                         `CachedWords`
    x               its last word is taken, and so has gone the line that it replaces     `CachedWords`
    x + 2           its room is free again, but for what goes out                         `_hold`
    x + 1 + d       it, or that line, is posted                                           `Posts`
    w               the memory has taken that                                             `written`
    w + 2           the room of that is free again                                        `_hold`
    =============== ===================================================================== =============================

    A run of a set waits until the lines that went out of it before are posted; so do all lines before an update. One
    that is there holds room for a word alone, as its words are read when they are taken.

    Parameters
    ----------
    engine, buffer_bytes, tiles, most_asked, weights, gradients
        As of `rtl.off_chip.fetch.Fetch`.
    shape
        Of the cache.
    number_bits, row, groups, told
        As of `rtl.off_chip.fetch.Fetch`.
    counts
        As of `rtl.off_chip.tags.Tags`.
    most
        As of `rtl.off_chip.segment_splitter.SegmentSplitter`.

    Attributes
    ----------
    ops, columns, may_begin, begins, requests, weights, gradients, passed, matrices
        As of `rtl.off_chip.fetch.Fetch`.
    made : In(stream.Signature(word))
        New words of dW from the lanes; there if dW is off-chip.
    new_words : Out(stream.Signature(word))
        Words of dW to be written by requests of ``gradients.posts``; likewise.
    looked_up : Out(looked_up_layout())
        Hits, misses and lines that went out so far.
    index
        As of `rtl.off_chip.segment_splitter.SegmentSplitter`.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        buffer_bytes: int,
        tiles: int = 1,
        most_asked: int | None = None,
        weights: bool,
        gradients: bool,
        shape: LineShape,
        number_bits: int = 0,
        row: data.Layout | None = None,
        groups: bool = False,
        told: bool = False,
        counts: bool = True,
        **most: int,
    ) -> None:
        homes = {"weights": weights, "gradients": gradients}
        self._words = word_sizes(engine, [name for name, fetched in homes.items() if fetched], tiles, number_bits)
        if not self._words:
            raise ValueError("weights or gradients must be off-chip, or there is nothing to fetch")
        unit_bytes = engine.lanes * tiles if row is None else 1  # of room, as in `Fetch`
        self._units = {name: size.bytes // unit_bytes for name, size in self._words.items()}
        check_at_least("buffer_bytes", buffer_bytes, 2 * unit_bytes * sum(self._units.values()))
        self._room, self._row, self._groups = buffer_bytes // unit_bytes, row, groups
        column = GroupColumn() if groups else unsigned(INDEX_BITS) if row is None else row
        self._depth = {name: self._room // size for name, size in self._units.items()}
        self._delay_cycles = 1 + matvec.drain_cycles(engine)
        self._shape, self._counts, self._most = shape, counts, most
        self._under_way = asked_segments(most_asked, self._depth, told)
        ports: dict[str, Any] = {
            "ops": In(stream.Signature(ColumnsOp(shape))),
            "columns": In(stream.Signature(column)),
            "may_begin": In(1),
            "begins": Out(1),
            "requests": Out(stream.Signature(FetchRequest())),
            "looked_up": Out(looked_up_layout()),
            **({"index": In(INDEX_BITS)} if shape.fired else {}),
            **passed_member(self._under_way),
        }
        for name, size in self._words.items():
            ports[name] = Out(FetchedMatrix(size.shape, self._depth[name]))
        if gradients:
            words = stream.Signature(self._words["gradients"].shape)
            ports |= {"made": In(words), "new_words": Out(words)}
        super().__init__(ports)
        self.matrices: dict[str, Any] = {name: getattr(self, name) for name in self._words}

    def elaborate(self, platform: object) -> Module:
        """Connect splitter, tags, what is in flight, the words, and the room that segments take."""
        m = Module()
        m.submodules.splitter = splitter = SegmentSplitter(self._shape, self._row, groups=self._groups, **self._most)
        gradient_word_bytes = self._words["gradients"].bytes if "gradients" in self._words else 0
        m.submodules.tags = tags = Tags(
            shape=self._shape, gradient_word_bytes=gradient_word_bytes, groups=self._groups, counts=self._counts
        )
        connect(m, flipped(self.ops), splitter.ops)
        connect(m, flipped(self.columns), splitter.columns)
        if self._shape.fired:
            m.d.comb += splitter.index.eq(self.index)
        connect(m, splitter.segments, tags.segments)
        most = max(self._depth.values())
        run = Run(self._shape, most, self._room, groups=self._groups)
        m.submodules.in_flight = in_flight = MemoryQueue(shape=run, depth=most)
        m.submodules.words = words = CachedWords(sizes=self._words, shape=self._shape, run=run)
        connect(m, in_flight.o, words.runs)
        m.d.comb += self.looked_up.eq(tags.looked_up)
        self._connect_words(m, words)
        m.submodules.permits = permits = Permits()
        m.d.comb += [permits.may_begin.eq(self.may_begin), self.begins.eq(permits.noted)]
        m.submodules.asked = asked = RegisteredQueue(shape=_Asked(run, self._room), depth=2)
        self._reckon(m, tags, asked.i)
        room = range(self._room + 1)
        free, gone, enters = Signal(room, init=self._room), Signal(COUNT_BITS), Signal()
        self._ask(m, asked.o, permits, enters, free, gone)
        m.d.sync += [in_flight.i.valid.eq(enters), in_flight.i.payload.eq(asked.o.payload.run)]
        self._post(m, asked.o.payload, enters, words, gone)
        self._hold(m, enters, asked.o.payload.room, words, free)
        return m

    def _connect_words(self, m: Module, words: CachedWords) -> None:
        """Buffer what comes; let the lanes have what they take, and the memory what is handed out."""
        for name, matrix in self.matrices.items():
            shape = self._words[name].shape
            m.submodules[f"{name}_words"] = queue = MemoryQueue(shape=shape, depth=self._depth[name])
            connect(m, flipped(matrix.words), queue.i)
            connect(m, queue.o, getattr(words, f"come_{name}"))
            connect(m, getattr(words, f"lane_{name}"), flipped(matrix.lane_words))
            if self._groups and name == "gradients":
                here = Signal(range(self._depth[name] + 1), name="here")
                m.d.sync += here.eq(here + queue.i.valid - (queue.o.valid & queue.o.ready))
                m.d.comb += words.come.eq(here + queue.i.valid)
        if "gradients" in self._words:
            connect(m, flipped(self.made), words.made)
            connect(m, words.new_words, flipped(self.new_words))

    def _reckon(self, m: Module, tags: Tags, asked: Any) -> None:
        """Say where each segment lies, how much room it will hold, and how much of that its line that goes out."""
        found, made = tags.found.payload, asked.payload
        segment, run = found.segment, made.run
        held, out, room = (Signal.like(made.room, name=name) for name in ("held", "out", "room"))
        # Apart from `made`, within which nothing may follow from another field.
        words, out_words = (Signal.like(run.words, name=name) for name in ("words", "out_words"))
        writes_back, longer = segment.writes_back & ~found.flushed, Signal()
        m.d.comb += [
            asked.valid.eq(tags.found.valid),
            tags.found.ready.eq(asked.ready),
            held.eq(Mux(found.flushed, 0, self._held_by(segment, Mux(found.hit, 1, segment.words)))),
            out.eq(Mux(found.goes_out, found.out.words * self._units.get("gradients", 0), 0)),
            room.eq(Mux(out > held, out, held)),
            made.room.eq(room),
            made.begins.eq(segment.begins),
            made.passes.eq(segment.empty | found.skips),
            made.asks.eq(~found.hit & ~found.flushed),
            made.both.eq(segment.weights & segment.gradients & ~found.flushed),
            made.goes_out.eq(found.goes_out),
            made.out.eq(found.out),
            made.behind.eq(found.behind),
            words.eq(Mux(found.flushed, 0, segment.words)),
            out_words.eq(Mux(found.goes_out, found.out.words, 0)),
            longer.eq(out_words > words),
            run.words.eq(words),
            run.out_words.eq(out_words),
            run.steps.eq(Mux(longer, out_words, words)),
            run.waits.eq(Mux(longer, out_words - words, 0)),
            *(run[name].eq(segment[name]) for name in ("weights", "gradients", "cached")),
            run.writes_back.eq(writes_back),
            run.hit.eq(found.hit),
            run.slot.eq(found.slot),
            run.returned.eq(Mux(writes_back, 0, room - out)),
            *([run.several.eq(segment.several)] if self._groups else []),
        ]
        for name, size in self._words.items():
            place = (segment.first_word + segment.word) * size.bytes
            m.d.comb += made[f"{name}_address"].eq(segment[f"{name}_address"] + place)

    def _ask(self, m: Module, asked: Any, permits: Permits, enters: Signal, free: Signal, gone: Signal) -> None:
        """Ask for W, then dW, of the next segment that is not there, once its op may begin and there is room."""
        segment, request = asked.payload, self.requests.payload
        second, now, may, weights = Signal(), Signal(), Signal(), Signal()
        has_room = (segment.room <= free) & (gone >= segment.behind)
        if self._under_way is not None:
            m.submodules.under_way = self._under_way
            follow(m, self._under_way, enters & segment.asks, segment.run, self)
            has_room = has_room & (~segment.asks | self._under_way.may_ask)
        m.d.comb += [
            now.eq(asked.valid & ~second & (permits.may_begin_now | ~segment.begins)),
            may.eq(now & ~segment.passes & has_room),
            weights.eq(segment.run.weights & ~second),
            self.requests.valid.eq(second | (may & segment.asks)),
            request.matrix.eq(Mux(weights, Matrix.WEIGHTS, Matrix.WEIGHT_GRADIENTS)),
            request.request.words.eq(segment.run.words),
            request.request.address.eq(Mux(weights, segment.weights_address, segment.gradients_address)),
            enters.eq(may & (~segment.asks | self.requests.ready)),
            permits.begins.eq(segment.begins & ((now & segment.passes) | enters)),
            asked.ready.eq(
                (now & segment.passes) | (second & self.requests.ready) | (enters & ~(segment.asks & segment.both))
            ),
        ]
        with m.If(second):
            m.d.sync += second.eq(~self.requests.ready)
        with m.Elif(enters):
            m.d.sync += second.eq(segment.asks & segment.both)

    def _post(self, m: Module, asked: data.View, enters: Signal, words: CachedWords, gone: Signal) -> None:
        """Post each segment that is written back, and each line that goes out; count those of dW as `gone`."""
        goes_back = self.requests.valid & self.requests.ready & asked.run.writes_back
        for name in self._words:
            posts = Posts(delay_cycles=self._delay_cycles, depth=self._depth[name])
            m.submodules[f"{name}_posts"] = posts
            connect(m, posts.requests, flipped(self.matrices[name].posts))
            back = goes_back & (self.requests.payload.matrix == MATRIX_OF[name])
            goes_out = asked.goes_out if name == "gradients" else Const(0)
            ends_out = (name == "gradients") & (words.ended.out_words != 0)
            m.d.sync += [
                posts.segments.valid.eq(back | (goes_out & enters)),
                posts.segments.payload.eq(Mux(goes_out, asked.out, self.requests.payload.request)),
            ]
            m.d.comb += [
                posts.taken.eq(words.ends & ((words.ended.writes_back & words.ended[name]) | ends_out)),
            ]
        if "gradients" in self._words:
            posted = self.matrices["gradients"].posts
            m.d.sync += gone.eq(gone + (posted.valid & posted.ready))

    def _hold(self, m: Module, enters: Signal, wanted: Value, words: CachedWords, free: Signal) -> None:
        """Keep `free`, the bytes of each lane that no segment holds; what is given back is added up first."""
        room = range(self._room + 1)
        freed, kept, written = Signal(room), Signal(room), Signal(room)
        of_matrices = [self.matrices[name].written * size for name, size in self._units.items()]
        m.d.comb += [written.eq(sum(of_matrices[1:], start=of_matrices[0])), kept.eq(free + freed)]
        m.d.sync += [
            freed.eq(Mux(words.ends, written + words.ended.returned, written)),  # what lanes take is known late
            free.eq(Mux(enters, kept - wanted, kept)),
        ]

    def _held_by(self, segment: data.View, words: Value) -> Value:
        """Return the bytes of each lane that so many words of each matrix of `segment` take."""
        sizes = [Mux(segment[name], words * size, 0) for name, size in self._units.items()]
        return sum(sizes[1:], start=sizes[0])


class _Asked(data.StructLayout):
    """A segment of which all is known that asking for it needs, or a line that goes out before an op.

    Parameters
    ----------
    run
        Shape of what will be in flight.
    room
        Bytes of each lane that the buffer holds.

    Members
    -------
    begins, passes, asks, both : unsigned(1)
        Whether it is the first of its op; there is nothing to do but that takes a cycle; it is asked for; twice.
    goes_out, out, behind
        As of `rtl.off_chip.found.Found`.
    weights_address, gradients_address : unsigned(ADDRESS_BITS)
        Of the segment.
    room : range
        Bytes of each lane that it will hold.
    run : Run
        What will be in flight.
    """

    def __init__(self, run: Run, room: int) -> None:
        addresses = dict.fromkeys(("weights_address", "gradients_address"), unsigned(ADDRESS_BITS))
        super().__init__(
            {
                **dict.fromkeys(("begins", "passes", "asks", "both", "goes_out"), 1),
                **addresses,
                "out": Request(),
                "behind": unsigned(COUNT_BITS),
                "room": range(room + 1),
                "run": run,
            }
        )
