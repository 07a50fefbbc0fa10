"""Which of two places a step of a region uses where each accumulator moves by itself."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component

from deltatrain.rtl.lanes.banks import bank_ports

__all__ = ["StepParity"]


class StepParity(Component):
    """Stands in for `rtl.lanes.banks.AccumulatorBanks` where columns are compressed, with its ports.

    A compressed column does not reach every accumulator, so that no op moves a whole part of M to the other bank. Each
    accumulator moves when it is first added to in a step (`rtl.lanes.sparse_memory`), and must know only whether the
    step is even or odd, counted over all steps of its region, and whether it is the first of its sample. At that step
    a whole bias column reaches every accumulator, so that M is never empty when it is read.

    Parameters
    ----------
    regions, restores
        As of `AccumulatorBanks`. What was restored is as a step that has been read, whichever came before: which
        accumulators are restored they know by themselves.

    Attributes
    ----------
    source, target : Out(2)
        Twice whether the step of the op is odd.
    from_zero : Out(2)
        Twice whether it is the first of its sample.
    read_banks : Out(3)
        Three times whether the step whose M may be read is odd.
    read_zeros : Out(3)
        Zero.
    restore, source_restored, read_restored
        Present if `restores`; zero.
    """

    def __init__(self, *, regions: int, restores: bool = False) -> None:
        self._regions = regions
        super().__init__(bank_ports(regions, restores=restores))

    def elaborate(self, platform: object) -> Module:
        """Count the steps of each region, by their ends."""
        m = Module()
        layout = data.StructLayout({"odd": 1, "settled": 1, "first": 1})
        kept = [Signal(layout, name=f"region_{region}") for region in range(self._regions)]
        now, is_first = Signal(layout), Signal()
        m.d.comb += [now.eq(Array(kept)[self.region]), is_first.eq(self.starts | now.first)]
        for region, one in enumerate(kept):
            with m.If(self.take & (self.region == region)):
                m.d.sync += one.first.eq(is_first & ~self.ends)
                with m.If(self.ends):
                    m.d.sync += [one.odd.eq(~now.odd), one.settled.eq(now.odd)]
        read = Signal(layout)
        m.d.comb += [
            read.eq(Array(kept)[self.read_region]),
            self.source.eq(now.odd.replicate(2)),
            self.target.eq(now.odd.replicate(2)),
            self.from_zero.eq(is_first.replicate(2)),
            self.read_banks.eq(read.settled.replicate(len(self.read_banks))),
        ]
        return m
