"""The pace of a training step: cycles from one step to the next, as far as units and their waiting decide.

Bounds from sums of work say nothing of how ops wait for each other, such as for the exchange between tiles or for loads
from a far memory. So the ops of one sample are followed in order: each starts when its unit is free and all that it
depends on is done. The pace is read off the second half of the steps, where pipelines are full. Columns that stream
from off-chip memory are taken to be there already; other bounds tell what they take of the port.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.memory import IdealDevice
from deltatrain.accel.program import ENGINE, NO_OP, UNITS, Program

_TRANSFER_UNITS = UNITS.index("load"), UNITS.index("store")


class Pace(NamedTuple):
    """Cycles from one step to the next, forward and backward."""

    forward_cycles: int
    backward_cycles: int


def latency_cycles(program: Program) -> int:
    """Return how long a request takes until its bytes begin to pass the port, without the DRAM's own latency.

    That depends on rows, and is short beside the transfer.
    """
    architecture = program.architecture
    device = architecture.device
    there = architecture.engine.cycles_of(device.latency_ps) if isinstance(device, IdealDevice) else 0
    return architecture.dma.request_cycles + there


def pace(program: Program, skipped: NDArray[np.bool_]) -> Pace:
    """Return the pace of the longest sample.

    Parameters
    ----------
    program
        A training step that runs nothing again.
    skipped
        Ops that take no time, such as transfers that are not to count, shape (N,).
    """
    ops = program.ops
    longest = int(ops.sample[ops.step.argmax()])
    done = _done(program, skipped, np.flatnonzero(ops.sample == longest))
    steps = int(ops.step[ops.sample == longest].max()) + 1
    forward = ops.is_mode("cell_forward") & ops.is_phase("FP")
    backward = ops.is_phase("BP", "WG") & ~ops.is_stream("readout")
    ended = []
    for chosen in (forward, backward):
        rows = np.flatnonzero(chosen & (ops.sample == longest))
        of_step = np.zeros(steps, dtype=np.int64)
        np.maximum.at(of_step, ops.step[rows], done[rows])
        ended.append(of_step)
    there, back = ended
    if steps == 1:
        return Pace(int(there[0]), max(0, int(back[0] - there[0])))
    first = (steps - 1) // 2
    apart = steps - 1 - first
    return Pace(-(int(there[first] - there[-1]) // apart), -(int(back[apart] - back[0]) // apart))


def followed_cycles(program: Program) -> int:
    """Return when the last op of a program is done, its ops followed in order.

    The lanes take as long for off-chip columns as port and buses do.
    """
    architecture = program.architecture
    read, written = program.remote_read_bytes, program.remote_write_bytes
    on_port = np.maximum(read, written) / architecture.dma.bytes_per_cycle
    on_bus = (read + written) / architecture.remote_bus_bytes_per_second * architecture.engine.clock_hz
    streamed = np.where(program.unit == ENGINE, np.ceil(np.maximum(on_port, on_bus)), 0).astype(np.int64)
    nothing = np.zeros(len(program.ops), dtype=np.bool_)
    return int(_done(program, nothing, np.arange(len(program.ops)), streamed).max(initial=0))


def _done(
    program: Program, skipped: NDArray[np.bool_], rows: NDArray[np.int64], least: NDArray[np.int64] | int = 0
) -> NDArray[np.int64]:
    """Return when each of the ops `rows` is done, 0 for all others, shape (N,); none issues faster than `least`."""
    in_flight, latency = program.architecture.dma.in_flight, latency_cycles(program)
    issue = np.where(skipped, 0, np.maximum(program.issue_cycles, least)).tolist()
    drain = np.where(skipped, 0, program.drain_cycles).tolist()
    unit, depends = program.unit.tolist(), program.ops.depends.tolist()
    done = [0] * (len(unit) + 1)  # the last stands for no op
    free, passed = [0] * len(UNITS), [0] * len(UNITS)
    on_way: dict[int, deque[int]] = {unit: deque([0] * in_flight) for unit in _TRANSFER_UNITS}
    assert NO_OP == -1, "no op is the last"
    transfers = ~skipped & program.is_unit("load", "store")
    for op, is_transfer in zip(rows.tolist(), transfers[rows].tolist(), strict=True):
        of = unit[op]
        start = max(free[of], *[done[before] for before in depends[op]])
        if is_transfer:
            start = max(start, on_way[of].popleft())
            passed[of] = max(passed[of], start + latency) + issue[op]
            on_way[of].append(passed[of])
            free[of], done[op] = start, passed[of]
        else:
            free[of] = start + issue[op]
            done[op] = free[of] + drain[op]
    return np.array(done[:-1], dtype=np.int64)
