"""The addresses of a lane's rings, the same in every lane."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data
from amaranth.utils import ceil_log2

from deltatrain.rtl.elementwise.chunk_lines import ChunkLines
from deltatrain.rtl.elementwise.neuron_lane import ring_layout
from deltatrain.rtl.elementwise.plan import Plan
from deltatrain.rtl.elementwise.selects import ring_accesses

__all__ = ["ring_addresses"]


def ring_addresses(m: Module, plan: Plan, beats: Sequence[Sequence[Signal]], lines: ChunkLines) -> Signal:
    """Return the addresses of the lanes' rings in this cycle; they are in registers.

    Parameters
    ----------
    m
        The module of the core.
    plan
        The cell's timetables.
    beats
        For each program whether a chunk is in its cycle 0, 1, 2, ...
    lines
        What is known of a chunk in its later cycles; ``neuron_0`` and ``neuron_1`` are among it.
    """
    rings = Signal(data.StructLayout({ring.name: ring_layout(ring) for ring in plan.rings.values()}))
    for ring in plan.rings.values():
        for name, accesses in ring_accesses(ring, plan).items():
            chosen: Value | int = 0
            for cycle, place in accesses:
                beat = beats[ring.program][cycle - 1]
                neuron = lines.at(f"neuron_{ring.program}", cycle - 1, ring.program)[: ceil_log2(ring.neurons)]
                address = Cat(Const(place, ceil_log2(len(ring.values))), neuron)
                chosen |= address & beat.replicate(len(address))
            m.d.sync += rings[ring.name][name].eq(chosen)
    return rings
