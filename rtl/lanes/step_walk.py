"""The steps of a group for which lanes take a word of dW: one after the other, a cycle each."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

__all__ = ["StepWalk"]


class StepWalk(Component):
    """Goes through the steps in which a column fired, from the one that is done first, once for each of its words.

    A word for which there is only one step, or none, takes one cycle.

    Parameters
    ----------
    value_bits
        Width of a value.
    steps
        Most steps.

    Attributes
    ----------
    fired, values : In(unsigned(steps)), In(ArrayLayout)
        As of `rtl.parts.layouts.GroupEntry`; `fired` is 0 where there are no entries. Steady while a column is worked
        on.
    goes : In(1)
        A word is taken for a step in this cycle.
    step : Out(range(steps))
        For which, counted from the one that is done first; 0 if `fired` is 0.
    value : Out(signed(value_bits))
        The column's value in it.
    begins, ends : Out(1)
        Whether it is the word's first, its last.
    """

    def __init__(self, *, value_bits: int, steps: int) -> None:
        self._steps = steps
        super().__init__(
            {
                "fired": In(steps),
                "values": In(data.ArrayLayout(signed(value_bits), steps)),
                "goes": In(1),
                "step": Out(range(steps)),
                "value": Out(signed(value_bits)),
                "begins": Out(1),
                "ends": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Remember for which steps the word was taken."""
        m = Module()
        taken, left = Signal(self._steps), Signal(self._steps)
        m.d.comb += [
            left.eq(self.fired & ~taken),
            self.begins.eq(~taken.any()),
            self.ends.eq((left & (left - 1)[: self._steps]) == 0),
            self.value.eq(Array(self.values[k] for k in range(self._steps))[self.step]),
        ]
        for number in reversed(range(self._steps)):
            with m.If(left[number]):
                m.d.comb += self.step.eq(number)
        with m.If(self.goes):
            m.d.sync += taken.eq(Mux(self.ends, 0, taken | (1 << self.step)))
        return m
