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

    Off-chip columns take as long as port and buses do. They come one op after the other, ahead of the lanes as soon as
    their lists are known, as far as the column buffer has room.
    """
    architecture = program.architecture
    read, written = program.remote_read_bytes, program.remote_write_bytes
    on_port = np.maximum(read, written) / architecture.dma.bytes_per_cycle
    on_bus = (read + written) / architecture.remote_bus_bytes_per_second * architecture.engine.clock_hz
    streamed = np.where(program.unit == ENGINE, np.ceil(np.maximum(on_port, on_bus)), 0).astype(np.int64)
    nothing = np.zeros(len(program.ops), dtype=np.bool_)
    columns = _Columns(streamed.tolist(), read.tolist(), architecture.column_buffer_bytes)
    return int(_done(program, nothing, np.arange(len(program.ops)), columns).max(initial=0))


class _Columns:
    """Off-chip columns on their way: ops' columns come in the ops' order, and wait in a buffer for the lanes.

    Parameters
    ----------
    streamed, held
        For each op the cycles that its columns take to come, and their bytes.
    buffer_bytes
        What may be there before the lanes take it.
    """

    def __init__(self, streamed: list[int], held: list[int], buffer_bytes: int) -> None:
        self._streamed, self._held, self._buffer_bytes = streamed, held, buffer_bytes
        self._waiting: deque[tuple[int, int]] = deque()
        self._waiting_bytes, self._come = 0, 0

    def last_word(self, op: int, known: int, begin: int, issue: int) -> int:
        """Return when the lanes have taken the last word of `op`, which begin with it at `begin`; lists are `known`."""
        cycles, size = self._streamed[op], self._held[op]
        if not cycles:
            return begin + issue
        room = self._buffer_bytes
        come = max(self._come, known) + cycles
        while self._waiting and self._waiting_bytes + size > room:
            taken, taken_bytes = self._waiting.popleft()
            self._waiting_bytes -= taken_bytes
            still = min(size, max(0, self._waiting_bytes + size + taken_bytes - room))
            come = max(come, taken + cycles * still // max(1, size))
        if size > room:
            come = max(come, begin + cycles * (size - room) // size)
        end = max(begin + issue, come)
        self._waiting.append((end, size))
        self._waiting_bytes += size
        self._come = come
        return end


_LISTED_BY = UNITS.index("encoder"), UNITS.index("load")


def _done(
    program: Program, skipped: NDArray[np.bool_], rows: NDArray[np.int64], columns: _Columns | None = None
) -> NDArray[np.int64]:
    """Return when each of the ops `rows` is done, 0 for all others, shape (N,); without `columns` all are there."""
    in_flight, latency = program.architecture.dma.in_flight, latency_cycles(program)
    issue = np.where(skipped, 0, program.issue_cycles).tolist()
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
            if columns is not None and of == ENGINE:
                known = max((done[before] for before in depends[op] if unit[before] in _LISTED_BY), default=0)
                free[of] = columns.last_word(op, known, start, issue[op])
            done[op] = free[of] + drain[op]
    return np.array(done[:-1], dtype=np.int64)
