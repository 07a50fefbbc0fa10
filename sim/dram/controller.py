"""DRAM channels behind a controller that reorders: FR-FCFS, bounded queues, read and write phases, refresh."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from deltatrain.accel.dram import DramController, DramPart
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.dram import kernel
from deltatrain.sim.dram import words as k
from deltatrain.sim.dram.address_map import AddressMap
from deltatrain.sim.dram.layout import Layout, rules_of
from deltatrain.sim.dram.rules import Integers

_MOST_REQUESTS = 1 << 16  # handed to the kernel at once; bounds the memory whatever the trace's length
_MOST_COMMANDS = 1 << 16
_NOTHING = np.empty((3, 0), np.int64)


class Finished(NamedTuple):
    """Requests that were finished, one entry each, in the order in which their channel served them.

    Attributes
    ----------
    ticket
        Number of the request, counted from 0 in the order in which they were handed over.
    accepted
        Cycle in which the controller took it.
    done
        Cycle from which all of its data has passed the data bus.
    write
        1 for a write.
    """

    ticket: Integers
    accepted: Integers
    done: Integers
    write: Integers


class Commands(NamedTuple):
    """Commands on the command buses, one entry each; the entries of one channel are in the order of time.

    Attributes
    ----------
    cycle
        When.
    command
        Number of its name in `sim.dram.words.COMMANDS`.
    channel, rank, group, bank, row
        Where; -1 where a command goes to more than one. `rank` counts through the pseudo channels of the channel,
        `group` within the rank, `bank` within the group.
    """

    cycle: Integers
    command: Integers
    channel: Integers
    rank: Integers
    group: Integers
    bank: Integers
    row: Integers


class RowCounts(NamedTuple):
    """What all channels did until now."""

    hits: int
    misses: int
    conflicts: int
    activates: int
    precharges: int
    refreshes: int
    read_bursts: int
    write_bursts: int
    forwarded: int
    merged: int


class BusTicks(NamedTuple):
    """What the data buses of all channels did, in clocks; together all the clocks there were.

    Attributes
    ----------
    read, write
        Data moved.
    refresh
        Requests were queued, and the bank of the burst that came next was kept by a refresh that was due.
    row
        That burst was the first of a row, which had to be opened for it.
    turn
        Data had gone the other way before.
    column
        Columns, or activates, had to keep their distance.
    idle
        Nothing was queued.
    """

    read: int
    write: int
    refresh: int
    row: int
    turn: int
    column: int
    idle: int


class DramChannels:
    """The channels of one memory. Times are cycles of the DRAM's clock, addresses bytes; a request is one burst.

    *Many requests at once*: `serve` takes arrays of them, and `finish` empties the queues.

    *In lock-step with something else*: in every cycle in which there is a request, `offer` it and learn whether it was
    taken; `advance` to a later cycle and get what was finished on the way. Between its own requests the user may jump,
    for `next_event` is the first cycle in which anything happens if no request comes before. A request that was not
    taken cannot be in a cycle up to `next_event`, so offer it again in the one after. One process for all channels is
    enough::

        while True:
            wait for a request or until next_event() + 1, whichever comes first
            for ticket, _, done, _ in advance(now):  # done >= now: the command is out, its data come at a known time
                schedule the arrival of that request's data in cycle done
            for the oldest request of each channel, if offer(now, address, write):
                remember its ticket: the tickets of requests that are taken count up from 0

    A request counts as finished when its command is issued. So `done` lies a fixed latency ahead, which leaves time to
    schedule an event. Only reads that a queued write answers are done sooner, a cycle after they were taken; the next
    `advance` returns them. Time cannot go back: `offer` and `serve` in a cycle before one advanced to count as of that.

    Each channel takes its requests in order, a fixed number a cycle, whatever the other channels do. A request that
    finds its channel's queue full holds up those behind it in the same channel only. While a write is queued, a read of
    the same burst is answered from the queue a cycle later, and another write to it replaces the first. While a read is
    queued, a write to the same burst is not taken.

    Parameters
    ----------
    part, controller
        What is built.
    record
        Whether to keep the commands, for `take_commands`.

    Attributes
    ----------
    rules
        The constraints between commands, in clocks.
    map
        Where addresses lie.

    Raises
    ------
    ConfigError
        If the controller cannot drive the part.
    """

    def __init__(self, part: DramPart, controller: DramController, record: bool = False) -> None:
        if problem := controller.fits(part):
            raise ConfigError(problem)
        self.part = part
        self.controller = controller
        self.map = AddressMap(part, controller)
        most_finished = _MOST_REQUESTS + controller.channels * (controller.read_queue + controller.write_queue)
        self._layout = Layout(part, controller, self.map, most_finished, _MOST_COMMANDS if record else 0)
        self.rules = rules_of(part, controller, self._layout)
        self._keep(self._layout.initial(self.rules))
        self._finished: list[Integers] = []
        self._commands: list[Integers] = []

    def serve(self, cycles: Integers, addresses: Integers, writes: npt.NDArray[np.bool_]) -> Finished:
        """Hand over requests in order and return those finished meanwhile, also of earlier calls.

        Parameters
        ----------
        cycles
            (N,) Cycle in which each is first offered; 0 for as soon as the ones before it are taken.
        addresses
            (N,) Any byte of the burst.
        writes
            (N,) True for a write.

        Raises
        ------
        ConfigError
            If an address lies beyond the memory.
        """
        self._check(addresses)
        parts = []
        for start in range(0, len(addresses), _MOST_REQUESTS):
            stop = start + _MOST_REQUESTS
            bursts = addresses[start:stop] // self.map.burst_bytes
            self._run(np.stack([cycles[start:stop], bursts, writes[start:stop]]).astype(np.int64, copy=False))
            parts.append(self._take_finished())
        return Finished(*np.concatenate(parts or [self._take_finished()], axis=1))

    def finish(self) -> Finished:
        """Serve all that is queued, let all channels come to the cycle of the last data, return what is finished."""
        found = self._pass_time(k.NEVER)
        self.advance(self.last_data)
        return found

    def offer(self, cycle: int, address: int, write: bool) -> bool:
        """Offer one request in `cycle`; return whether it was taken. If not, it may be offered again in a later cycle.

        What was finished before comes out of the next `advance`.
        """
        self._check(np.array([address]))
        self._run(_NOTHING, cycle)
        return bool(kernel.offer(self._address, cycle, address // self.map.burst_bytes, int(write)))

    def advance(self, cycle: int) -> Finished:
        """Let time pass until `cycle`: issue every command of the cycles before it, and return what that finishes."""
        return self._pass_time(cycle)

    def next_event(self) -> int:
        """Return the cycle of the next command if no request comes before; refreshes of an idle memory count too."""
        return kernel.next_event(self._address)

    def take_commands(self) -> Commands:
        """Return the commands issued since the last call."""
        self._keep_commands()
        kept, self._commands = self._commands, []
        return Commands(*np.concatenate([np.empty((0, 7), np.int64), *kept]).T)

    @property
    def counts(self) -> RowCounts:
        """What the banks did until now."""
        counts = self._layout.channel_records(self._words)[:, k.HITS : k.WAITED_REFRESH]
        return RowCounts(*counts.sum(axis=0).tolist())

    def bus_ticks(self, end: int) -> BusTicks:
        """Return what the data buses did before `end`, a cycle that was advanced to and not before the last data."""
        records = self._layout.channel_records(self._words)
        moved = records[:, [k.READ_BURSTS, k.WRITE_BURSTS]].sum(axis=0) * self.part.burst_cycles
        waited = records[:, k.WAITED_REFRESH : k.WAITED_COLUMN + 1].sum(axis=0)
        known: list[int] = [*moved.tolist(), *waited.tolist()]
        return BusTicks._make([*known, end * self.controller.data_buses - sum(known)])

    @property
    def last_data(self) -> int:
        """Cycle from which no data bus has anything more to move, for what was finished."""
        return int(self._layout.channel_records(self._words)[:, k.DATA_UNTIL].max())

    def active_cycles(self, end: int) -> int:
        """Return in how many cycles before `end` a bank was open or all were refreshed, summed over ranks.

        `end` is a cycle that was advanced to. A refresh under way then counts as far as it is.
        """
        ranks = self._layout.rank_records(self._words)
        opened, closed = ranks[..., k.OPENED], ranks[..., k.LAST_CLOSED]
        closed = np.where(ranks[..., k.OPEN_BANKS] > 0, end, closed)
        current = np.maximum(np.minimum(closed, end) - opened, 0)
        open_cycles = int(ranks[..., k.ACTIVE_CYCLES].sum() + current.sum())
        all_banks = self.controller.refresh == "all_bank"
        return open_cycles + self._refreshing_cycles(end) if all_banks else open_cycles

    def _refreshing_cycles(self, end: int) -> int:
        """Return for how many cycles before `end` all banks of a rank were refreshed, summed over ranks."""
        ended = self._layout.first_bank_records(self._words)[..., k.REFRESH_ENDED]
        return self.counts.refreshes * self.rules.refresh - int(np.maximum(ended - end, 0).sum())

    def _check(self, addresses: Integers) -> None:
        if len(addresses) and (addresses.min() < 0 or addresses.max() >= self.map.capacity_bytes):
            address = int(addresses[(addresses < 0) | (addresses >= self.map.capacity_bytes)][0])
            raise ConfigError(f"address {address:#x} lies beyond the memory's {self.map.capacity_bytes:#x} bytes")

    def _pass_time(self, until: int) -> Finished:
        self._run(_NOTHING, until)
        return Finished(*self._take_finished())

    def _keep(self, words: Integers) -> None:
        """Let the memory's words lie where these do."""
        self._words = words
        self._address: int = words.ctypes.data

    def _run(self, requests: Integers, until: int = 0) -> None:
        """Call the kernel until it has done all, emptying its log in between."""
        done = False
        self._keep_finished()
        while not done:
            taken = kernel.run(self._address, requests, until)
            done = bool(self._words[k.IS_DONE])
            if not done:
                requests = np.ascontiguousarray(requests[:, taken:])
            self._keep_commands()

    def _keep_commands(self) -> None:
        if self._words[k.COMMANDS_USED]:
            self._commands.append(self._layout.commands(self._words).copy())
            self._words[k.COMMANDS_USED] = 0

    def _keep_finished(self) -> None:
        """Make room for what the next call of the kernel finishes."""
        if self._words[k.FINISHED_USED]:
            self._finished.append(self._layout.finished(self._words).copy())
            self._words[k.FINISHED_USED] = 0

    def _take_finished(self) -> Integers:
        self._keep_finished()
        kept, self._finished = self._finished, []
        return np.concatenate([np.empty((0, 4), np.int64), *kept]).T
