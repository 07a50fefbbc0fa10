"""Columns on their way where nobody watches the memory: told when a fetch and an op of the lanes are over."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence

import simpy

from deltatrain.accel.observer import Gap
from deltatrain.accel.program import Program
from deltatrain.sim.machine.port_ahead import PortAhead
from deltatrain.sim.memory.clock import FETCH, Alarm, Clock
from deltatrain.sim.memory.remote_memory import RemoteMemory


class ColumnsAhead:
    """What `sim.machine.columns.ColumnStream` is, in as many events as there are ops.

    Parameters
    ----------
    clock
        The time.
    program
        What is run.
    memory
        The off-chip memory.
    port
        Its port, where the columns pass.
    """

    def __init__(self, clock: Clock, program: Program, memory: RemoteMemory, port: PortAhead) -> None:
        self._clock, self._memory, self._port = clock, memory, port
        self._op_writes_back = (program.writes_back & ~program.is_cached).data
        self._fetched = Alarm(clock, FETCH)
        self._finished = clock.event()
        port.on_fetched, port.on_finished = self._fetched.bring_forward, self._finish

    @property
    def waits(self) -> Sequence[Gap]:
        """When and why the lanes waited for a segment of the op that ran last."""
        return self._port.gaps

    def fetch(self, op: int, known: int) -> Generator[simpy.Event, None, None]:
        """Fetch the columns of `op`, whose list is known since a cycle, as fast as the buffer has room for them."""
        if self._port.fetch(op, self._clock.cycle, known):
            self._memory.wake()
            yield self._fetched.wait(math.inf)

    def writes_back(self, op: int) -> bool:
        """Tell whether `op` writes the columns that it reads, and not into the cache."""
        return bool(self._op_writes_back[op])

    def work_through(self, op: int, words: int, drain_cycles: int) -> Generator[simpy.Event, None, int]:
        """Let the lanes take the `words` words of `op` from now on, as they arrive; return the cycle after the last."""
        self._port.work(words, self._clock.cycle, drain_cycles, self.writes_back(op))
        self._finished = self._clock.event()
        self._memory.wake()
        yield self._finished
        return int(self._port.free)

    def _finish(self) -> None:
        self._finished.succeed()
