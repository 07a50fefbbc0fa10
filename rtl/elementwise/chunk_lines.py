"""What the element-wise unit must still know of a chunk while later chunks have begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from amaranth.hdl import Module, Signal, Value

__all__ = ["ChunkLines"]


class ChunkLines:
    """Registers beside a chunk: what each value was when the chunk that is now in a given cycle began.

    The next chunk begins at least as many cycles later as the program has slots, so one register holds a value for so
    many cycles and then hands it to the next.

    Parameters
    ----------
    m
        The module of the unit.
    now
        Values of the chunk that begins in this cycle.
    beats
        For each program whether a chunk is in its cycle 0, 1, 2, ...
    slots
        Cycles from a chunk of each program to the next, at least.
    """

    def __init__(
        self, m: Module, now: Mapping[str, Value], beats: Sequence[Sequence[Signal]], slots: tuple[int, int]
    ) -> None:
        self._m, self._beats, self._slots = m, beats, slots
        self._held: dict[tuple[str, int, int], Signal] = {}
        self._now: dict[str, Signal] = {}
        for name, value in now.items():
            first = Signal(len(value), name=f"chunk_{name}")
            m.d.comb += first.eq(value)
            self._now[name] = first

    def at(self, name: str, cycle: int, program: int) -> Signal:
        """Return the value `name` of the chunk of `program` that is in its cycle `cycle`; not under a condition."""
        value = self._now[name]
        for number in range(-(-cycle // self._slots[program])):
            value = self._register(name, number, program, value)
        return value

    def _register(self, name: str, number: int, program: int, value: Signal) -> Signal:
        """Return the register that takes `value` when a chunk has been in `number` others."""
        key = (name, number, program if number else 0)  # the first is of both programs
        if key not in self._held:
            held = Signal.like(value, name=f"chunk_{name}_{program}_{number}" if number else f"chunk_{name}_0")
            starts = self._beats[program][number * self._slots[program]] if number else self._either_begins()
            with self._m.If(starts):
                self._m.d.sync += held.eq(value)
            self._held[key] = held
        return self._held[key]

    def _either_begins(self) -> Value:
        forward, backward = (beats[0] for beats in self._beats)
        return forward | backward
