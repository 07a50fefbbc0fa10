"""The cycles in which the off-chip port moves the bytes of an op: what load and store count as busy."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Module, Signal, Value

from deltatrain.rtl.parts.division import divided

__all__ = ["PortCycles", "port_cycles"]


class PortCycles(NamedTuple):
    """Whether the op in front is busy in this cycle, and whether it has been for all its cycles at the end of it."""

    works: Value
    done: Value


def port_cycles(
    m: Module, *, words: Signal, word_bytes: int, port_bytes: int, active: Value, leaves: Value
) -> PortCycles:
    """Count the first cycles of an op, ceil(words * `word_bytes` / `port_bytes`) of them, while it is `active`.

    Parameters
    ----------
    words
        Of the op in front, at least one.
    active, leaves
        Whether an op is there, and whether it makes place for the next in this cycle.
    """
    cycles: Value = words
    if word_bytes != port_bytes:
        cycles = divided(words * word_bytes + (port_bytes - 1), port_bytes).quotient
    spent, worked, works, last = Signal(len(cycles)), Signal(), Signal(), Signal()
    m.d.comb += [works.eq(active & ~worked), last.eq(works & (spent + 1 == cycles))]
    m.d.sync += worked.eq((worked | last) & ~leaves)
    with m.If(works):
        m.d.sync += spent.eq(spent + 1)
    with m.If(last):
        m.d.sync += spent.eq(0)
    return PortCycles(works, worked | last)
