"""When rows were open, banks refreshed and data buses busy, read off the commands that the controller issued."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from typing import NamedTuple

import numpy as np

from deltatrain.sim.dram import words as k
from deltatrain.sim.dram.controller import Commands, DramChannels

Tell = Callable[[str, str, int, int, Mapping[str, int]], None]
"""As `accel.observer.Observer.activity`."""


class _Activity(NamedTuple):
    """What a bank or bus does from cycle `start` to before cycle `end`; `k.NEVER` until the end is known."""

    what: str
    start: int
    end: int
    numbers: Mapping[str, int]
    bursts: int = 0


class DramActivity:
    """Tells what banks and data buses did, while the memory's time passes.

    A row is open from its activate to the precharge that closes it, an auto-precharge included. A bank in refresh takes
    no commands. Bursts of one direction and bank whose data follow each other without a gap are one activity, which
    carries their number. The last activity of each part is told when the next one begins, because the run may end
    before it is over.

    Parameters
    ----------
    memory
        Keeps its commands, which are taken from it.
    tell
        Told the name of a bank or bus, what it did, from when until when in picoseconds, and numbers about it.
    look_every_ps
        Commands of this much time are kept and looked at together: more is faster, and takes more memory.
    """

    def __init__(self, memory: DramChannels, tell: Tell, look_every_ps: int = 20_000_000) -> None:
        part, controller = memory.part, memory.controller
        self._memory, self._tell, self._look_every_ps = memory, tell, look_every_ps
        self._rules = memory.rules
        self._tck_ps, self._burst = part.tck_ps, part.burst_cycles
        self._sizes = {
            "channel": controller.channels,
            "pseudo channel": controller.pseudo_channels,
            "rank": controller.ranks,
            "group": part.bank_groups,
            "bank": part.banks_per_group,
        }
        self._banks = [self._name("", place) for place in np.ndindex(*self._sizes.values())]
        self._now: dict[str, _Activity] = {}
        self._later = Commands(*np.empty((len(Commands._fields), 0), np.int64))
        self._seen_ps = 0

    def pass_time(self, until_ps: int) -> None:
        """Tell of what is over by `until_ps`, if enough time has passed; the run does not end before then."""
        if until_ps >= self._seen_ps + self._look_every_ps:
            self._follow(until_ps)

    def finish(self, end_ps: int) -> None:
        """Tell the rest of a run that ends at `end_ps`."""
        self._follow(end_ps)
        for name, last in self._now.items():
            self._tell_of(name, last, end_ps)
        self._now.clear()

    def _follow(self, until_ps: int) -> None:
        """Follow the commands of the cycles that begin before a time; the memory may be ahead of it."""
        self._seen_ps = until_ps
        found = np.concatenate([self._later, self._memory.take_commands()], axis=1)
        tick, parts = self._tck_ps.as_integer_ratio()
        early = found[0] * tick < until_ps * parts
        self._later, commands = Commands(*found[:, ~early]), found[:, early]
        command = commands[1]
        bus = commands[2] * self._sizes["pseudo channel"] + commands[3] // self._sizes["rank"]
        column = (command >= k.READ) & (command <= k.WRITE_AUTO)
        closing = (command == k.READ_AUTO) | (command == k.WRITE_AUTO)
        self._follow_rows(Commands(*commands[:, ~column | closing]))
        for number in np.unique(bus[column]).tolist():
            self._follow_bus(number, Commands(*commands[:, column & (bus == number)]))

    def _follow_rows(self, commands: Commands) -> None:
        """Follow the commands that open or close a row, or refresh."""
        rules = self._rules
        for cycle, command, channel, rank, group, bank, row in zip(*(f.tolist() for f in commands), strict=True):
            first = (channel * rules.ranks + rank) * rules.banks
            place = first + group * self._sizes["bank"] + bank
            banks = self._banks[first : first + rules.banks] if bank < 0 else [self._banks[place]]
            if command == k.REFRESH_SAME:
                banks = self._banks[first + bank : first + rules.banks : rules.refresh_sets]
            for name in banks:
                if command == k.ACTIVATE:
                    self._begin(name, _Activity("row open", cycle, k.NEVER, {"row": row}))
                elif command == rules.refresh_command:
                    self._begin(name, _Activity("refresh", cycle, cycle + rules.refresh, {}))
                elif command in (k.PRECHARGE, k.PRECHARGE_ALL):
                    self._close(name, cycle)
                else:
                    recovery = rules.tRTP if command == k.READ_AUTO else rules.write_to_precharge
                    self._close(name, max(self._now[name].start + rules.tRAS, cycle + recovery))

    def _follow_bus(self, number: int, commands: Commands) -> None:
        """Follow the reads and writes of a data bus, counted through the channels."""
        name, rules = self._name("data bus", divmod(number, self._sizes["pseudo channel"])), self._rules
        writes = commands.command >= k.WRITE
        ends = commands.cycle + np.where(writes, rules.write_latency, rules.read_latency)
        keys = np.stack([writes, commands.rank % self._sizes["rank"], commands.group, commands.bank])
        new = (ends[1:] != ends[:-1] + self._burst) | (keys[:, 1:] != keys[:, :-1]).any(axis=0)
        firsts = np.flatnonzero(np.concatenate([[True], new]))
        counts = np.diff(firsts, append=len(ends))
        for end, count, key in zip(ends[firsts].tolist(), counts.tolist(), keys[:, firsts].T.tolist(), strict=True):
            place = dict(zip(("rank", "group", "bank"), key[1:], strict=True))
            numbers = {field: number for field, number in place.items() if self._sizes[field] > 1}
            start = end - self._burst
            stretch = _Activity("write" if key[0] else "read", start, start + count * self._burst, numbers, count)
            last = self._now.get(name)
            if last is not None and (last.what, last.end, last.numbers) == (stretch.what, start, numbers):
                self._now[name] = last._replace(end=stretch.end, bursts=last.bursts + count)
            else:
                self._begin(name, stretch)

    def _begin(self, name: str, activity: _Activity) -> None:
        if name in self._now:
            self._tell_of(name, self._now[name], k.NEVER)
        self._now[name] = activity

    def _close(self, name: str, cycle: int) -> None:
        """Let the bank's row, if one is open, be closed from a cycle on."""
        last = self._now.get(name)
        if last is not None and last.end == k.NEVER:
            self._now[name] = last._replace(end=cycle)

    def _tell_of(self, name: str, activity: _Activity, end_ps: int) -> None:
        what, start, end, numbers, bursts = activity
        start_ps, end_ps = ceil(start * self._tck_ps), min(ceil(end * self._tck_ps), end_ps)
        if start_ps < end_ps:
            self._tell(name, what, start_ps, end_ps, {**numbers, "bursts": bursts} if bursts else numbers)

    def _name(self, what: str, place: tuple[int, ...]) -> str:
        """Return the name of a bank or of what a channel has, without fields of a single value."""
        fields = zip(self._sizes.items(), place, strict=False)
        return " ".join([*(f"{name} {n}" for (name, size), n in fields if size > 1 or name == "bank"), what]).strip()
