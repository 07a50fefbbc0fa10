"""Ports to a memory in which not all lanes ask for the same word, because a gate may begin in the middle of one.

Lanes between two places at which a gate begins or ends always ask for the same word: they are a run. Where every gate
begins with a word there is one run, and its ports are those of `amaranth.lib.memory`.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Signal
from amaranth.lib.memory import ReadPort, WritePort
from amaranth.lib.wiring import In, Out, Signature

from deltatrain.rtl.parts.layouts import word

__all__ = ["addresses", "enables", "lane_runs", "of_run", "read_signature", "write_signature"]


def lane_runs(gate_lanes: int, lanes: int) -> list[range]:
    """Return the runs of `lanes` lanes, where bit k of `gate_lanes` says whether a gate begins or ends in lane k."""
    begins = [0, *(lane for lane in range(1, lanes) if gate_lanes >> lane & 1)]
    return [range(first, behind) for first, behind in zip(begins, [*begins[1:], lanes], strict=True)]


def of_run(part: str, number: int) -> str:
    """Return the name of a part that each run of lanes has; the first run's has no number."""
    return f"{part}_{number}" if number else part


def read_signature(bits: int, runs: list[range], addr_width: int) -> Signature:
    """Return a port that reads words of values of so many bits, seen from the memory: ``addr`` is one for each run."""
    shape = word(bits, runs[-1].stop)
    if len(runs) == 1:
        return ReadPort.Signature(addr_width=addr_width, shape=shape)
    return Signature({"en": In(1, init=1), "addr": In(addr_width).array(len(runs)), "data": Out(shape)})


def write_signature(bits: int, runs: list[range], addr_width: int) -> Signature:
    """Return a port that writes such words, seen from the memory: ``en`` and ``addr`` are one for each run."""
    shape = word(bits, runs[-1].stop)
    if len(runs) == 1:
        return WritePort.Signature(addr_width=addr_width, shape=shape)
    return Signature({"en": In(1).array(len(runs)), "addr": In(addr_width).array(len(runs)), "data": In(shape)})


def addresses(port: Any) -> list[Signal]:
    """Return the address of each run at a port."""
    return _of_runs(port.addr)


def enables(port: Any) -> list[Signal]:
    """Return the enable of each run at a port that writes."""
    return _of_runs(port.en)


def _of_runs(member: Signal | list[Signal]) -> list[Signal]:
    return [member] if isinstance(member, Signal) else list(member)
