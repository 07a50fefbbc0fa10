"""The off-chip memory as one SimPy process: port, posted writes and DRAM controller."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING

import simpy

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.memory.clock import MEMORY, Alarm, Clock
from deltatrain.sim.memory.port import Arrived, Passed, Port, RemotePort

if TYPE_CHECKING:
    from deltatrain.sim.dram.activity import DramActivity, Tell


class RemoteMemory:
    """The off-chip memory in simulated time. The tile asks it, whether the tile is laws or gates.

    Whoever asks leaves a request and goes on. The process takes the requests of a cycle in its phase `MEMORY`, in the
    order in which they were left, behind the writes that were posted for that cycle. It alone calls the port, so it
    alone lets the controller's time pass. It then lets that time pass until the cycle of the environment's next event,
    because nobody can make a request before that, and calls back with what became known. Callbacks come before the
    cycles that they name are over.

    Parameters
    ----------
    clock
        The time of the tile and of its memory.
    architecture
        The machine.
    activity
        Told what the DRAM's banks and buses did (`accel.observer.Observer.activity`); the DRAM keeps its commands for
        that.
    port
        The timing, if it is not to be a `RemotePort`.

    Attributes
    ----------
    port
        The timing, which also counts the bytes moved.
    process
        The process.
    """

    def __init__(
        self, clock: Clock, architecture: Architecture, activity: Tell | None = None, port: Port | None = None
    ) -> None:
        self.port = port or RemotePort(architecture, record=activity is not None)
        channels = self.port.memory.channels
        self._activity: DramActivity | None = None
        if activity is not None and channels is not None:
            from deltatrain.sim.dram.activity import DramActivity  # with the DRAM kernel, as the channels

            self._activity = DramActivity(channels, activity)
        self._clock, self._begin_ps = clock, architecture.engine.begin_ps
        self._requests: deque[Callable[[], None]] = deque()
        self._alarm = Alarm(clock, MEMORY)
        self.process = clock.process(self._serve())

    def read(
        self,
        address: int,
        size_bytes: int,
        word_bytes: int,
        arrived: Arrived | None = None,
        passed: Passed | None = None,
    ) -> None:
        """Ask for bytes now; `arrived` is told when all are known to pass, `passed` of words one after the other."""
        self._requests.append(
            partial(self.port.read, self._clock.cycle, address, size_bytes, word_bytes, arrived, passed)
        )
        if not self.port.reads_in_flight:  # otherwise the process has an earlier read to tell of first
            self.wake()

    def write(self, address: int, size_bytes: int, taken: Callable[[int], None]) -> None:
        """Hand over bytes now; `taken` is told the cycle after the memory took them."""
        self._leave(partial(self._write, self._clock.cycle, address, size_bytes, taken))

    def post(self, cycle: int, address: int, size_bytes: int, taken: Callable[[int], None]) -> None:
        """Post a write for `cycle`, now or later. It precedes that cycle's other requests. Posts come in order."""
        self.port.post(cycle, address, size_bytes, taken)
        self._alarm.bring_forward(cycle)

    def wake(self) -> None:
        """Let the process look in this cycle whether there is more to do."""
        self._alarm.bring_forward(self._clock.cycle)

    def finish(self, cycle: int) -> int:
        """Let the memory finish after a run whose tile was done in `cycle`; return the cycle in which the run ends."""
        end = self.port.finish(cycle)
        if self._activity is not None:
            self._activity.finish(self._begin_ps(end))
        return end

    def _leave(self, request: Callable[[], None]) -> None:
        self._requests.append(request)
        self.wake()

    def _write(self, cycle: int, address: int, size_bytes: int, taken: Callable[[int], None]) -> None:
        taken(self.port.write(cycle, address, size_bytes))

    def _serve(self) -> Generator[simpy.Event, None, None]:
        """Take requests, let time pass while nobody can make further ones, and sleep until there is more to do."""
        port, requests, clock = self.port, self._requests, self._clock
        while True:
            while requests:
                requests.popleft()()
            while port.is_due(quiet_until := clock.peek()):
                port.advance(quiet_until)
            if self._activity is not None:
                self._activity.pass_time(self._begin_ps(clock.cycle))
            yield self._alarm.wait(port.next_cycle)
