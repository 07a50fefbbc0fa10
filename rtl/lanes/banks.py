"""Which bank of the accumulators holds which step's M."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Module, Signal, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.parts.arguments import check_at_least

__all__ = ["PARTS", "AccumulatorBanks", "bank_ports"]

PARTS = 3
"""Parts of a layer's M that fill apart: the blocks that W_x and W_h both add to, those of W_x alone, of W_h alone."""


class _Part(data.StructLayout):
    """One part of one region: where its newest value is, and where the value of the step that may be read is."""

    def __init__(self) -> None:
        super().__init__({"newest": 1, "touched": 1, "empty": 1, "settled": 1, "settled_empty": 1})


def bank_ports(regions: int) -> dict[str, Any]:
    """Return the ports of what says in which banks M of so many regions is."""
    return {
        "region": In(range(regions)),
        "recurrent": In(1),
        "fires": In(1),
        "starts": In(1),
        "ends": In(1),
        "take": In(1),
        "source": Out(2),
        "target": Out(2),
        "from_zero": Out(2),
        "read_region": In(range(regions)),
        "read_banks": Out(PARTS),
        "read_zeros": Out(PARTS),
    }


class AccumulatorBanks(Component):
    """Says which banks each `matvec` reads and writes, and where the element-wise unit finds M of its step.

    M has two banks, so that the input deltas of step t + 1 may be accumulated while the element-wise unit still reads M
    of step t. The first op of a step that adds to a part of M moves that part to its other bank. A part to which no op
    adds stays where it is. So the place of M depends on what fired, and this part keeps track of it.

    The element-wise unit reads M of step t after the last `matvec` of step t and before the last one of step t + 1,
    which waits for what the unit makes.

    Parameters
    ----------
    regions
        Separate accumulators: the M of each layer, and the logits.

    Attributes
    ----------
    region : In(range(regions))
        What the op adds to.
    recurrent : In(1)
        Whether the op's upper part is that of W_h, not that of W_x.
    fires : In(1)
        Whether the op has columns.
    starts : In(1)
        Whether this is the first op of a sample, before which M is zero.
    ends : In(1)
        Whether this is the last op of a step.
    take : In(1)
        The op is taken in this cycle.
    source, target, from_zero : Out(2)
        Fields of the op (`rtl.lanes.op.Op`), while `region`, `recurrent`, `starts` are at the port.
    read_region : In(range(regions))
        Whose M the element-wise unit reads.
    read_banks : Out(3)
        For each part the bank in which it is.
    read_zeros : Out(3)
        For each part whether it counts as zero, because nothing has been added since the sample began.
    """

    def __init__(self, *, regions: int) -> None:
        check_at_least("regions", regions, 1)
        self._regions = regions
        super().__init__(bank_ports(regions))

    def elaborate(self, platform: object) -> Module:
        """Look up the parts that the op adds to; update them when the op is taken."""
        m = Module()
        layout = data.ArrayLayout(_Part(), PARTS)
        kept = [Signal(layout, name=f"region_{region}") for region in range(self._regions)]
        now, after = Signal(layout), Signal(layout)
        m.d.comb += now.eq(Array(kept)[self.region])
        used = Cat(1, ~self.recurrent, self.recurrent)
        targets, zeros = Signal(PARTS), Signal(PARTS)
        for part in range(PARTS):
            adds = Signal(name=f"adds_{part}")
            before, then = now[part], after[part]
            m.d.comb += [
                targets[part].eq(before.newest ^ ~before.touched),
                zeros[part].eq(self.starts | before.empty),
                adds.eq(self.fires & used[part]),
                then.newest.eq(before.newest ^ (adds & ~before.touched)),
                then.touched.eq((before.touched | adds) & ~self.ends),
                then.empty.eq(zeros[part] & ~adds),
                then.settled.eq(before.settled),
                then.settled_empty.eq(before.settled_empty),
            ]
            with m.If(self.ends):
                m.d.comb += [then.settled.eq(then.newest), then.settled_empty.eq(then.empty)]
        for region in range(self._regions):
            with m.If(self.take & (self.region == region)):
                m.d.sync += kept[region].eq(after)
        upper = Signal(unsigned(2))
        m.d.comb += [
            upper.eq(1 + self.recurrent),
            self.source.eq(Cat(now[0].newest, now[upper].newest)),
            self.target.eq(Cat(targets[0], targets.bit_select(upper, 1))),
            self.from_zero.eq(Cat(zeros[0], zeros.bit_select(upper, 1))),
        ]
        read = Signal(layout)
        m.d.comb += [
            read.eq(Array(kept)[self.read_region]),
            self.read_banks.eq(Cat(read[part].settled for part in range(PARTS))),
            self.read_zeros.eq(Cat(read[part].settled_empty for part in range(PARTS))),
        ]
        return m
