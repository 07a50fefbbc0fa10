"""Transfers of many neighbouring bursts over DRAM channels, for a user who asks as time goes by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deltatrain.accel.dram import DramController, DramPart
from deltatrain.sim.dram import kernel
from deltatrain.sim.dram import words as k
from deltatrain.sim.dram.controller import DramChannels
from deltatrain.sim.dram.rules import Integers

OnBursts = Callable[[int, int, int, bool], None]
_FIRST_TICKETS = 1 << 10
_MOST_BURSTS = 1 << 16


class Transfers(DramChannels):
    """DRAM channels that are handed transfers of many bursts, and say when the bursts of a read are finished.

    A transfer's bursts are offered one after the other from one cycle on; it is what `DramChannels.serve` does with
    them, in one call. Between transfers the user lets time pass, never beyond the next transfer.

    Parameters
    ----------
    part, controller, record
        As for `DramChannels`.

    Attributes
    ----------
    accepted
        Cycle in which the last burst of the latest transfer was taken, of all its channels.
    on_bursts
        Told of every transfer: cycle from which it is offered, number of its first burst, how many there are, and
        whether it is a write.
    """

    def __init__(self, part: DramPart, controller: DramController, record: bool = False) -> None:
        super().__init__(part, controller, record)
        self.accepted = -1
        self.on_bursts: OnBursts | None = None
        self._keep_ring(np.zeros(_FIRST_TICKETS, np.int64))

    def hand_over(self, cycle: int, address: int, size_bytes: int, write: bool, oldest: int | None) -> tuple[int, int]:
        """Hand over the bursts in which bytes lie, offered from `cycle` on; return their first ticket and the next.

        Parameters
        ----------
        oldest
            First ticket that will still be asked for, None if there is none.
        """
        size = self.map.burst_bytes
        burst, first = address // size, self._next_ticket
        count = (address + size_bytes - 1) // size + 1 - burst
        self.hold(first if oldest is None else oldest, first + count)
        if self.on_bursts is not None:
            self.on_bursts(cycle, burst, count, write)
        self._words[k.LAST_ACCEPTED] = -1
        while count:
            taken = kernel.hand_over(self._address, cycle, burst, min(count, _MOST_BURSTS), int(write))
            burst, count = burst + taken, count - taken
            self._keep_commands()
        self.accepted = int(self._words[k.LAST_ACCEPTED])
        return first, self._next_ticket

    def await_reads(self, until: int, ticket: int, end: int) -> tuple[int, int]:
        """Let time pass before cycle `until`, or less if all reads from `ticket` on and before `end` are finished.

        Returns
        -------
        The first of them that is not finished, or `end`; and a cycle before which the command of the last one is not
        issued.
        """
        going = False
        while not going:
            ticket = kernel.await_reads(self._address, until, ticket, end)
            going = bool(self._words[k.IS_DONE])
            self._keep_commands()
        return ticket, int(self._words[k.KNOWN_FROM])

    @property
    def now(self) -> int:
        """The cycle up to which time has passed in the channel that is furthest."""
        return int(self._layout.channel_records(self._words)[:, k.NOW].max())

    @property
    def read_latency(self) -> int:
        """Cycles from a read's command until its data have passed the data bus."""
        return self.rules.read_latency

    def done(self, first: int, end: int) -> Integers:
        """Return the cycles from which the data of reads have passed the data bus; `words.NEVER` if not yet known."""
        at = first & (len(self._done) - 1)
        if at + end - first <= len(self._done):
            return self._done[at : at + end - first]
        places = np.arange(first, end) & (len(self._done) - 1)
        found: Integers = self._done[places]
        return found

    @property
    def _next_ticket(self) -> int:
        return int(self._words[k.TICKETS])

    @property
    def arrays(self) -> tuple[int, Integers, Integers]:
        """What whoever calls the kernel himself needs: the address of the words; the words; the ring of what is done.

        They are others when the ring has grown.
        """
        return self._address, self._words, self._done

    def hold(self, oldest: int, end: int) -> None:
        """Let the ring hold the tickets from `oldest` on and before `end`."""
        size = len(self._done)
        while end - oldest > size:
            size *= 2
        if size > len(self._done):
            kept = np.arange(oldest, self._next_ticket)
            grown = np.zeros(size, np.int64)
            grown[kept & (size - 1)] = self._done[kept & (len(self._done) - 1)]
            self._keep_ring(grown)

    def _keep_ring(self, ring: Integers) -> None:
        """Let the cycles in which reads are finished be kept in a ring, which is as long as a power of two."""
        self._keep(np.concatenate([self._words[: self._layout.end], ring]))
        self._words[k.DONE_MASK] = len(ring) - 1
        self._done = self._words[self._layout.end :]
