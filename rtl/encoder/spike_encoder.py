"""The encoder of spiking networks in hardware; it equals `accel.modes.encode_spikes`."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from deltatrain.rtl.encoder.delta_encoder import IN_FLIGHT, ScanOp, Taken, take
from deltatrain.rtl.lists.emitter import BARRIER, SIGN_BITS, Compared, EntryEmitter
from deltatrain.rtl.lists.room_count import RoomCount
from deltatrain.rtl.parts.arguments import check_at_least, check_power_of_two
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.layouts import INDEX_BITS, Entry, word
from deltatrain.rtl.parts.reserved_queue import ReservedQueue

__all__ = ["SpikeEncoder"]


class SpikeEncoder(wiring.Component):
    """Lists what is not zero of a vector, S elements a cycle. It compares and holds nothing.

    It takes the cycles of a `rtl.encoder.delta_encoder.DeltaEncoder`, through as many stages.

    Parameters
    ----------
    elements, value_bits, depth, is_part, arrays
        As of `rtl.encoder.delta_encoder.DeltaEncoder`.

    has_cap
        Whether lists have a cap: then gradient-only neurons are listed, the lowest first, as long as spikes left room.

    Members
    -------
    ops, values, emits, barrier
        As there; only the width of an op is looked at.
    entries : Out(stream.Signature(Entry(SIGN_BITS)))
        The lists.
    counts : Out(stream.Signature(rtl.lists.ports.list_counts))
        How many spikes each list has, and how many gradient-only neurons, of each array.
    room : In(unsigned(INDEX_BITS))
        For how many gradient-only neurons of the op in front there is room; present if `has_cap`.
    list_ends : Out(1)
        The last entry of a list is out, if it has one.
    """

    def __init__(
        self,
        *,
        elements: int,
        value_bits: int,
        depth: int,
        is_part: bool = False,
        arrays: int = 1,
        has_cap: bool = False,
    ) -> None:
        check_power_of_two("elements", elements)
        check_at_least("value_bits", value_bits, 2)
        check_at_least("depth", depth, 2)
        self._has_cap = has_cap
        self._taken = Taken(elements, value_bits, depth)
        self._compared = Compared(elements, SIGN_BITS)
        self._emitter = EntryEmitter(
            elements=elements, value_bits=SIGN_BITS, is_part=is_part, arrays=arrays, spikes=True
        )
        self._is_part = is_part
        super().__init__(
            {
                "ops": In(stream.Signature(ScanOp(value_bits, depth))),
                "values": In(stream.Signature(word(value_bits, elements))),
                "entries": Out(stream.Signature(Entry(SIGN_BITS))),
                "counts": self._emitter.signature.members["counts"],
                "emits": Out(1),
                "list_ends": Out(1),
                **({"room": In(INDEX_BITS)} if has_cap else {}),
                **({"barrier": Out(BARRIER)} if is_part else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        m.submodules.emitter = emitter = self._emitter
        m.submodules.queue = queue = ReservedQueue(shape=self._compared, depth=IN_FLIGHT)
        if self._is_part:
            wiring.connect(m, emitter.barrier, wiring.flipped(self.barrier))
        wiring.connect(m, emitter.entries, wiring.flipped(self.entries))
        wiring.connect(m, emitter.counts, wiring.flipped(self.counts))
        wiring.connect(m, queue.o, emitter.groups)
        taken = Signal(self._taken)
        take(m, self.ops, self.values, taken, queue.free)
        group, valid = Signal(self._compared), Signal()
        m.d.comb += [group.group.eq(taken.group), group.last.eq(taken.last), valid.eq(taken.valid)]
        for k, present in enumerate(taken.present):
            value = taken.value[k]
            m.d.comb += [group.fired[k].eq(present & (value != 0)), group.delta[k].eq(Mux(value < 0, -1, 1))]
        item = self._cap(m, delayed(m, group, 1), delayed(m, valid, 1)) if self._has_cap else delayed(m, group, 2)
        m.d.comb += [
            self.emits.eq(queue.o.valid),
            self.list_ends.eq(emitter.groups.valid & emitter.groups.ready & emitter.groups.payload.last),
            queue.reserve.eq(taken.valid),
            queue.push.eq(delayed(m, valid, 2)),
            queue.item.eq(item),
            queue.last.eq(item.last),
        ]
        return m

    def _cap(self, m: Module, group: data.View, valid: Signal) -> data.View:
        """Return a group two cycles after it was taken, in whose second it was decided who is listed."""
        m.submodules.count = count = RoomCount(elements=len(group.fired))
        learns = Cat(group.delta[k][-1] for k in range(len(group.fired)))
        capped = Signal.like(group)
        m.d.comb += [
            count.valid.eq(valid),
            count.first.eq(group.group == 0),
            count.room.eq(delayed(m, self.room, 1)),
            count.wants.eq(group.fired & learns),
            *(capped[name].eq(group[name]) for name in ("group", "last", "delta")),
            capped.fired.eq((group.fired & ~learns) | count.has),
        ]
        return delayed(m, capped, 1)
