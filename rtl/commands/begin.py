"""Reading ahead: a unit reads what an op needs two cycles before the op may start."""

from __future__ import annotations

from amaranth.hdl import Module, Shape, ShapeLike, Signal, Value
from amaranth.lib import stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.program import TILE_UNITS
from deltatrain.rtl.commands.waits import Wait, command, counts_layout
from deltatrain.rtl.parts.arguments import check_at_least

__all__ = ["Begin"]


class Begin(Component):
    """Offers each op to a reader once all it waits for is stored, and hands the op on, to start when that is done.

        cycle   s                                s + 1           s + 2
                all waits are stored: the op     `later` has     all waits are done: whoever takes `later`
                is offered to the reader         it              can start the op

    The reader keeps the op for as long as it reads; the op is handed on in the first of these cycles.

    Parameters
    ----------
    op
        Shape of an op.
    ahead
        How many ops may have begun without having started.
    later
        Shape of what is handed on beside the waits; that of an op, unless something becomes known when it begins.
    units
        The machine's units.

    Attributes
    ----------
    commands : In(stream.Signature(command(op)))
        The ops, in order, with what they wait for.
    soon_counts : In(counts_layout)
        How many ops of each unit have their results stored.
    op : Out(op)
        The op in front.
    has_room : In(1)
        Whether every other part that is told of an op when it begins can take it.
    begins : Out(1)
        The op in front begins in this cycle.
    reads : Out(1)
        The reader works on the op in front.
    read : In(1)
        The reader finishes with that op in this cycle.
    item : In(command(later))
        What to hand on, when the op begins.
    later : Out(stream.Signature(command(later)))
        The ops that have begun, in order.
    """

    def __init__(
        self,
        op: ShapeLike,
        *,
        ahead: int,
        later: ShapeLike | None = None,
        units: tuple[str, ...] = TILE_UNITS,
    ) -> None:
        check_at_least("ahead", ahead, 3)
        self._op, self._ahead, self._units = op, ahead, units
        handed = command(op if later is None else later, units)
        super().__init__(
            {
                "commands": In(stream.Signature(command(op, units))),
                "soon_counts": In(counts_layout(units)),
                "op": Out(op),
                "has_room": In(1),
                "begins": Out(1),
                "reads": Out(1),
                "read": In(1),
                "item": In(handed),
                "later": Out(stream.Signature(handed)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Queue what has begun; remember whether the op in front has."""
        m = Module()
        m.submodules.wait = wait = Wait(self._op, self._units)
        m.submodules.queue = queue = SyncFIFO(width=Shape.cast(self.item.shape()).width, depth=self._ahead)
        connect(m, flipped(self.commands), wait.i)
        begun = Signal()
        m.d.comb += [
            wait.counts.eq(self.soon_counts),
            self.op.eq(wait.o.payload),
            self.begins.eq(wait.o.valid & ~begun & self.has_room & queue.w_rdy),
            self.reads.eq(self.begins | begun),
            wait.o.ready.eq(self.reads & self.read),
            queue.w_en.eq(self.begins),
            queue.w_data.eq(self.item),
            Value.cast(self.later.payload).eq(queue.r_data),
            self.later.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.later.ready),
        ]
        m.d.sync += begun.eq(self.reads & ~self.read)
        return m
