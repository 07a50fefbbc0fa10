"""Reading ahead: a unit reads what an op needs before the op may start."""

from __future__ import annotations

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.program import TILE_UNITS
from deltatrain.rtl.commands.waits import Wait, command, counts_layout
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.registered_queue import RegisteredQueue

__all__ = ["Begin"]


class Begin(Component):
    """Offers each op to a reader once all it waits for is stored, and hands the op on, to start when that is done.

        cycle   s                  b = s + BEGIN_CYCLES    b + 1          b + READ_AHEAD_CYCLES
                all waits are      the op is offered to    `later` has    all waits are done: whoever takes
                stored             the reader              it             `later` can start the op

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
        From `rtl.commands.waits.DoneCounts`.
    op : Out(op)
        The op in front.
    following : Out(op), advances : Out(1)
        The op that comes next, and whether it is in front from the next cycle on, if it need not wait: what it names is
        stored then, and may be looked up.
    has_room : In(1)
        Whether every other part that is told of an op when it begins can take it.
    begins : Out(1)
        The op in front begins in this cycle.
    reads : Out(1)
        The reader works on the op in front.
    read : In(1)
        The reader finishes with that op in this cycle.
    item : In(later)
        What to hand on, when the op begins, with what the op waits for.
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
        handed = op if later is None else later
        super().__init__(
            {
                "commands": In(stream.Signature(command(op, units))),
                "soon_counts": In(counts_layout(units)),
                "op": Out(op),
                "following": Out(op),
                "advances": Out(1),
                "has_room": In(1),
                "begins": Out(1),
                "reads": Out(1),
                "read": In(1),
                "item": In(handed),
                "later": Out(stream.Signature(command(handed, units))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Queue what has begun; remember whether the op in front has."""
        m = Module()
        m.submodules.wait = wait = Wait(self.commands.payload.shape(), self._units)
        m.submodules.queue = queue = RegisteredQueue(shape=self.later.payload.shape(), depth=self._ahead)
        connect(m, queue.o, flipped(self.later))
        begun, item = Signal(), queue.i.payload
        m.d.comb += [
            wait.counts.eq(self.soon_counts),
            wait.i.valid.eq(self.commands.valid),
            self.commands.ready.eq(wait.i.ready),
            wait.i.payload.waits.eq(self.commands.payload.waits),
            wait.i.payload.op.eq(self.commands.payload),
            self.op.eq(wait.o.payload.op),
            self.following.eq(self.commands.payload.op),
            self.advances.eq(~wait.o.valid | wait.o.ready),
            item.waits.eq(wait.o.payload.waits),
            item.op.eq(self.item),
            self.begins.eq(wait.o.valid & ~begun & self.has_room & queue.i.ready),
            self.reads.eq(self.begins | begun),
            wait.o.ready.eq(self.reads & self.read),
            queue.i.valid.eq(self.begins),
        ]
        m.d.sync += begun.eq(self.reads & ~self.read)
        return m
