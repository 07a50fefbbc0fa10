"""Which bank of the accumulators holds which step's M."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.parts.arguments import check_at_least

__all__ = ["PARTS", "AccumulatorBanks", "bank_ports"]

PARTS = 3
"""Parts of a layer's M that fill apart: the blocks that W_x and W_h both add to, those of W_x alone, of W_h alone."""


_RESTORED = ("newest_restored", "settled_restored")


class _Part(data.StructLayout):
    """One part of one region: where its newest value is, and where the value of the step that may be read is.

    Either may also be in the bank of what was restored, if there is one.
    """

    def __init__(self, *, restores: bool) -> None:
        where = {"newest": 1, "touched": 1, "empty": 1, "settled": 1, "settled_empty": 1}
        super().__init__(where | (dict.fromkeys(_RESTORED, 1) if restores else {}))


def bank_ports(regions: int, *, restores: bool) -> dict[str, Any]:
    """Return the ports of what says in which banks M of so many regions is, or where it was restored."""
    third = {"restore": In(1), "source_restored": Out(2), "read_restored": Out(PARTS)}
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
        **(third if restores else {}),
    }


class AccumulatorBanks(Component):
    """Says which banks each `matvec` reads and writes, and where the element-wise unit finds M of its step.

    M has two banks, so that the input deltas of step t + 1 may be accumulated while the element-wise unit still reads M
    of step t. The first op of a step that adds to a part of M moves that part to its other bank. A part to which no op
    adds stays where it is. So the place of M depends on what fired, and this part keeps track of it.

    Where states are kept, a third bank is for M that is restored: the next op that adds to a part reads it there.

    The element-wise unit reads M of step t after the last `matvec` of step t and before the last one of step t + 1,
    which waits for what the unit makes.

    Parameters
    ----------
    regions
        Separate accumulators: the M of each layer, and the logits.
    restores
        Whether there is the third bank.

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
    restore : In(1)
        M of `read_region` is restored: from the next cycle on all of it is in the third bank.
    source_restored, read_restored : Out(2), Out(3)
        Whether what `source`, what `read_banks` tells of is in the third bank. These three are present if `restores`.
    """

    def __init__(self, *, regions: int, restores: bool = False) -> None:
        check_at_least("regions", regions, 1)
        self._regions, self._restores = regions, restores
        super().__init__(bank_ports(regions, restores=restores))

    def elaborate(self, platform: object) -> Module:
        """Look up the parts that the op adds to; update them when the op is taken."""
        m = Module()
        layout = data.ArrayLayout(_Part(restores=self._restores), PARTS)
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
            if self._restores:
                m.d.comb += [
                    then.newest_restored.eq(before.newest_restored & ~adds),
                    then.settled_restored.eq(Mux(self.ends, then.newest_restored, before.settled_restored)),
                ]
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
        if self._restores:
            m.d.comb += [
                self.source_restored.eq(Cat(now[0].newest_restored, now[upper].newest_restored)),
                self.read_restored.eq(Cat(read[part].settled_restored for part in range(PARTS))),
            ]
            self._restore(m, kept)
        return m

    def _restore(self, m: Module, kept: list[Signal]) -> None:
        """Let all parts of a region be in the third bank."""
        for region, parts in enumerate(kept):
            with m.If(self.restore & (self.read_region == region)):
                for part in range(PARTS):
                    m.d.sync += [
                        *(parts[part][name].eq(0) for name, _ in _Part(restores=False)),
                        *(parts[part][name].eq(1) for name in _RESTORED),
                    ]
