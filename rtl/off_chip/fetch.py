"""The fetch: prefetches matrix columns from off-chip memory for the lanes, and requests their write-backs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Mux, ShapeLike, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, Signature, connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.accel.modes import matvec
from deltatrain.rtl.off_chip.asked_segments import asked_segments, follow, passed_member
from deltatrain.rtl.off_chip.permits import Permits
from deltatrain.rtl.off_chip.posts import Posts
from deltatrain.rtl.off_chip.request import ADDRESS_BITS, MATRIX_OF, FetchRequest, Matrix, Request
from deltatrain.rtl.off_chip.segment_splitter import ColumnsOp, SegmentSplitter
from deltatrain.rtl.off_chip.word_sizes import word_sizes
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.layouts import INDEX_BITS, GroupColumn
from deltatrain.rtl.parts.memory_queue import MemoryQueue
from deltatrain.rtl.parts.registered_queue import RegisteredQueue

__all__ = ["AskedFor", "Fetch", "FetchedMatrix", "InFlight"]


class FetchedMatrix(Signature):
    """What the fetch passes of one kind of matrix, W or dW, seen from the fetch.

    Parameters
    ----------
    word
        Shape of a word.
    depth
        Words that the buffer holds at most.

    Members
    -------
    words : In(stream.Signature(word))
        The words that were requested, in the order of the requests; always ready.
    lane_words : Out(stream.Signature(word))
        The same words for the lanes, which take one of each kind in the same cycle in an op that reads both.
    posts : Out(stream.Signature(Request()))
        What to write, with words that the lanes have handed out by then.
    written : In(range)
        Words of posted writes that the memory has newly taken.
    """

    def __init__(self, word: ShapeLike, depth: int) -> None:
        super().__init__(
            {
                "words": In(stream.Signature(word)),
                "lane_words": Out(stream.Signature(word)),
                "posts": Out(stream.Signature(Request())),
                "written": In(range(depth + 1)),
            }
        )


class Fetch(Component):
    """Requests columns as fast as the buffer has room, buffers their words, and posts write-backs.

    The life of a segment, a column or a part of one, that the lanes take in cycles x - words + 1 to x:

    ========== ======================================================================= ================================
    cycle      what happens                                                            where
    ========== ======================================================================= ================================
    s          its op is offered, at the earliest                                      `ops`
    s + 1      its column is offered; it becomes a segment                             `columns`, `SegmentSplitter`
    s + 2      its address and its room are reckoned; its op may begin, at the         `_reckon`, `Permits`
               earliest
    s + 3      it is the next to be asked for                                          `_enter`
    t          its op has been told to begin and there is room, at the earliest in     `_ask`
               s + 3: W is requested, room is taken, for dW too
    t + 1      dW is requested, if the op reads W and dW                               `_ask`
    t ...      its words come, and fall through while the lanes wait for them          `MemoryQueue`
    x          its last word is taken                                                  `_follow`
    x + 2      its room is free again, if it is not written back                       `_hold`
    x + 1 + d  it is posted, with d = drain_cycles: all the lanes made of it is out    `Posts`
    w          the memory has taken it                                                 `written`
    w + 2      its room is free again                                                  `_hold`
    ========== ======================================================================= ================================

    A segment may be requested in every cycle, across ops too. An op in which nothing fired takes one cycle in its turn.
    Room that comes free is used `accel.column_fetch.ROOM_CYCLES` later, so that no cycle adds it, compares it and asks.

    Words of W and of dW wait in separate memories, each as large as the whole buffer. `buffer_bytes` bounds what is in
    both and in flight to them.

    Parameters
    ----------
    engine
        Lanes and formats.
    buffer_bytes
        Most bytes that all segments hold together; at least two words of each matrix that is off-chip.
    most_asked
        Most segments that are asked for and not there yet; if left out, as many as there is room for.
    weights, gradients
        Whether W, dW live off-chip. The port of one that does not is absent.
    tiles
        Tiles that have a part of each column: a word has P values of each.
    number_bits, row
        Where columns are compressed: bits of an entry's number (`rtl.lanes.sparse`), and what names a column
        (`rtl.lists.column_table`). In memory numbers lie behind the values of their word.
    groups
        Whether lanes may take a word for several steps: its segment is then offered to them once all of it has come.
    told
        Whether `most_asked` are counted by `passed`, and not by the words that come.
    most
        As of `rtl.off_chip.segment_splitter.SegmentSplitter`.

    Attributes
    ----------
    ops : In(stream.Signature(ColumnsOp()))
        What to fetch, one op after the other.
    columns : In(stream.Signature(unsigned(INDEX_BITS)))
        The columns of each, or their rows where they are compressed; a `GroupColumn` each with `groups`.
    may_begin : In(1)
        Whether the first request of the next op may be made, because its list is done, and so are the ops that wrote
        the matrices that it reads. Stays high until `begins`.
    begins : Out(1)
        That is noted in this cycle (`rtl.off_chip.permits`). From the next cycle on `may_begin` is about the op after
        it.
    requests : Out(stream.Signature(FetchRequest()))
        What to read.
    weights, gradients : Out(FetchedMatrix)
        Words of W, of dW.
    passed : In(stream.Signature(1))
        An item for each request in the cycle in which its last word passes the port, in the order of the requests;
        always ready. Present if `told` of a `most_asked` that says anything.
    matrices
        Those of the two ports that are there, by name.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        buffer_bytes: int,
        most_asked: int | None = None,
        weights: bool,
        gradients: bool,
        tiles: int = 1,
        number_bits: int = 0,
        row: data.Layout | None = None,
        groups: bool = False,
        told: bool = False,
        **most: int,
    ) -> None:
        homes = {"weights": weights, "gradients": gradients}
        self._words = word_sizes(engine, [name for name, fetched in homes.items() if fetched], tiles, number_bits)
        if not self._words:
            raise ValueError("weights or gradients must be off-chip, or there is nothing to fetch")
        # Room is counted in bytes of each lane, as all segments are whole words, but for words that have numbers, too.
        self._row, self._unit_bytes, self._groups = row, engine.lanes * tiles if row is None else 1, groups
        self._most = most
        self._word_units = {name: size.bytes // self._unit_bytes for name, size in self._words.items()}
        check_at_least("buffer_bytes", buffer_bytes, 2 * self._unit_bytes * sum(self._word_units.values()))
        self._room = buffer_bytes // self._unit_bytes
        self._depth = {name: self._room // size for name, size in self._word_units.items()}
        self._delay_cycles = 1 + matvec.drain_cycles(engine)
        self._under_way = asked_segments(most_asked, self._depth, told)
        super().__init__(self._members())
        self.matrices: dict[str, Any] = {name: getattr(self, name) for name in self._words}

    def _members(self) -> dict[str, Any]:
        """Return the ports."""
        named: Any = unsigned(INDEX_BITS) if self._row is None else self._row
        ports: dict[str, Any] = {
            "ops": In(stream.Signature(ColumnsOp())),
            "columns": In(stream.Signature(GroupColumn() if self._groups else named)),
            "may_begin": In(1),
            "begins": Out(1),
            "requests": Out(stream.Signature(FetchRequest())),
            **passed_member(self._under_way),
        }
        for name, size in self._words.items():
            ports[name] = Out(FetchedMatrix(size.shape, self._depth[name]))
        return ports

    def elaborate(self, platform: object) -> Module:
        """Connect requests, the words in flight, the side of the lanes, and the room that segments take."""
        m = Module()
        m.submodules.splitter = splitter = SegmentSplitter(None, self._row, groups=self._groups, **self._most)
        connect(m, flipped(self.ops), splitter.ops)
        connect(m, flipped(self.columns), splitter.columns)
        m.submodules.permits = permits = Permits()
        m.d.comb += [permits.may_begin.eq(self.may_begin), self.begins.eq(permits.noted)]
        most = max(self._depth.values())
        m.submodules.asked = asked = RegisteredQueue(shape=AskedFor(most, self._room, self._groups), depth=2)
        self._reckon(m, splitter.segments, asked.i)
        m.submodules.in_flight = in_flight = MemoryQueue(shape=InFlight(most, self._room, self._groups), depth=most)
        self._free = Signal(range(self._room + 1), init=self._room, name="free")
        asks = self._ask(m, asked.o, permits)
        self._enter(m, asked.o, in_flight)
        last_taken = self._follow(m, in_flight, self._buffer(m, in_flight, self.matrices))
        self._post(m, asked.o.payload, in_flight, last_taken, self.matrices)
        self._hold(m, asks, asked.o.payload.room, last_taken, in_flight.o.payload.room)
        return m

    def _reckon(self, m: Module, segments: Any, asked: Any) -> None:
        """Say where each segment lies and how much room it will hold."""
        segment, made = segments.payload, asked.payload
        m.d.comb += [
            asked.valid.eq(segments.valid),
            segments.ready.eq(asked.ready),
            made.room.eq(self._held_by(segment)),
            *(made[name].eq(segment[name]) for name in ("begins", "empty", "words", "writes_back")),
            *(made[name].eq(segment[name]) for name in ("weights", "gradients", *self._of_groups)),
        ]
        for name, size in self._words.items():
            place = (segment.first_word + segment.word) * size.bytes
            m.d.comb += made[f"{name}_address"].eq(segment[f"{name}_address"] + place)

    def _ask(self, m: Module, asked: Any, permits: Permits) -> Signal:
        """Request W, then dW, of a segment, once its op may begin and there is room; return whether this begins."""
        segment, request = asked.payload, self.requests.payload
        second, now, passes, asks, weights = Signal(), Signal(), Signal(), Signal(), Signal()
        both, may_ask = segment.weights & segment.gradients, segment.room <= self._free
        if self._under_way is not None:
            m.submodules.under_way = self._under_way
            follow(m, self._under_way, asks, segment, self)
            may_ask = may_ask & self._under_way.may_ask
        m.d.comb += [
            now.eq(asked.valid & ~second & (permits.may_begin_now | ~segment.begins)),
            passes.eq(now & segment.empty),
            weights.eq(segment.weights & ~second),
            self.requests.valid.eq(second | (now & ~segment.empty & may_ask)),
            request.matrix.eq(Mux(weights, Matrix.WEIGHTS, Matrix.WEIGHT_GRADIENTS)),
            request.request.words.eq(segment.words),
            request.request.address.eq(Mux(weights, segment.weights_address, segment.gradients_address)),
            asks.eq(self.requests.valid & self.requests.ready & ~second),
            permits.begins.eq(segment.begins & (passes | asks)),
            asked.ready.eq(passes | (self.requests.valid & self.requests.ready & (second | ~both))),
        ]
        with m.If(self.requests.valid & self.requests.ready):
            m.d.sync += second.eq(both & ~second)
        return asks

    def _enter(self, m: Module, asked: Any, in_flight: MemoryQueue, own: Value | None = None) -> None:
        """Let a segment enter those in flight as soon as it is the next to ask for, as words may come at once.

        Of several arrays each has segments of its `own`. No words come for one before it is asked for, so the lanes
        need not know whether it is. Where there is no place for it, there is no room either: each of the others holds
        a word at least.
        """
        segment, enters, entered = asked.payload, in_flight.i.payload, Signal(name="entered")
        valid = asked.valid if own is None else asked.valid & own
        m.d.comb += [
            in_flight.i.valid.eq(valid & ~segment.empty & ~entered),
            enters.room.eq(Mux(segment.writes_back, 0, segment.room)),
            *(enters[name].eq(segment[name]) for name in ("words", "weights", "gradients", "writes_back")),
            *(enters[name].eq(segment[name]) for name in self._of_groups),
        ]
        m.d.sync += entered.eq(~asked.ready & (entered | (in_flight.i.valid & in_flight.i.ready)))

    def _buffer(self, m: Module, in_flight: MemoryQueue, matrices: Mapping[str, Any]) -> dict[str, Signal]:
        """Buffer the words of each kind; return for each whether the lanes take one, of a segment in flight."""
        taken = {}
        for name, size in self._words.items():
            m.submodules[f"{name}_words"] = queue = MemoryQueue(shape=size.shape, depth=self._depth[name])
            matrix = matrices[name]
            connect(m, flipped(matrix.words), queue.i)
            taken[name] = Signal(name=f"{name}_taken")
            may_take: Value = in_flight.o.valid
            if self._groups and name == "gradients":
                oldest = in_flight.o.payload
                may_take = may_take & (~oldest.several | self._has_come(m, name, queue, oldest))
            m.d.comb += [
                matrix.lane_words.payload.eq(queue.o.payload),
                matrix.lane_words.valid.eq(queue.o.valid & may_take),
                taken[name].eq(matrix.lane_words.valid & matrix.lane_words.ready),
                queue.o.ready.eq(matrix.lane_words.ready & may_take),
            ]
        return taken

    @property
    def _of_groups(self) -> tuple[str, ...]:
        """What is known of a segment where lanes may take a word for several steps."""
        return ("several",) if self._groups else ()

    def _has_come(self, m: Module, name: str, queue: MemoryQueue, segment: data.View) -> Value:
        """Return whether all words of a kind that are left of the oldest segment are here, or come in this cycle."""
        here, left, begun = Signal(range(self._depth[name] + 1)), Signal.like(segment.words), Signal()
        taken = queue.o.valid & queue.o.ready
        wanted = Mux(begun, left, segment.words)
        m.d.sync += here.eq(here + queue.i.valid - taken)
        with m.If(taken):
            m.d.sync += [left.eq(wanted - 1), begun.eq(wanted != 1)]
        return here + queue.i.valid >= wanted

    def _follow(self, m: Module, in_flight: MemoryQueue, taken: dict[str, Signal]) -> Signal:
        """Count the words of the oldest segment as they are taken; return whether its last one is."""
        segment, one_taken, last_taken = in_flight.o.payload, Signal(), Signal()
        after = Signal.like(segment.words, init=1)
        m.d.comb += [
            one_taken.eq(Mux(segment.weights, taken.get("weights", 0), taken.get("gradients", 0))),
            last_taken.eq(one_taken & (after == segment.words)),
            in_flight.o.ready.eq(last_taken),
        ]
        with m.If(one_taken):
            m.d.sync += after.eq(Mux(last_taken, 1, after + 1))
        return last_taken

    def _post(
        self,
        m: Module,
        segment: data.View,
        in_flight: MemoryQueue,
        last_taken: Signal,
        matrices: Mapping[str, Any],
        own: Value | None = None,
    ) -> None:
        """Keep the requests of segments that are written back; post each when it is due."""
        asked, oldest = self.requests.valid & self.requests.ready & segment.writes_back, in_flight.o.payload
        asked = asked if own is None else asked & own
        for name in self._words:
            posts = Posts(delay_cycles=self._delay_cycles, depth=self._depth[name])
            m.submodules[f"{name}_posts"] = posts
            connect(m, posts.requests, flipped(matrices[name].posts))
            m.d.sync += [
                posts.segments.valid.eq(asked & (self.requests.payload.matrix == MATRIX_OF[name])),
                posts.segments.payload.eq(self.requests.payload.request),
            ]
            m.d.comb += [
                posts.taken.eq(last_taken & oldest.writes_back & oldest[name]),
            ]

    def _hold(self, m: Module, asks: Signal, wanted: Value, last_taken: Signal, returned: Value) -> None:
        """Keep `free`, the room that no segment holds; what is given back is added up first."""
        free, room = self._free, range(self._room + 1)
        freed, kept, written = Signal(room), Signal(room), Signal(room)
        of_matrices = [self._written(name) * size for name, size in self._word_units.items()]
        m.d.comb += [written.eq(sum(of_matrices[1:], start=of_matrices[0])), kept.eq(free + freed)]
        m.d.sync += [
            freed.eq(Mux(last_taken, written + returned, written)),  # what lanes take is known late,
            free.eq(Mux(asks, kept - wanted, kept)),  # and so is whether it asks
        ]

    def _written(self, kind: str) -> Value:
        """Return the words of posted writes of a kind that the memory has newly taken."""
        written: Value = self.matrices[kind].written
        return written

    def _held_by(self, segment: data.View) -> Value:
        """Return the room that `segment` holds."""
        sizes = [Mux(segment[name], segment.words * size, 0) for name, size in self._word_units.items()]
        return sum(sizes[1:], start=sizes[0])


class AskedFor(data.StructLayout):
    """A segment of which all is known that asking for it needs; `room` is what it will hold; `array` is of several."""

    def __init__(self, most_words: int, room: int, groups: bool = False, arrays: int = 1) -> None:
        flags = dict.fromkeys(("begins", "empty", "weights", "gradients", "writes_back"), 1)
        flags |= {"several": 1} if groups else {}
        addresses = dict.fromkeys(("weights_address", "gradients_address"), unsigned(ADDRESS_BITS))
        which = {"array": range(arrays)} if arrays > 1 else {}
        super().__init__({**flags, **addresses, "words": range(most_words + 1), "room": range(room + 1), **which})


class InFlight(data.StructLayout):
    """A segment from when it is the next to be asked for until its last word is taken.

    Parameters
    ----------
    most_words, room
        The longest there may be, and the most room that it may hold.

    Members
    -------
    words : range
        Words of each matrix.
    weights, gradients, writes_back : unsigned(1)
        Of its op.
    room : range
        What is free when its last word has been taken.
    several : unsigned(1)
        Whether lanes take each word for more than one step; present if `groups`.
    """

    def __init__(self, most_words: int, room: int, groups: bool = False) -> None:
        flags = dict.fromkeys(("weights", "gradients", "writes_back"), 1)
        flags |= {"several": 1} if groups else {}
        super().__init__({"words": range(most_words + 1), **flags, "room": range(room + 1)})
