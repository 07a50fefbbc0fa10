"""The delta encoder in hardware; it equals `accel.modes.encode`."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import ReadPort, WritePort
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from deltatrain.rtl.lists.emitter import BARRIER, Compared, EntryEmitter
from deltatrain.rtl.parts.arguments import check_at_least, check_power_of_two
from deltatrain.rtl.parts.layouts import INDEX_BITS, Entry, word
from deltatrain.rtl.parts.reserved_queue import ReservedQueue
from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory

__all__ = ["IN_FLIGHT", "DeltaEncoder", "ScanOp", "Taken", "least_field", "take"]

IN_FLIGHT = 4
"""Groups in flight, from their taking to their last entry; a place is free again after as many cycles."""


class ScanOp(data.StructLayout):
    """One vector to encode.

    Parameters
    ----------
    value_bits
        Width of an activation.
    depth
        Words of the memory of held values.
    restores
        Whether held values may be restored, to a second memory.

    Members
    -------
    base : unsigned
        Word of the vector's first held values.
    least : unsigned(value_bits + 1)
        The least difference that fires, see `least_field`.
    width : unsigned(INDEX_BITS)
        Elements of the vector.
    first : unsigned(1)
        Whether this is step 0, before which the held values count as zero, whatever the memory holds.
    restored : unsigned(1)
        Whether the held values are where they were restored; present if `restores`.
    """

    def __init__(self, value_bits: int, depth: int, *, restores: bool = False) -> None:
        fields = {"base": ceil_log2(depth), "least": value_bits + 1, "width": INDEX_BITS, "first": 1}
        fields |= {"restored": 1} if restores else {}
        super().__init__({name: unsigned(bits) for name, bits in fields.items()})


def least_field(least: int, value_bits: int) -> int:
    """Return `least`, from `accel.modes.encode.threshold`, as an op carries it: no difference reaches 2**value_bits."""
    return min(least, 1 << value_bits)


class DeltaEncoder(wiring.Component):
    """Compares a vector with its held copy, S elements a cycle, and lists what moved by the threshold or more.

    An op takes ``encode.scan_cycles``, at least one. The next op may follow in the next cycle, even on the same vector.
    The encoder takes an op's first word in the first cycle in which op and word are both offered. After the op's last
    cycle ``encode.PIPELINE_CYCLES`` pass, and then its count is offered; by that time all its entries have been handed
    over, and its held values are written.

    Parameters
    ----------
    elements
        S, elements of a word, a power of two.
    value_bits
        Width of an activation.
    depth
        Words of the memory of held values.
    is_part
        Whether other encoders work on parts of the same vectors. An op then takes as long as in the slowest of them.
    arrays
        As of `rtl.lists.emitter`.
    restores
        Whether held values are kept and restored: from a second memory, which only that writes.
    tells_ends
        Whether it tells where lists end, which it does as well if it `restores`.

    Members
    -------
    ops : In(stream.Signature(ScanOp(value_bits, depth)))
        What to encode. An op is taken with the last word of its values.
    values : In(stream.Signature(word(value_bits, elements)))
        The vectors, ceil(width / S) words each. Lanes behind the last element are not looked at.
    entries : Out(stream.Signature(Entry(value_bits)))
        The lists.
    counts : Out(stream.Signature(rtl.lists.ports.list_counts(arrays)))
        The length of each list, or of its parts for several arrays.
    emits : Out(1)
        Whether a group's entries are being handed over. This is the encoder's bottleneck, because words are taken ahead
        of it: it takes ``encode.scan_cycles`` of each op, and begins ``encode.PIPELINE_CYCLES`` after the op does.
    barrier : Out(BARRIER)
        Whether an op has handed over everything but its count, and whether all encoders have; present if `is_part`.
    held, new_held : Out(ReadPort.Signature), Out(WritePort.Signature)
        The held values, those of the second memory where the highest bit of the address is set; to the second memory.
        No op that reads the word may be running. Present if `restores`.
    list_ends : Out(1)
        The last entry of a list is out, if it has one; present if `restores` or `tells_ends`.

    Notes
    -----
    A word through the pipeline; a group of n fired elements holds its place in the queue for max(1, n) cycles:

    ====== ============================================================================================
    cycle  stage
    ====== ============================================================================================
    0      take: a place in the queue is reserved, op and word are taken; the held word is addressed
    1      fetch: the memory answers; newer held values, still on their way to it, are preferred
    2      compare: subtract, compare, saturate; the new held word is written, the group queued
    3..    emit: the lowest fired element goes out as an entry, one a cycle; the last frees the place
    ====== ============================================================================================

    Only the queue waits: no stall reaches the registers of the stages.
    """

    def __init__(
        self,
        *,
        elements: int,
        value_bits: int,
        depth: int,
        is_part: bool = False,
        arrays: int = 1,
        restores: bool = False,
        tells_ends: bool = False,
    ) -> None:
        check_power_of_two("elements", elements)
        check_at_least("value_bits", value_bits, 2)
        check_at_least("depth", depth, 2)
        self._tells_ends = restores or tells_ends
        self._elements, self._value_bits, self._depth = elements, value_bits, depth
        self._emitter = EntryEmitter(elements=elements, value_bits=value_bits, is_part=is_part, arrays=arrays)
        self._is_part, self._restores = is_part, restores
        shape = word(value_bits, elements)
        kept = {
            "held": Out(ReadPort.Signature(addr_width=ceil_log2(depth) + 1, shape=shape)),
            "new_held": Out(WritePort.Signature(addr_width=ceil_log2(depth), shape=shape)),
        }
        super().__init__(
            {
                "ops": In(stream.Signature(ScanOp(value_bits, depth, restores=restores))),
                "values": In(stream.Signature(word(value_bits, elements))),
                "entries": Out(stream.Signature(Entry(value_bits))),
                "counts": self._emitter.signature.members["counts"],
                "emits": Out(1),
                **({"barrier": Out(BARRIER)} if is_part else {}),
                **(kept if restores else {}),
                **({"list_ends": Out(1)} if self._tells_ends else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        shape = word(self._value_bits, self._elements)
        m.submodules.memory = memory = UncheckedMemory(shape=shape, depth=self._depth)
        read, write = memory.read_port(), memory.write_port()
        m.submodules.emitter = emitter = self._emitter
        if self._is_part:
            wiring.connect(m, emitter.barrier, wiring.flipped(self.barrier))
        wiring.connect(m, emitter.entries, wiring.flipped(self.entries))
        if self._tells_ends:
            groups = emitter.groups
            m.d.comb += self.list_ends.eq(groups.valid & groups.ready & groups.payload.last)
        wiring.connect(m, emitter.counts, wiring.flipped(self.counts))
        compared = Compared(self._elements, self._value_bits)
        m.submodules.queue = queue = ReservedQueue(shape=compared, depth=IN_FLIGHT)
        wiring.connect(m, queue.o, emitter.groups)
        m.d.comb += self.emits.eq(queue.o.valid)

        taken = Signal(Taken(self._elements, self._value_bits, self._depth, restores=self._restores))
        take(m, self.ops, self.values, taken, queue.free)
        m.d.comb += [queue.reserve.eq(taken.valid), read.en.eq(taken.valid), read.addr.eq(taken.address)]
        answer = self._restore(m, memory, taken, read.data) if self._restores else read.data

        fetched, comparing, held = Signal.like(taken), Signal.like(taken), Signal(shape)
        bounds = data.StructLayout({"lower": signed(self._value_bits + 2), "upper": signed(self._value_bits + 2)})
        still = Signal(data.ArrayLayout(bounds, self._elements))  # between these the held value does not fire
        for k in range(self._elements):
            value, least = fetched.value[k], fetched.least
            m.d.sync += [still[k].lower.eq(value - least), still[k].upper.eq(value + least)]
        after, written = Signal(shape), Signal(shape)
        written_address, wrote = Signal.like(write.addr), Signal()
        m.d.sync += [fetched.eq(taken), comparing.eq(fetched)]
        m.d.sync += [written.eq(after), written_address.eq(comparing.address), wrote.eq(comparing.writes)]
        # The two groups ahead may be of the same word: the nearer has not been written yet, the farther was written
        # while this one was read.
        with m.If(fetched.first):
            m.d.sync += held.eq(0)
        with m.Elif(comparing.writes & (comparing.address == fetched.address)):
            m.d.sync += held.eq(after)
        with m.Elif(wrote & (written_address == fetched.address)):
            m.d.sync += held.eq(written)
        with m.Else():
            m.d.sync += held.eq(answer)

        group = Signal(compared)
        m.d.comb += [group.group.eq(comparing.group), group.last.eq(comparing.last)]
        for k in range(self._elements):
            fired, delta, moved = _compare(comparing.value[k], held[k], still[k])
            fires = comparing.present[k] & fired
            m.d.comb += [group.fired[k].eq(fires), group.delta[k].eq(delta), after[k].eq(Mux(fires, moved, held[k]))]
        m.d.comb += [
            write.en.eq(comparing.writes),
            write.addr.eq(comparing.address),
            write.data.eq(after),
            queue.push.eq(comparing.valid),
            queue.item.eq(group),
            queue.last.eq(group.last),
        ]
        return m

    def _restore(self, m: Module, memory: UncheckedMemory, taken: data.View, answer: data.View) -> Value:
        """Add the memory of what was restored; return the held word that was asked for, from there or from `answer`."""
        m.submodules.restored = restored = UncheckedMemory(shape=answer.shape(), depth=self._depth)
        asked, shown, shown_there = restored.read_port(), memory.read_port(), restored.read_port()
        is_there, shows_there = Signal(), Signal()
        wiring.connect(m, restored.write_port(), wiring.flipped(self.new_held))
        m.d.sync += is_there.eq(taken.restored)
        m.d.comb += [
            asked.en.eq(taken.valid),
            asked.addr.eq(taken.address),
            taken.restored.eq(self.ops.payload.restored),
            *(port.en.eq(self.held.en) for port in (shown, shown_there)),
            *(port.addr.eq(self.held.addr) for port in (shown, shown_there)),
            self.held.data.eq(Mux(shows_there, shown_there.data, shown.data)),
        ]
        with m.If(self.held.en):
            m.d.sync += shows_there.eq(self.held.addr[-1])
        return Mux(is_there, asked.data, answer)


class Taken(data.StructLayout):
    """A word on its way to the comparison, with what the comparison needs to know of its op."""

    def __init__(self, elements: int, value_bits: int, depth: int, *, restores: bool = False) -> None:
        super().__init__(
            {
                "valid": 1,
                "writes": 1,  # not where the vector has no elements
                "address": ceil_log2(depth),
                "group": INDEX_BITS - ceil_log2(elements),
                "last": 1,
                "first": 1,
                "least": value_bits + 1,
                "present": elements,
                "value": word(value_bits, elements),
                **({"restored": 1} if restores else {}),
            }
        )


def _compare(value: Value, held: Value, still: data.View) -> tuple[Value, Value, Value]:
    """Return whether an element fires, its delta, and the held value that it has if it fires.

    It fires if `held` has left the range `still`. The held value becomes `value`, or moves by the end of the range of
    its format where the delta saturates. So no adder waits for another.
    """
    shape = value.shape()
    highest, lowest = Const((1 << (shape.width - 1)) - 1, shape), Const(-(1 << (shape.width - 1)), shape)
    difference = value - held  # a bit wider: it leaves the range where its upper two bits differ
    above, below = ~difference[-1] & difference[-2], difference[-1] & ~difference[-2]
    delta = Mux(above, highest, Mux(below, lowest, difference[: shape.width].as_signed()))
    moved = Mux(above, held + highest, Mux(below, held + lowest, value))
    return (held <= still.lower) | (held >= still.upper), delta, moved


def take(m: Module, ops: Any, values: Any, taken: data.View, free: Value) -> None:
    """Describe the first stage of an encoder: take the next word of the op in front, if its queue has a place for it.

    Parameters
    ----------
    m
        The module of the encoder.
    ops, values
        Its ports.
    taken
        What is taken in this cycle, a `Taken`, to be driven.
    free
        Whether there is a place.
    """
    op, elements = ops.payload, len(taken.present)
    lane_bits = ceil_log2(elements)
    whole, rest = op.width[lane_bits:], op.width[:lane_bits]  # full groups, and elements of one that is not
    group, after = (
        Signal.like(taken.group),
        Signal.like(taken.group, init=1),
    )  # so that no comparison waits for an adder
    partial, last, may, empty = Signal(), Signal(), Signal(), Signal()
    valid = Signal()  # apart from `taken`, within which nothing may follow from another field
    m.d.comb += [
        empty.eq(op.width == 0),
        partial.eq(group == whole),
        last.eq(partial | ((after == whole) & (rest == 0))),
        may.eq(ops.valid & free),
        values.ready.eq(may & ~empty),
        ops.ready.eq(valid & last),
        valid.eq(may & (values.valid | empty)),
        taken.valid.eq(valid),
        taken.writes.eq(valid & ~empty),
        taken.address.eq(op.base + group),
        taken.group.eq(group),
        taken.last.eq(last),
        taken.first.eq(op.first),
        taken.least.eq(op.least | (op.least == 0)),  # 0 asks for no more than 1: what did not move never fires
        taken.present.eq(Cat(*(~partial | (k < rest) for k in range(elements - 1)), ~partial)),
        taken.value.eq(values.payload),
    ]
    with m.If(valid):
        m.d.sync += [group.eq(Mux(last, 0, after)), after.eq(Mux(last, 1, after + 1))]
