"""The tags of the column cache: which runs of columns are in it, and which lines go out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory, ReadPort
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.op_table import PHASES
from deltatrain.rtl.off_chip.fired_steps import FiredSteps, Moment
from deltatrain.rtl.off_chip.found import COUNT_BITS, Found, looked_up_layout
from deltatrain.rtl.off_chip.request import ADDRESS_BITS
from deltatrain.rtl.off_chip.segment_splitter import Segment
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.line_shape import LineShape
from deltatrain.rtl.parts.registered_queue import RegisteredQueue

__all__ = ["Tags", "divided"]

_MOST_OF_TABLE = 64
"""Products with a constant that are a table at most: one of so few is known sooner than what a multiplier makes."""


class _Way(data.StructLayout):
    """A line: whether there is a run, whether that was written, which of its set's it is, how long it was not used.

    Lines with runs have the ages 0, 1, ... in their set; the oldest of a full one goes first. Of runs of dW the words
    are kept too, at most `most_words`. Where ages go by what fired, each has its `moment`.
    """

    def __init__(self, shape: LineShape, most_words: int) -> None:
        flags = {"valid": 1, "dirty": 1, "tag": unsigned(shape.tag_bits), "age": range(max(shape.ways, 2))}
        moment = {"moment": Moment(shape.fired)} if shape.fired else {}
        super().__init__({**flags, "words": range(most_words + 1), **moment})


class Tags(Component):
    """Looks segments up in their order, one a cycle; lets dirty lines go out before an op that passes the cache by.

        cycle  s                    s + 1            s + 2            s + 3                   s + 4
               segment offered; its its set is read  its set is there hit or line is known,   it is offered, with
               number is divided                     and is kept      and the set is written  where the line goes
               by that of the sets                                                            that goes out for it

    A memory answers late in its cycle, so its answer is kept in a register before anything is compared. What is written
    for a segment then goes past the memory to the one behind it, if that is of the same set.

    What hits depends on the segments alone, and not on when they are taken. The oldest lines of a set go first: those
    used least recently (the policy "lru"), or those whose columns fired least recently before the step at work
    ("reverse", `rtl.off_chip.fired_steps`). Lines that fired in one step have the ages of their uses. Beside its lines
    a set has the number of the line that went out of it last: a run that comes back may not be asked for before it was
    posted, so a run that is not there waits for all that went out of its set. Segments of dW that are written back past
    the cache are counted as lines, as they are posted in their turn.

    If anything was looked up since, an op that passes the cache by gives up all lines first, set after set: a cycle for
    each that is dirty, and one for a set without any. The next set is read while one is given up. Segments that have
    come by then find sets without lines, and need not be read.

    After a reset the sets are cleared, one a cycle; nothing may be looked up before that.

    Parameters
    ----------
    shape
        Of the cache.
    gradient_word_bytes
        Bytes of a word of dW. 0 if dW is not off-chip: nobody writes what is cached then, and no line goes out.
    groups
        As of `rtl.off_chip.segment_splitter.Segment`.
    counts
        Whether hits, misses and lines that went out are counted; else `looked_up` stays zero.

    Attributes
    ----------
    segments : In(stream.Signature(Segment))
        The segments.
    found : Out(stream.Signature(Found))
        The same, and what goes out before them.
    looked_up : Out(looked_up_layout())
        Hits, misses and lines that went out so far.
    """

    def __init__(
        self, *, shape: LineShape, gradient_word_bytes: int, groups: bool = False, counts: bool = True
    ) -> None:
        for name in ("sets", "ways", "runs"):
            check_at_least(name, getattr(shape, name), 1)
        self._shape, self._gradient_word_bytes, self._counts = shape, gradient_word_bytes, counts
        self._segment = Segment(shape, groups=groups)
        self._way = _Way(shape, shape.line_bytes // gradient_word_bytes if gradient_word_bytes else 0)
        self._row = data.StructLayout(
            {"ways": data.ArrayLayout(self._way, shape.ways), "last_out": unsigned(COUNT_BITS)}
        )
        super().__init__(
            {
                "segments": In(stream.Signature(self._segment)),
                "found": Out(stream.Signature(Found(shape, groups=groups))),
                "looked_up": Out(looked_up_layout()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the stages, the memory of the sets and that of the places of lines."""
        m = Module()
        m.submodules.rows = rows = Memory(shape=self._row, depth=max(self._shape.sets, 2), init=[])
        write = rows.write_port()
        read = rows.read_port(transparent_for=(write,))
        number = range(max(self._shape.sets, 2))
        # What is known of the segment whose set is there.
        now = SimpleNamespace(
            valid=Signal(name="is_there"),
            segment=Signal(self._segment, name="segment"),
            tag=Signal(self._shape.tag_bits, name="tag"),
            set=Signal(number, name="set_number"),
            row=Signal(self._row, name="row"),
            became=Signal(self._row, name="became"),  # what its set becomes when the segment is looked up
            free=Signal(name="free"),  # what is offered next may go
            touched=Signal(name="touched"),  # there may be lines
            scans=Signal(name="scans"),  # a set is given up
            looks=Signal(name="looks"),  # the segment is looked up
            out=Signal(self._shape.ways, name="out"),  # which line of the set goes out
            fired=FiredSteps(shape=self._shape.fired) if self._shape.fired else None,
        )
        if now.fired is not None:
            m.submodules.fired = now.fired
            m.d.comb += [now.fired.phase.eq(now.segment.phase), now.fired.looks.eq(now.looks)]
        cached = self._is_cached(now)
        m.d.comb += [
            now.free.eq(~self.found.valid | self.found.ready),
            now.looks.eq(cached & now.free),
        ]
        set_ends = self._scan(m, now)
        self._come(m, read, now, set_ends)
        hit, chosen, ways = self._choose(m, now)
        goes_out, issued = Signal(), Signal(COUNT_BITS)
        victims = chosen & _bits(now.row, "dirty")
        m.d.comb += goes_out.eq(Mux(now.scans, now.out.any(), cached & ~hit & victims.any()))
        line = Mux(now.scans, now.out, chosen)
        slot = self._slot(m, now, line)
        self._offer(m, now, hit, goes_out, slot, issued)
        self._place(m, now, hit, line, slot)
        self._count(m, now, hit, goes_out, issued)
        # A line that goes out now is the next to be issued.
        m.d.comb += [
            now.became.last_out.eq(Mux(goes_out, issued + 1, now.row.last_out)),
            *(now.became.ways[way].eq(line) for way, line in enumerate(ways)),
            write.addr.eq(now.set),
            write.en.eq(now.looks | set_ends),
            write.data.eq(now.became),
        ]
        with m.If(now.scans):
            m.d.comb += Value.cast(write.data).eq(0)
        cleared = Signal(range(self._shape.sets + 1))
        with m.If(cleared != self._shape.sets):
            m.d.comb += [write.addr.eq(cleared), write.en.eq(1), Value.cast(write.data).eq(0)]
            m.d.sync += cleared.eq(cleared + 1)
        return m

    # --- the first three stages

    def _come(self, m: Module, read: ReadPort, now: SimpleNamespace, set_ends: Signal) -> None:
        """Divide the number of a segment's run, read its set, and keep it; of an op that passes the cache by set 0."""
        # Two places, so that a stall goes no further in its cycle.
        come = data.StructLayout({"segment": now.segment.shape(), "tag": now.tag.shape()})
        m.submodules.come = queue = RegisteredQueue(shape=come, depth=2)
        segment, tag = queue.o.payload.segment, queue.o.payload.tag
        there = SimpleNamespace(  # of what comes next
            valid=Signal(),
            segment=Signal.like(now.segment),
            tag=Signal.like(now.tag),
            set=Signal.like(now.set),
            without_lines=Signal(),
        )
        goes, reads, number, scans, may_scan = Signal(), Signal(), Signal.like(now.set), Signal(), Signal()
        m.d.comb += [
            goes.eq(~now.valid | (now.free & ~now.scans)),
            reads.eq(~there.valid | goes),
            queue.i.valid.eq(self.segments.valid),
            queue.i.payload.segment.eq(self.segments.payload),
            queue.i.payload.tag.eq(divided(self.segments.payload.line, self._shape)),
            queue.o.ready.eq(reads),
            self.segments.ready.eq(queue.i.ready),
            number.eq(Mux(segment.cached, segment.line - _times_sets(tag, self._shape), 0)),
            # Whatever is looked up now is so in the cycle in which the next segment comes, if that does.
            may_scan.eq(there.valid & self._passes_by(there.segment) & (now.touched | self._is_cached(now))),
            scans.eq(goes & may_scan),
            read.addr.eq(Mux(now.scans, now.set + 2, Mux(may_scan, 1, number))),
            read.en.eq(set_ends | scans | (reads & queue.o.valid & ~now.scans)),
        ]
        with m.If(reads):
            m.d.sync += [
                there.valid.eq(queue.o.valid),
                there.segment.eq(segment),
                there.segment.first_word.eq(segment.first_word + segment.word),
                there.segment.word.eq(0),
                there.tag.eq(tag),
                there.set.eq(number),
                there.without_lines.eq(scans | now.scans),
            ]
        self._keep(m, read, now, there, goes)
        if now.fired is not None:
            m.d.comb += [
                now.fired.column.eq(segment.fired.column),
                now.fired.reads.eq(reads),
                now.fired.there.eq(there.segment.fired),
                now.fired.keeps.eq(goes),
            ]
        with m.If(set_ends):
            m.d.sync += now.row.eq(read.data)

    def _keep(self, m: Module, read: ReadPort, now: SimpleNamespace, there: SimpleNamespace, goes: Signal) -> None:
        """Keep what comes next, and its set: what the memory answered, or what is being written of that set."""
        row = Mux(there.without_lines, 0, Value.cast(read.data))
        passed = self._is_cached(now) & (now.set == there.set)
        with m.If(goes):
            m.d.sync += [
                now.valid.eq(there.valid),
                now.segment.eq(there.segment),
                now.tag.eq(there.tag),
                now.set.eq(there.set),
                Value.cast(now.row).eq(Mux(passed, Value.cast(now.became), row)),
            ]

    @staticmethod
    def _is_cached(now: SimpleNamespace) -> Value:
        """Return whether there is a segment that is looked up, in this cycle or later."""
        found: Value = now.valid & now.segment.cached & ~now.segment.empty
        return found

    @staticmethod
    def _passes_by(segment: data.View) -> Value:
        return ~segment.cached & ~segment.empty

    # --- the fourth: an op that passes the cache by

    def _scan(self, m: Module, now: SimpleNamespace) -> Signal:
        """Give up sets before the op, if anything was looked up; return whether one is done in this cycle."""
        sent, left, set_ends = Signal.like(now.out), Signal.like(now.out), Signal()
        lowest = Signal.like(now.out)
        m.d.comb += [
            now.scans.eq(now.valid & self._passes_by(now.segment) & now.touched),
            left.eq(_bits(now.row, "valid") & _bits(now.row, "dirty") & ~sent),
            lowest.eq(left & (~left + 1)),
            now.out.eq(lowest),
            set_ends.eq(now.scans & now.free & (left == lowest)),
        ]
        with m.If(now.looks):
            m.d.sync += now.touched.eq(1)
        with m.If(now.scans & now.free):
            m.d.sync += [sent.eq(sent | lowest), now.segment.begins.eq(0)]
        with m.If(set_ends):
            m.d.sync += [sent.eq(0), now.set.eq(now.set + 1)]
            with m.If(now.set == self._shape.sets - 1):
                m.d.sync += now.touched.eq(0)
        return set_ends

    # --- the fourth: a segment

    def _choose(self, m: Module, now: SimpleNamespace) -> tuple[Signal, Signal, list[data.View]]:
        """Return whether the run is there, which line it has, a bit for each of the set, and what these become."""
        ways, oldest = range(self._shape.ways), self._shape.ways - 1
        match, valid, last = (Signal(self._shape.ways, name=name) for name in ("match", "has_run", "is_last"))
        hit, chosen, age = Signal(), Signal(self._shape.ways), Signal(range(max(self._shape.ways, 2)))
        m.d.comb += [
            valid.eq(_bits(now.row, "valid")),
            match.eq(Cat(now.row.ways[way].tag == now.tag for way in ways) & valid),
            last.eq(Cat(now.row.ways[way].age == oldest for way in ways)),
            hit.eq(match.any()),
            chosen.eq(Mux(hit, match, Mux(valid.all(), last, ~valid & (valid + 1)))),
            # Lines that were used since the run was grow older; if it was not there, all.
            age.eq(Mux(hit, _one_of(match, [now.row.ways[way].age for way in ways]), oldest)),
        ]
        own_age, ages = self._ages(m, now, chosen, age)
        became = [Signal(self._way, name=f"line_{way}") for way in ways]
        for way, new in enumerate(became):
            old = now.row.ways[way]
            m.d.comb += [new.eq(old), new.age.eq(ages[way])]
            with m.If(chosen[way]):
                m.d.comb += [
                    new.valid.eq(1),
                    new.dirty.eq((old.dirty & hit) | now.segment.gradients),
                    new.tag.eq(now.tag),
                    new.age.eq(own_age),
                    new.words.eq(now.segment.words),
                ]
                if now.fired is not None:
                    m.d.comb += new.moment.eq(now.fired.moment)
        return hit, chosen, became

    def _ages(self, m: Module, now: SimpleNamespace, chosen: Signal, age: Signal) -> tuple[Any, list[Value]]:
        """Return the age of the line that the run has, which was of `age`; and what those of all others become."""
        old = [way.age for way in now.row.ways]
        if now.fired is None:
            return 0, [one + (one < age) for one in old]
        moment, later = now.fired.moment.as_value(), Signal(self._shape.ways, name="later")
        m.d.comb += later.eq(Cat(way.valid & (way.moment.as_value() > moment) for way in now.row.ways) & ~chosen)
        own_age = sum(later[1:], start=later[0])
        return own_age, [one + ~its_later - (one > age) for one, its_later in zip(old, later, strict=True)]

    def _slot(self, m: Module, now: SimpleNamespace, line: Value) -> Signal:
        """Return the number among all lines of one of the set, given as a bit for each."""
        slot = Signal(range(self._shape.slots))
        within = _one_of(line, list(range(self._shape.ways)))
        m.d.comb += slot.eq(now.set * self._shape.ways + within)
        return slot

    def _offer(
        self, m: Module, now: SimpleNamespace, hit: Signal, goes_out: Signal, slot: Signal, issued: Signal
    ) -> None:
        """Offer what was found, in the cycle after; what passes the cache by is behind all lines that went out."""
        found, cached, newest = self.found.payload, now.segment.cached, Signal.like(issued)
        with m.If(goes_out & now.free):
            m.d.sync += newest.eq(issued + 1)
        with m.If(now.free):
            m.d.sync += [
                self.found.valid.eq(now.valid),
                found.segment.eq(now.segment),
                found.hit.eq(cached & hit),
                found.skips.eq(now.scans & ~goes_out),
                found.flushed.eq(now.scans & goes_out),
                found.goes_out.eq(goes_out),
                found.slot.eq(slot),
                found.behind.eq(Mux(cached, Mux(hit, 0, now.row.last_out), Mux(now.scans, 0, newest))),
            ]

    def _place(self, m: Module, now: SimpleNamespace, hit: Signal, line: Value, slot: Signal) -> None:
        """Keep where each line of dW goes, and read it for the one that goes out: its place is taken afterwards."""
        if not self._gradient_word_bytes:
            return
        m.submodules.places = places = Memory(shape=ADDRESS_BITS, depth=max(self._shape.slots, 2), init=[])
        read, write, segment = places.read_port(), places.write_port(), now.segment
        m.d.comb += [
            read.addr.eq(slot),
            read.en.eq(now.free),
            write.addr.eq(slot),
            write.en.eq(now.looks & ~hit & segment.gradients),
            write.data.eq(segment.gradients_address + segment.first_word * self._gradient_word_bytes),
            self.found.payload.out.address.eq(read.data),
        ]
        with m.If(now.free):
            words = _one_of(line, [way.words for way in now.row.ways])
            m.d.sync += self.found.payload.out.words.eq(words)

    def _count(self, m: Module, now: SimpleNamespace, hit: Signal, goes_out: Signal, issued: Signal) -> None:
        """Count what will be posted of dW; and lines that go out, hits and misses by phase."""
        goes, segment = goes_out & now.free, now.segment
        back = ~now.scans & ~segment.cached & ~segment.empty & segment.writes_back & segment.gradients
        m.d.sync += issued.eq(issued + (goes | (now.valid & now.free & back)))
        if not self._counts:
            return
        counted = {"hits": now.looks & hit, "misses": now.looks & ~hit, "write_backs": goes}
        for phase in range(len(PHASES)):
            with m.If(now.segment.phase == phase):
                counts = self.looked_up[phase]
                m.d.sync += [counts[name].eq(counts[name] + one) for name, one in counted.items()]


