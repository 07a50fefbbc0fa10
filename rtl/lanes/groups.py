"""Lanes that add the weight gradients of several steps to a word of dW before it goes back."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data

from deltatrain.accel.engine import Engine
from deltatrain.rtl.lanes.issue import Issue
from deltatrain.rtl.lanes.modes.outer import Outer
from deltatrain.rtl.lanes.unit import Lanes
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.layouts import GroupEntry

__all__ = ["GroupLanes"]


class GroupLanes(Lanes):
    """The lanes, where a column of `outer` comes with the values of all steps of a group in which it fired.

    A word of dW stays at its port for a cycle each of these steps, and is taken in the last; the sum stays in stage 3
    until then. The stages are those of `Lanes`.

    Parameters
    ----------
    steps
        Most steps of a group.
    gradient_banks
        Banks of g(M), a power of two.
    engine, accumulator_words, gate_lanes, mixed_lanes, keeps_velocity
        As of `Lanes`.
    """

    def __init__(
        self,
        *,
        steps: int,
        gradient_banks: int,
        engine: Engine,
        accumulator_words: int,
        gate_lanes: int = 0,
        mixed_lanes: int = 0,
        keeps_velocity: bool = False,
    ) -> None:
        self._steps, self._gradient_banks = steps, gradient_banks
        super().__init__(
            engine=engine,
            accumulator_words=accumulator_words,
            gate_lanes=gate_lanes,
            mixed_lanes=mixed_lanes,
            keeps_velocity=keeps_velocity,
        )

    @property
    def _entry(self) -> data.Layout:
        return GroupEntry(self._engine.formats.activation.bits, self._steps)

    def _added_to(self, m: Module, issue: Issue, word_3: data.View, outer: Outer) -> tuple[Value, Value]:
        """Return the word that came, or what the step before made of it, and whether the last step is added."""
        held = Signal.like(Value.cast(outer.result), name="held")
        with m.If(outer.active):
            m.d.sync += held.eq(outer.result)
        came = Value.cast(delayed(m, issue.o_gradients, 2))
        return Mux(word_3.word_begins, came, held), word_3.word_ends
