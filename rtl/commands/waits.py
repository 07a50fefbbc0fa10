"""The scoreboard: how many ops of each unit are done, and which commands may therefore go on."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ShapeLike, Signal, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.modes import SOON_CYCLES
from deltatrain.accel.program import TILE_UNITS
from deltatrain.rtl.parts.delay import delayed

__all__ = ["COUNT_BITS", "DoneCounts", "Wait", "command", "counts_layout"]

COUNT_BITS = 24
"""Width of a count of ops; a program has fewer than 2**24 ops of each unit."""


def counts_layout(units: tuple[str, ...] = TILE_UNITS) -> data.ArrayLayout:
    """Return the shape of a count for each of the machine's units, in their order."""
    return data.ArrayLayout(unsigned(COUNT_BITS), len(units))


def command(op: ShapeLike, units: tuple[str, ...] = TILE_UNITS) -> data.StructLayout:
    """Return the shape of `op` with what it waits for.

    Members: ``waits``, for each unit how many of its ops must be done, which is enough because a unit finishes its ops
    in order; ``op``.
    """
    return data.StructLayout({"waits": counts_layout(units), "op": op})


class DoneCounts(Component):
    """Counts for each unit the ops whose results are stored, and the ops that are done.

    Parameters
    ----------
    units
        The machine's units.

    Attributes
    ----------
    soon : In(len(units))
        A bit for each unit, high for one cycle for each op, `SOON_CYCLES` before the op is done.
    soon_counts, done_counts : Out(counts_layout)
        How many ops have their results stored, and how many are done, those of this cycle included.
    """

    def __init__(self, units: tuple[str, ...] = TILE_UNITS) -> None:
        counts = counts_layout(units)
        super().__init__({"soon": In(len(units)), "soon_counts": Out(counts), "done_counts": Out(counts)})

    def elaborate(self, platform: object) -> Module:
        """Count stored ops; they are done `SOON_CYCLES` later."""
        m = Module()
        before = Signal.like(self.soon_counts)
        for unit in range(len(self.soon)):
            m.d.comb += self.soon_counts[unit].eq(before[unit] + self.soon[unit])
        m.d.sync += before.eq(self.soon_counts)
        m.d.comb += self.done_counts.eq(delayed(m, self.soon_counts, SOON_CYCLES))
        return m


class Wait(Component):
    """Holds each command back until every op that it waits for has been counted.

    Parameters
    ----------
    op
        Shape of what is commanded.
    units
        The machine's units.

    Attributes
    ----------
    counts : In(counts_layout)
        How many ops of each unit are stored, or done, whichever the commands wait for.
    i : In(stream.Signature(command(op)))
        The commands, in order.
    o : Out(stream.Signature(op))
        The op in front, offered from the cycle in which the last op that it waits for is counted.
    unmet : Out(len(units))
        Units that the op in front still waits for.
    """

    def __init__(self, op: ShapeLike, units: tuple[str, ...] = TILE_UNITS) -> None:
        super().__init__(
            {
                "counts": In(counts_layout(units)),
                "i": In(stream.Signature(command(op, units))),
                "o": Out(stream.Signature(op)),
                "unmet": Out(len(units)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Compare the counts with those that the command in front waits for."""
        m = Module()
        waits = self.i.payload.waits
        unmet = Cat(self.counts[unit] < waits[unit] for unit in range(len(self.unmet)))
        m.d.comb += [
            self.unmet.eq(unmet & self.i.valid.replicate(len(self.unmet))),
            self.o.valid.eq(self.i.valid & ~unmet.any()),
            self.o.payload.eq(self.i.payload.op),
            self.i.ready.eq(self.o.valid & self.o.ready),
        ]
        return m
