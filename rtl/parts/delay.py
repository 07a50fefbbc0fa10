"""A delay line."""

from __future__ import annotations

from amaranth.hdl import Module, Signal

__all__ = ["delayed"]


def delayed(m: Module, value: Signal, cycles: int) -> Signal:
    """Return what `value`, a signal or a view of one, was `cycles` cycles ago; zero before."""
    for number in range(cycles):
        later = Signal.like(value, name=f"{_name(value)}_{number + 1}")
        m.d.sync += later.eq(value)
        value = later
    return value


def _name(value: Signal) -> str:
    return str(getattr(value, "name", "delayed")).rstrip("0123456789_")
