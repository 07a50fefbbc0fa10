"""Turns groups of compared elements into entries, one a cycle, and gives a count at the end of each vector."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, Signature

from deltatrain.rtl.lists.ports import list_counts
from deltatrain.rtl.parts.arguments import check_at_least, check_power_of_two
from deltatrain.rtl.parts.division import divided
from deltatrain.rtl.parts.layouts import INDEX_BITS, Entry, word

__all__ = ["BARRIER", "SIGN_BITS", "Compared", "EntryEmitter"]

SIGN_BITS = 2
"""Width of an entry's value where it says only what it is: 1 a spike, -1 a gradient-only neuron."""

BARRIER = Signature({"ended": Out(1), "all_ended": In(1)})
"""For an encoder that works on a part of each vector: whether it could end its op, and whether all encoders could."""


class Compared(data.StructLayout):
    """A group of S neighbouring elements after the comparison.

    Parameters
    ----------
    elements
        S, a power of two.
    value_bits
        Width of a delta.

    Members
    -------
    group : unsigned
        Number of the group in its vector; element k of it has the index group * S + k.
    last : unsigned(1)
        Whether it is the vector's last group.
    fired : unsigned(S)
        Which elements fired.
    delta : word
        Their deltas; those of the others are not looked at.
    """

    def __init__(self, elements: int, value_bits: int) -> None:
        group_bits = INDEX_BITS - (elements - 1).bit_length()
        fields = {"group": unsigned(group_bits), "last": 1, "fired": elements, "delta": word(value_bits, elements)}
        super().__init__(fields)


class EntryEmitter(wiring.Component):
    """Emits the fired elements of each group in increasing order; a group in which nothing fired takes one cycle.

    The first entry goes out in the cycle in which its group arrives. The count of a vector follows in the cycle after
    its last group; the whole list has been handed over by then. If the previous count has not been taken yet, the last
    group stays at the input although its entries are sent.

    Parameters
    ----------
    elements
        S, elements of a group, a power of two.
    value_bits
        Width of a delta.
    is_part
        Whether other emitters work on parts of the same vectors. All then begin a vector in the same cycle.
    arrays
        Arrays that take the columns (`accel.arrays`).
    spikes
        Whether spikes, whose value is positive, and gradient-only neurons are counted apart, of each array.

    Members
    -------
    groups : In(stream.Signature(Compared(elements, value_bits)))
        Groups in the order of their vectors.
    entries : Out(stream.Signature(Entry(value_bits)))
        What fired.
    counts : Out(stream.Signature(list_counts))
        How many entries the list of each vector has, or has of each part: for each of several arrays, and of each of
        those first spikes, then gradient-only neurons.
    barrier : Out(BARRIER)
        Whether a vector's last group could leave, and whether it can in all parts; present if `is_part`.
    """

    def __init__(
        self, *, elements: int, value_bits: int, is_part: bool = False, arrays: int = 1, spikes: bool = False
    ) -> None:
        check_power_of_two("elements", elements)
        check_at_least("arrays", arrays, 1)
        check_at_least("value_bits", value_bits, 2)
        self._elements, self._is_part, self._parts = elements, is_part, arrays * (1 + spikes)
        self._arrays, self._spikes = arrays, spikes
        super().__init__(
            {
                "groups": In(stream.Signature(Compared(elements, value_bits))),
                "entries": Out(stream.Signature(Entry(value_bits))),
                "counts": Out(stream.Signature(list_counts(self._parts))),
                **({"barrier": Out(BARRIER)} if is_part else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        group, entries, counts = self.groups.payload, self.entries, self.counts
        sent = Signal(self._elements)  # elements of this group whose entries are out
        left = Signal(self._elements)
        lowest = Signal(self._elements)  # one-hot: the next to go
        behind = _behind(left)
        m.d.comb += [
            left.eq(group.fired & ~sent),
            lowest.eq(left & ~behind),
            entries.valid.eq(self.groups.valid & left.any()),
            entries.payload.index.eq(Cat(_number(lowest), group.group)),
            entries.payload.value.eq(_selected(lowest, group.delta)),
        ]

        sends, drained, count_free, may_end = Signal(), Signal(), Signal(), Signal(init=1)
        if self._is_part:
            m.d.comb += [
                self.barrier.ended.eq(self.groups.valid & group.last & drained & count_free),
                may_end.eq(self.barrier.all_ended),
            ]
        m.d.comb += [
            sends.eq(entries.valid & entries.ready),
            drained.eq(~(left & behind).any() & (sends | ~left.any())),
            count_free.eq(~counts.valid | counts.ready),
            self.groups.ready.eq(drained & ((count_free & may_end) | ~group.last)),
        ]
        leaves = Signal()
        m.d.comb += leaves.eq(self.groups.valid & self.groups.ready)
        m.d.sync += sent.eq(Mux(leaves, 0, sent | Mux(sends, lowest, 0)))
        with m.If(count_free):
            m.d.sync += counts.valid.eq(leaves & group.last)
        if self._parts == 1:
            self._count(m, sends, leaves & group.last, count_free, counts.payload)
            return m
        index, value = entries.payload.index, entries.payload.value
        array = divided(index, self._arrays).remainder if self._arrays > 1 else ()
        part = Cat(value[-1] if self._spikes else (), array)
        for number in range(self._parts):
            self._count(m, sends & (part == number), leaves & group.last, count_free, counts.payload[number])
        return m

    def _count(self, m: Module, sends: Value, ends: Value, count_free: Value, to: Value) -> None:
        """Count the entries of a vector's list, or those for one array."""
        total, count = Signal(INDEX_BITS), Signal(INDEX_BITS)
        m.d.comb += total.eq(count + sends)
        m.d.sync += count.eq(Mux(ends, 0, total))
        with m.If(count_free):
            m.d.sync += to.eq(total)


def _behind(bits: Value) -> Value:
    """Return which bits have a set one of `bits` below them, without a chain of carries."""
    reached, distance = bits, 1
    while distance < len(bits):
        reached, distance = reached | (reached << distance)[: len(bits)], 2 * distance
    return (reached << 1)[: len(bits)]


def _number(one_hot: Value) -> Value:
    """Return the number of the set bit of `one_hot`, 0 if there is none."""
    bits = (len(one_hot) - 1).bit_length()
    return Cat(Cat(one_hot[k] for k in range(len(one_hot)) if k >> b & 1).any() for b in range(bits))


def _selected(one_hot: Value, choices: data.View) -> Value:
    """Return the one of `choices` whose bit is set in `one_hot`: AND and OR, so no chain of priorities."""
    chosen = [Mux(one_hot[k], choices[k], 0) for k in range(len(one_hot))]
    while len(chosen) > 1:
        chosen = [a | b for a, b in zip(chosen[::2], chosen[1::2], strict=True)]
    return chosen[0]
