"""The fetch: prefetches matrix columns from off-chip memory for the lanes, and requests their write-backs."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, ShapeLike, Signal, Value, signed, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, Signature, connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.accel.modes import matvec
from deltatrain.rtl.off_chip.asked_segments import asked_segments, follow
from deltatrain.rtl.off_chip.posts import Posts
from deltatrain.rtl.off_chip.request import MATRIX_OF, FetchRequest, Matrix, Request
from deltatrain.rtl.off_chip.segment_splitter import ColumnsOp, SegmentSplitter
from deltatrain.rtl.off_chip.word_sizes import word_sizes
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.layouts import INDEX_BITS
from deltatrain.rtl.parts.memory_queue import MemoryQueue
from deltatrain.rtl.parts.stall_buffer import StallBuffer

__all__ = ["Fetch", "FetchedMatrix"]


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
        Words of posted writes that the memory has newly taken: their room is free from this cycle on.
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
    s + 2 = t  its op may begin and there is room: W is requested, room is taken,      `_ask`
               for dW too
    t + 1      dW is requested, if the op reads W and dW                               `_ask`
    t ...      its words come, and fall through while the lanes wait for them          `MemoryQueue`
    x          its last word is taken                                                  `_follow`
    x + 1      its room is free again, if it is not written back                       `_hold`
    x + 1 + d  it is posted, with d = drain_cycles: all the lanes made of it is out    `Posts`
    w          the memory has taken it, and its room is free again                     `written`, `_hold`
    ========== ======================================================================= ================================

    A segment may be requested in every cycle, across ops too. An op in which nothing fired takes one cycle in its turn.
    Room may be used in the very cycle in which it comes free.

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

    Attributes
    ----------
    ops : In(stream.Signature(ColumnsOp()))
        What to fetch, one op after the other.
    columns : In(stream.Signature(unsigned(INDEX_BITS)))
        The columns of each, or their rows where they are compressed.
    may_begin : In(1)
        Whether the first request of the next op may be made, because its list is done, and so are the ops that wrote
        the matrices that it reads. Stays high until `begins`.
    begins : Out(1)
        That request is made and taken in this cycle, or the op is passed over because nothing fired. From the next
        cycle on `may_begin` is about the op after it.
    requests : Out(stream.Signature(FetchRequest()))
        What to read.
    weights, gradients : Out(FetchedMatrix)
        Words of W, of dW.
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
    ) -> None:
        homes = {"weights": weights, "gradients": gradients}
        self._words = word_sizes(engine, [name for name, fetched in homes.items() if fetched], tiles, number_bits)
        if not self._words:
            raise ValueError("weights or gradients must be off-chip, or there is nothing to fetch")
        # Room is counted in bytes of each lane, as all segments are whole words, but for words that have numbers, too.
        self._row, self._unit_bytes = row, engine.lanes * tiles if row is None else 1
        self._word_units = {name: size.bytes // self._unit_bytes for name, size in self._words.items()}
        check_at_least("buffer_bytes", buffer_bytes, 2 * self._unit_bytes * sum(self._word_units.values()))
        self._room = buffer_bytes // self._unit_bytes
        self._depth = {name: self._room // size for name, size in self._word_units.items()}
        self._delay_cycles = 1 + matvec.drain_cycles(engine)
        self._asked = asked_segments(most_asked, self._depth)
        ports = {
            "ops": In(stream.Signature(ColumnsOp())),
            "columns": In(stream.Signature(unsigned(INDEX_BITS) if row is None else row)),
            "may_begin": In(1),
            "begins": Out(1),
            "requests": Out(stream.Signature(FetchRequest())),
        }
        for name, size in self._words.items():
            ports[name] = Out(FetchedMatrix(size.shape, self._depth[name]))
        super().__init__(ports)
        self.matrices: dict[str, Any] = {"weights": self.weights} if weights else {}
        self.matrices |= {"gradients": self.gradients} if gradients else {}

    def elaborate(self, platform: object) -> Module:
        """Connect requests, the words in flight, the side of the lanes, and the room that segments take."""
        m = Module()
        m.submodules.splitter = splitter = SegmentSplitter(row=self._row)
        connect(m, flipped(self.ops), splitter.ops)
        connect(m, flipped(self.columns), splitter.columns)
        m.submodules.segments = segments = StallBuffer(shape=splitter.segments.payload.shape())
        connect(m, splitter.segments, segments.i)
        most = max(self._depth.values())
        m.submodules.in_flight = in_flight = MemoryQueue(shape=_InFlight(most), depth=most)
        free, wanted, returned = (Signal(range(self._room + 1), name=n) for n in ("free", "wanted", "returned"))
        asks = self._ask(m, segments.o, in_flight, free, wanted)
        last_taken = self._follow(m, in_flight, self._buffer(m), returned)
        self._post(m, segments.o, in_flight, last_taken)
        self._hold(m, asks, free, wanted, returned)
        return m

    def _ask(self, m: Module, segments: Any, in_flight: MemoryQueue, free: Signal, wanted: Signal) -> Signal:
        """Request W, then dW, of a segment, once its op may begin and there is room; return whether this begins."""
        segment, request = segments.payload, self.requests.payload
        second, now, passes, asks, may_ask = Signal(), Signal(), Signal(), Signal(), Signal(init=1)
        left = Signal(signed(len(free) + 1))
        weights, addresses = Signal(), {}
        for name, size in self._words.items():
            addresses[name] = segment[f"{name}_address"] + segment.first_word * size.bytes
        m.d.comb += [
            now.eq(segments.valid & ~second & (self.may_begin | ~segment.begins)),
            passes.eq(now & segment.empty),
            wanted.eq(self._held_by(segment)),
            weights.eq(segment.weights & ~second),
            left.eq(free - wanted),
            self.requests.valid.eq(second | (now & ~segment.empty & ~left[-1] & may_ask)),
            request.matrix.eq(Mux(weights, Matrix.WEIGHTS, Matrix.WEIGHT_GRADIENTS)),
            request.request.words.eq(segment.words),
            request.request.address.eq(Mux(weights, addresses.get("weights", 0), addresses.get("gradients", 0))),
            asks.eq(self.requests.valid & self.requests.ready & ~second),
            in_flight.i.valid.eq(asks),
            in_flight.i.payload.words.eq(segment.words),
            *(in_flight.i.payload[name].eq(segment[name]) for name in ("weights", "gradients", "writes_back")),
            self.begins.eq(segment.begins & (passes | asks)),
        ]
        if self._asked is not None:
            m.submodules.asked = self._asked
            follow(m, self._asked, asks, segment, self.matrices)
            m.d.comb += may_ask.eq(self._asked.may_ask)
        both = segment.weights & segment.gradients
        m.d.comb += segments.ready.eq(passes | (self.requests.valid & self.requests.ready & (second | ~both)))
        with m.If(self.requests.valid & self.requests.ready):
            m.d.sync += second.eq(both & ~second)
        return asks

    def _buffer(self, m: Module) -> dict[str, Signal]:
        """Buffer the words of each kind; return for each whether the lanes take one."""
        taken = {}
        for name, size in self._words.items():
            m.submodules[f"{name}_words"] = queue = MemoryQueue(shape=size.shape, depth=self._depth[name])
            matrix = self.matrices[name]
            connect(m, flipped(matrix.words), queue.i)
            connect(m, queue.o, flipped(matrix.lane_words))
            taken[name] = Signal(name=f"{name}_taken")
            m.d.comb += taken[name].eq(matrix.lane_words.valid & matrix.lane_words.ready)
        return taken

    def _follow(self, m: Module, in_flight: MemoryQueue, taken: dict[str, Signal], returned: Signal) -> Signal:
        """Count the words of the oldest segment as they are taken; return whether its last one is."""
        segment, one_taken, last_taken = in_flight.o.payload, Signal(), Signal()
        after = Signal.like(segment.words, init=1)
        m.d.comb += [
            one_taken.eq(Mux(segment.weights, taken.get("weights", 0), taken.get("gradients", 0))),
            last_taken.eq(one_taken & (after == segment.words)),
            in_flight.o.ready.eq(last_taken),
        ]
        with m.If(last_taken & ~segment.writes_back):
            m.d.comb += returned.eq(self._held_by(segment))
        with m.If(one_taken):
            m.d.sync += after.eq(Mux(last_taken, 1, after + 1))
        return last_taken

    def _post(self, m: Module, segments: Any, in_flight: MemoryQueue, last_taken: Signal) -> None:
        """Keep the requests of segments that are written back; post each when it is due."""
        asked = self.requests.valid & self.requests.ready & segments.payload.writes_back
        segment = in_flight.o.payload
        for name in self._words:
            posts = Posts(delay_cycles=self._delay_cycles, depth=self._depth[name])
            m.submodules[f"{name}_posts"] = posts
            connect(m, posts.requests, flipped(self.matrices[name].posts))
            m.d.sync += [
                posts.segments.valid.eq(asked & (self.requests.payload.matrix == MATRIX_OF[name])),
                posts.segments.payload.eq(self.requests.payload.request),
            ]
            m.d.comb += [
                posts.taken.eq(last_taken & segment.writes_back & segment[name]),
            ]

    def _hold(self, m: Module, asks: Signal, free: Signal, wanted: Signal, returned: Signal) -> None:
        """Drive `free`, the room that no segment holds, that which is given back in this cycle included."""
        before = Signal.like(free, init=self._room)
        written = [self.matrices[name].written * size for name, size in self._word_units.items()]
        m.d.comb += free.eq(sum(written, start=before))
        kept = free + returned
        m.d.sync += before.eq(Mux(asks, kept - wanted, kept))  # whether it asks is known late

    def _held_by(self, segment: data.View) -> Value:
        """Return the room that `segment` holds."""
        sizes = [Mux(segment[name], segment.words * size, 0) for name, size in self._word_units.items()]
        return sum(sizes[1:], start=sizes[0])


class _InFlight(data.StructLayout):
    """A segment from its request until its last word is taken.

    Parameters
    ----------
    most_words
        The longest there may be.

    Members
    -------
    words : range
        Words of each matrix.
    weights, gradients, writes_back : unsigned(1)
        Of its op.
    """

    def __init__(self, most_words: int) -> None:
        super().__init__({"words": range(most_words + 1), "weights": 1, "gradients": 1, "writes_back": 1})
