"""DRAM behind a reordering controller, as a tile that counts engine cycles sees it."""

from __future__ import annotations

from fractions import Fraction

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.dram import DramPart
from deltatrain.accel.engine import PS_PER_SECOND
from deltatrain.sim.dram.rules import Integers
from deltatrain.sim.dram.transfers import Transfers
from deltatrain.sim.dram.words import NEVER
from deltatrain.sim.memory.passage import Passage, Stretch
from deltatrain.sim.memory.passing import pass_on


def tick_cycles(architecture: Architecture, part: DramPart) -> Fraction:
    """Return how many engine cycles a tick of a part lasts, exactly."""
    return Fraction(part.tck_ps * architecture.engine.clock_hz, PS_PER_SECOND)


class Banked:
    """DRAM channels in another clock domain.

    The controller sees a request of engine cycle c in the first of its own cycles (ticks) that begins at least
    `request_cycles` after c. No request of cycle c or later can change what the controller does before that tick, so
    all of that is known in cycle c.

    Parameters
    ----------
    architecture
        The machine.
    part
        The device of its off-chip memory.
    record
        Whether to keep the commands that the controller issues, for whoever takes them.

    Attributes
    ----------
    tick_cycles
        Engine cycles of a tick, exact; a tick is the unit of `done`.
    channels
        The controller.
    """

    def __init__(self, architecture: Architecture, part: DramPart, record: bool = False) -> None:
        self.channels = Transfers(part, architecture.remote, record)
        self.tick_cycles = tick_cycles(architecture, part)
        self._cycles, self._ticks = self.tick_cycles.as_integer_ratio()  # as many cycles last as long as these ticks
        self._delay = architecture.dma.request_cycles

    def burst_bytes(self, size_bytes: int) -> int:
        """Return the size of the bursts that a request of `size_bytes` is made of."""
        return self.channels.map.burst_bytes

    def read(self, cycle: int, address: int, size_bytes: int, oldest: int | None) -> tuple[int, int]:
        """Ask for bytes in an engine cycle; return the tickets of their bursts, the first and the one after the last.

        `oldest` is the first ticket of which `done` will still be asked, None if there is none.
        """
        return self.channels.hand_over(self._tick(cycle), address, size_bytes, False, oldest)

    def write(self, cycle: int, address: int, size_bytes: int, oldest: int | None) -> int:
        """Hand over bytes; return the first engine cycle in which the controller has queued all of them."""
        self.channels.hand_over(self._tick(cycle), address, size_bytes, True, oldest)
        return self._first_cycle(self.channels.accepted + 1)

    def await_reads(self, cycle: int, ticket: int, end: int) -> tuple[int, int]:
        """Find out what is known in an engine cycle of the reads from `ticket` on and before `end`.

        Time passes until then at most. It stops when all of them are finished, early enough for requests that are made
        because their data arrived.

        Returns
        -------
        The first that is not known, or `end`; and an engine cycle before which not all are known.
        """
        ticket, earliest = self.channels.await_reads(self._tick(cycle), ticket, end)
        return ticket, self._known(earliest)

    def known_from(self) -> int:
        """Return an engine cycle before which the request made last cannot be known to be finished."""
        return self._known(self.channels.accepted)

    def pass_on(self, s: Stretch, p: Passage, tickets: tuple[int, int], width: int, due: Integers) -> Passage:
        """Let further bursts of a request pass the port: of its tickets the first, and the one after the last.

        The rest is as for `sim.memory.passing.pass_on`.
        """
        return pass_on(s, p, self.channels.done(*tickets), self._cycles, self._ticks, width, due)

    def pass_time(self, cycle: int) -> None:
        """Let everything happen that is known in an engine cycle."""
        self.channels.await_reads(self._tick(cycle), 0, -1)

    def next_data(self) -> int:
        """Return an engine cycle before which no data can be there that are not known yet."""
        return self._first_cycle(self.channels.next_event() + self.channels.read_latency)

    def finish(self) -> int:
        """Let the controller serve all requests; return the first engine cycle in which all are done."""
        self.channels.await_reads(NEVER, 0, -1)
        self.channels.await_reads(self.channels.last_data, 0, -1)
        return self._first_cycle(self.channels.last_data)

    def _tick(self, cycle: int) -> int:
        """Return the tick in which the controller sees a request of an engine cycle."""
        return min(-(-(cycle + self._delay) * self._ticks // self._cycles), NEVER)

    def _first_cycle(self, tick: int) -> int:
        """Return the first engine cycle that begins with a tick, or later."""
        return -(-tick * self._cycles // self._ticks)

    def _known(self, tick: int) -> int:
        """Return the engine cycle in which it is known what the controller does in a tick."""
        return tick * self._cycles // self._ticks + 1 - self._delay
