"""The scoreboard: how many ops of each unit are done, and which commands may therefore go on."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ShapeLike, Signal, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.modes import SOON_CYCLES
from deltatrain.accel.program import TILE_UNITS
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.registered_queue import RegisteredQueue

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
    soon_counts : Out(counts_layout)
        How many ops had their results stored in an earlier cycle.
    ready_counts : Out(counts_layout)
        How many ops are done from the next cycle on.
    done_counts : Out(counts_layout)
        How many ops are done, those of this cycle included.
    """

    def __init__(self, units: tuple[str, ...] = TILE_UNITS) -> None:
        counts = counts_layout(units)
        kinds = ("soon_counts", "ready_counts", "done_counts")
        super().__init__({"soon": In(len(units)), **dict.fromkeys(kinds, Out(counts))})

    def elaborate(self, platform: object) -> Module:
        """Count stored ops, which takes a cycle; they are done `SOON_CYCLES` after they were stored."""
        m = Module()
        for unit in range(len(self.soon)):
            m.d.sync += self.soon_counts[unit].eq(self.soon_counts[unit] + self.soon[unit])
        ready = delayed(m, self.soon_counts, SOON_CYCLES - 2)
        m.d.comb += self.ready_counts.eq(ready)
        m.d.sync += self.done_counts.eq(ready)
        return m


class Wait(Component):
    """Holds each command back until every op that it waits for has been counted, and registers it then.

        cycle   t                               t + 1
                the command is compared with    it is offered, if nothing was missing and the one
                the counts                      before it has been taken by the end of t

    Parameters
    ----------
    op
        Shape of what is commanded.
    units
        The machine's units.
    places
        Ops that may have been compared and not taken, 1 or 2. With two there is no path from `o.ready` to `i.ready`.

    Attributes
    ----------
    counts : In(counts_layout)
        How many ops of each unit are stored, or done from the next cycle on, whichever the commands wait for.
    i : In(stream.Signature(command(op)))
        The commands, in order.
    o : Out(stream.Signature(op))
        The ops that need not wait any more, in order.
    unmet : Out(len(units))
        Units that the op which will be offered next still waits for in this cycle, if it was there in the one before.
    """

    def __init__(self, op: ShapeLike, units: tuple[str, ...] = TILE_UNITS, places: int = 1) -> None:
        self._op, self._places = op, places
        super().__init__(
            {
                "counts": In(counts_layout(units)),
                "i": In(stream.Signature(command(op, units))),
                "o": Out(stream.Signature(op)),
                "unmet": Out(len(units)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Compare the counts with those that the command waits for; register the outcome, and the op."""
        m = Module()
        waits = self.i.payload.waits
        unmet, met, free = Signal.like(self.unmet), Signal(), Signal()
        m.d.comb += [
            unmet.eq(Cat(self.counts[unit] < waits[unit] for unit in range(len(unmet)))),
            met.eq(self.i.valid & ~unmet.any()),
            self.i.ready.eq(met & free),
        ]
        m.d.sync += self.unmet.eq(unmet & self.i.valid.replicate(len(unmet)))
        if self._places > 1:
            m.submodules.queue = queue = RegisteredQueue(shape=self._op, depth=self._places)
            connect(m, queue.o, flipped(self.o))
            m.d.comb += [queue.i.payload.eq(self.i.payload.op), queue.i.valid.eq(met), free.eq(queue.i.ready)]
            return m
        m.d.comb += free.eq(~self.o.valid | self.o.ready)
        with m.If(free):
            m.d.sync += [self.o.valid.eq(met), self.o.payload.eq(self.i.payload.op)]
        return m