def _bits(row: data.View, name: str) -> Value:
    """Return a bit of all lines of a set, the first lowest."""
    return Cat(way[name] for way in row.ways)


def _one_of(chosen: Value, values: list[Value] | list[int]) -> Value:
    """Return the value whose bit of `chosen` is set; 0 if none is."""
    found = Value.cast(0)
    for bit, value in enumerate(values):
        found = found | Mux(chosen[bit], value, 0)
    return found


def _times_sets(quotient: Value, shape: LineShape) -> Value:
    """Return the product of a quotient of `divided` and the number of sets."""
    quotients = (shape.runs - 1) // shape.sets + 1
    if quotients > _MOST_OF_TABLE:
        return quotient * shape.sets
    products: Value = Array(tag * shape.sets for tag in range(quotients))[quotient]
    return products


def divided(number: Any, shape: LineShape) -> Any:
    """Return the quotient of a run's number, a value or an integer, and the number of sets, without a division.

    The number is multiplied by 2**s / sets, rounded up: too much by less than 1 / 2**s a unit, so that the quotient is
    exact for all numbers of b bits if sets is at most 2**(s - b).
    """
    sets, bits = shape.sets, shape.run_bits
    if not sets & (sets - 1):
        return number >> (sets.bit_length() - 1)
    shift = bits + sets.bit_length()
    return (number * -(-(1 << shift) // sets)) >> shift
