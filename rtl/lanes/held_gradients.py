"""The memory of g(M), which lanes and element-wise unit read, and the latter writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Module, Value

from deltatrain.rtl.parts.lane_runs import addresses, enables, of_run
from deltatrain.rtl.parts.layouts import word
from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory

__all__ = ["held_gradients"]


def held_gradients(
    m: Module, runs: list[range], bits: int, depth: int, ports: tuple[Any, Any], place: Callable[[range], Value]
) -> list[Value]:
    """Keep g(M), and return each lane's, a cycle after it was asked for.

    Parameters
    ----------
    m
        The module of the lanes.
    runs
        Runs of lanes (`rtl.parts.lane_runs`).
    bits, depth
        Of a gradient, and words of a lane in all banks.
    ports
        Those by which the element-wise unit reads and writes, seen from the memory.
    place
        What the lanes of a run ask for.
    """
    (shown_port, new), held = ports, list[Value]()
    shown_at = addresses(shown_port)
    for number, run in enumerate(runs):
        memory = UncheckedMemory(shape=word(bits, len(run)), depth=depth)
        m.submodules[of_run("gradients", number)] = memory
        shown, read, write = memory.read_port(), memory.read_port(), memory.write_port()
        m.d.comb += [
            read.addr.eq(place(run)),
            shown.en.eq(shown_port.en),
            shown.addr.eq(shown_at[number]),
            write.en.eq(enables(new)[number]),
            write.addr.eq(addresses(new)[number]),
            shown_port.data[run.start : run.stop].eq(shown.data),
            write.data.eq(new.data[run.start : run.stop]),
        ]
        held += [read.data[k] for k in range(len(run))]
    return held
