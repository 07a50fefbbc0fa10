"""The encoder of spiking networks in hardware; it equals `accel.modes.encode_spikes`."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from deltatrain.rtl.encoder.delta_encoder import IN_FLIGHT, ScanOp, Taken, take
from deltatrain.rtl.lists.emitter import BARRIER, SIGN_BITS, Compared, EntryEmitter
from deltatrain.rtl.parts.arguments import check_at_least, check_power_of_two
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.layouts import Entry, word
from deltatrain.rtl.parts.reserved_queue import ReservedQueue

__all__ = ["SpikeEncoder"]


class SpikeEncoder(wiring.Component):
    """Lists what is not zero of a vector, S elements a cycle. It compares and holds nothing.

    It takes the cycles of a `rtl.encoder.delta_encoder.DeltaEncoder`, through as many stages.

    Parameters
    ----------
    elements, value_bits, depth, is_part
        As of `rtl.encoder.delta_encoder.DeltaEncoder`.

    Members
    -------
    ops, values, emits, barrier
        As there; only the width of an op is looked at.
    entries : Out(stream.Signature(Entry(SIGN_BITS)))
        The lists.
    counts : Out(stream.Signature(rtl.lists.ports.list_counts))
        How many spikes each list has, and how many gradient-only neurons.
    """

    def __init__(self, *, elements: int, value_bits: int, depth: int, is_part: bool = False) -> None:
        check_power_of_two("elements", elements)
        check_at_least("value_bits", value_bits, 2)
        check_at_least("depth", depth, 2)
        self._taken = Taken(elements, value_bits, depth)
        self._compared = Compared(elements, SIGN_BITS)
        self._emitter = EntryEmitter(elements=elements, value_bits=SIGN_BITS, is_part=is_part, spikes=True)
        self._is_part = is_part
        super().__init__(
            {
                "ops": In(stream.Signature(ScanOp(value_bits, depth))),
                "values": In(stream.Signature(word(value_bits, elements))),
                "entries": Out(stream.Signature(Entry(SIGN_BITS))),
                "counts": self._emitter.signature.members["counts"],
                "emits": Out(1),
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
        item = delayed(m, group, 2)
        m.d.comb += [
            self.emits.eq(queue.o.valid),
            queue.reserve.eq(taken.valid),
            queue.push.eq(delayed(m, valid, 2)),
            queue.item.eq(item),
            queue.last.eq(item.last),
        ]
        return m
