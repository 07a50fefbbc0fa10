"""The DRAM controller once more, as plain as it is meant: in every cycle it looks at its whole queue.

Distances between commands are those of the checker's table, so this shares nothing with the kernel but the names of
commands. One channel; whoever has several runs one for each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dram_checker import READS, ROW_COMMANDS, WRITES, rules

from deltatrain.accel.dram import DramController, DramPart
from deltatrain.accel.dram_refresh import refreshes_of
from deltatrain.sim.dram.address_map import AddressMap
from deltatrain.sim.dram.requests import Requests

Place = tuple[int, int, int]
"""Rank, group, bank."""
_REFRESH = {"all_bank": "REF", "per_bank": "REFpb", "same_bank": "REFsb"}
_LONG_AGO = -(10**9)


@dataclass
class Request:
    ticket: int
    cycle: int
    burst: int
    place: Place
    row: int
    write: bool
    accepted: int = -1
    done: int = -1
    met: str = "hits"


@dataclass
class Bank:
    row: int | None = None
    bypasses: int = 0
    opened: int = _LONG_AGO
    closes: int = _LONG_AGO  # when a precharge by itself may begin at the earliest
    closed: int = _LONG_AGO  # when the last precharge began
    recovered: int = _LONG_AGO
    refreshing: bool = False


@dataclass
class Rank:
    due: int
    waits: bool = False
    next_set: int = 0
    refreshed: set[int] = field(default_factory=set)
    activates: list[int] = field(default_factory=list)


def naive_channels(
    part: DramPart, controller: DramController, layout: AddressMap, asked: Requests
) -> list[NaiveChannel]:
    """Return the channels, each with its requests."""
    places = layout.places(asked.addresses)
    own: list[list[Request]] = [[] for _ in range(controller.channels)]
    group = places.group % part.bank_groups
    bank = places.bank % part.banks_per_group
    columns = (asked.cycles, places.burst, places.channel, places.rank, group, bank, places.row)
    rows = zip(*(column.tolist() for column in (*columns, asked.writes)), strict=True)
    for ticket, (cycle, burst, channel, *place, row, write) in enumerate(rows):
        rank, of_rank, number = place
        own[channel].append(Request(ticket, cycle, burst, (rank, of_rank, number), row, write))
    return [NaiveChannel(part, controller, requests) for requests in own]


class NaiveChannel:
    """A channel and the requests that it is handed, in their order.

    Attributes
    ----------
    commands
        Cycle, name, rank, group, bank, row of each.
    counts
        How often what happened.
    """

    def __init__(self, part: DramPart, controller: DramController, requests: Iterable[Request]) -> None:
        self.part, self.controller = part, controller
        self.waiting, self.queue = list(requests), list[Request]()
        self.commands = list[tuple[int, str, int, int, int, int]]()
        self.counts: dict[str, int] = defaultdict(int)
        self._refresh = refreshes_of(part)[controller.refresh]
        self._banks: dict[Place, Bank] = defaultdict(Bank)
        interval, ranks = self._refresh.refresh_interval, controller.ranks
        numbers = range(controller.pseudo_channels * ranks)
        self._ranks = [Rank(interval * (n % ranks + 1) // ranks) for n in numbers]
        self._before = defaultdict(list)
        for rule in rules(part):
            for after in rule.after:
                self._before[after] += [(kind, rule.where, rule.clocks) for kind in rule.before]
        self._last: dict[tuple[str, str, tuple[int, ...]], int] = {}
        self._bus_free = {True: 0, False: 0}  # that of row commands, that of column commands
        self._wrote = False

    def run(self, end: int | None = None) -> None:
        """Let the cycles before `end` pass, or those until all is served."""
        cycle = self._now = getattr(self, "_now", 0)
        while cycle < end if end is not None else self.waiting or self.queue:
            self._let_in(cycle)
            self._begin_refreshes(cycle)
            while (command := self._next(cycle)) is not None:
                self._issue(cycle, *command)
            cycle += 1
            if not self.queue and not any(rank.waits for rank in self._ranks):
                events = [rank.due for rank in self._ranks] + [request.cycle for request in self.waiting[:1]]
                cycle = max(cycle, min(events) if end is None else min(*events, end))
        self._now = cycle

    # ------------------------------------------------------------------------------------- requests come in

    def _let_in(self, cycle: int) -> None:
        for _ in range(self.controller.accepts_per_clock):
            if not self.waiting or self.waiting[0].cycle > cycle or not self._takes(self.waiting[0]):
                return
            new = self.waiting.pop(0)
            new.accepted = cycle
            if self._queued(new.burst, True):
                new.done = cycle + 1
                self.counts["merged" if new.write else "forwarded"] += 1
            else:
                self.queue.append(new)

    def _queued(self, burst: int, write: bool) -> bool:
        return any(request.burst == burst and request.write == write for request in self.queue)

    def _takes(self, new: Request) -> bool:
        most = self.controller.write_queue if new.write else self.controller.read_queue
        full = sum(request.write == new.write for request in self.queue) >= most
        return not (new.write and self._queued(new.burst, False)) and (not full or self._queued(new.burst, True))

    # ------------------------------------------------------------------------------------- what comes next

    def _begin_refreshes(self, cycle: int) -> None:
        for number, rank in enumerate(self._ranks):
            if rank.due <= cycle and not rank.waits:
                sets = [n for n in range(self._refresh.refresh_sets) if n not in rank.refreshed]
                wanted = [sum(r.place[0] == number and self._set(r.place) == n for r in self.queue) for n in sets]
                rank.next_set, rank.waits = sets[wanted.index(min(wanted))], True
                for place in self._of_set(number):
                    self._banks[place].refreshing = True

    def _set(self, place: Place) -> int:
        return (place[1] * self.part.banks_per_group + place[2]) % self._refresh.refresh_sets

    def _of_set(self, rank: int) -> list[Place]:
        groups, banks = range(self.part.bank_groups), range(self.part.banks_per_group)
        places = [(rank, group, bank) for group in groups for bank in banks]
        return [place for place in places if self._set(place) == self._ranks[rank].next_set]

    def _next(self, cycle: int) -> tuple[str, Place, Request | None] | None:
        """Return the command of a cycle: a refresh goes first, then a column, then the oldest request."""
        for number in reversed(range(len(self._ranks))):
            if self._ranks[number].waits:
                kind, place = self._step_of_refresh(number)
                if self._can(kind, place, cycle):
                    return kind, place, None
        wanted = list(self._wanted(self._writes_next()))
        columns = [w for w in wanted if w[0] in READS | WRITES]
        for kind, request in [*columns, *(w for w in wanted if w not in columns)]:
            if self._can(kind, request.place, cycle):
                return kind, request.place, request
        return None

    def _step_of_refresh(self, rank: int) -> tuple[str, Place]:
        places = self._of_set(rank)
        opened = [place for place in places if self._banks[place].row is not None]
        kind = _REFRESH[self.controller.refresh]
        if not opened:
            return kind, places[0]
        if kind == "REF":
            return "PREA", places[0]
        return "PRE", min(opened, key=lambda place: self._banks[place].closes)

    def _writes_next(self) -> bool:
        writes = sum(request.write for request in self.queue)
        enough = writes > self.controller.write_low if self._wrote else writes >= self.controller.write_high
        return enough or (writes > 0 and writes == len(self.queue))

    def _wanted(self, write: bool) -> Iterator[tuple[str, Request]]:
        """Yield the command that each bank's queued requests want, by the age of the request."""
        queue = [request for request in self.queue if request.write == write]
        for n, request in enumerate(queue):
            bank = self._banks[request.place]
            own = [other for other in queue if other.place == request.place]
            hits = [other for other in own if other.row == bank.row]
            others = [other for other in own if other.row != bank.row]
            if bank.refreshing:
                continue
            if bank.row is None:
                if request is own[0]:
                    yield "ACT", request
                continue
            over = bool(hits and others and others[0].ticket < hits[0].ticket)
            leave = over and bank.bypasses >= self.controller.most_bypasses
            if hits and not leave:
                if request is hits[0]:
                    yield self._column(queue[n], bank, over, len(hits) == 1), request
            elif request is others[0]:
                yield "PRE", request

    def _column(self, request: Request, bank: Bank, over: bool, last: bool) -> str:
        return "WR" if request.write else "RD"

    # ------------------------------------------------------------------------------------- when it can be

    def _clocks(self, kind: str) -> int:
        return {"ACT": self.part.activate_clocks}.get(kind, self.part.column_clocks if kind in READS | WRITES else 1)

    def _on_row_bus(self, kind: str) -> bool:
        return self.part.row_bus and kind in ROW_COMMANDS

    def _can(self, kind: str, place: Place, cycle: int) -> bool:
        """Tell whether a command keeps all distances in a cycle."""
        rank, group, bank = place
        if cycle < self._bus_free[self._on_row_bus(kind)]:
            return False
        first = rank - rank % self.controller.ranks
        others = [(n,) for n in range(first, first + self.controller.ranks) if n != rank]
        shared = {"bank": [place], "bank of any group": [(rank, bank)], "group": [(rank, group)], "rank": [(rank,)]}
        shared["other rank"] = others
        for before, where, clocks in self._before[kind]:
            scope = "rank" if where == "other rank" else where
            if any(cycle < self._last.get((before, scope, each), _LONG_AGO) + clocks for each in shared[where]):
                return False
        t, activates = self.part.timing, self._ranks[rank].activates
        if kind == "ACT":
            full = len(activates) >= 4 and cycle < activates[-4] + t.tFAW
            return not full and cycle >= self._banks[place].closed + t.tRP
        if kind in ("PREA", "REF"):
            precharge = t.tRP if kind == "REF" else 0
            return all(cycle >= b.closed + precharge for p, b in self._banks.items() if p[0] == rank)
        if kind in ("REFpb", "REFsb"):
            return all(cycle >= self._banks[p].closed + t.tRP for p in self._of_set(rank))
        return True

    # ------------------------------------------------------------------------------------- what it changes

    def _issue(self, cycle: int, kind: str, place: Place, request: Request | None) -> None:
        rank, group, number = place
        bank, t = self._banks[place], self.part.timing
        row = bank.row if kind == "PRE" else -1
        if request is not None:
            self._wrote = request.write
            row = bank.row if kind == "PRE" else request.row
            if kind == "ACT" and request.met == "hits":
                request.met = "misses"
            elif kind == "PRE":
                request.met = "conflicts"
        if kind == "ACT":
            bank.row, bank.bypasses, bank.opened, bank.closes = row, 0, cycle, cycle + t.tRAS
            self._ranks[rank].activates.append(cycle)
        elif kind == "PRE":
            bank.row, bank.closed = None, cycle
        elif kind == "PREA":
            for each in self._of_set(rank):
                if self._banks[each].row is not None:
                    self._banks[each].row, self._banks[each].closed = None, cycle - t.tRP + t.tRPab
                    self.counts["precharges"] += 1
        elif kind in _REFRESH.values():
            self._end_refresh(rank)
        elif request is not None:
            kind = self._serve(cycle, bank, request)
        self._bus_free[self._on_row_bus(kind)] = cycle + self._clocks(kind)
        scopes = {"bank": place, "bank of any group": (rank, number), "group": (rank, group), "rank": (rank,)}
        for where, each in scopes.items():
            self._last[kind, where, each] = cycle
        name = {"ACT": "activates", "PRE": "precharges"}.get(kind, "refreshes" if kind.startswith("REF") else "")
        self.counts[name] += 1
        everywhere = kind in ("PREA", "REF")
        group = -1 if everywhere or kind == "REFsb" else group
        self.commands.append((cycle, kind, rank, group, -1 if everywhere else number, -1 if row is None else row))

    def _end_refresh(self, number: int) -> None:
        rank = self._ranks[number]
        for place in self._of_set(number):
            self._banks[place].refreshing = False
        rank.due, rank.waits = rank.due + self._refresh.refresh_interval, False
        rank.refreshed = (
            (rank.refreshed | {rank.next_set}) if len(rank.refreshed) + 1 < self._refresh.refresh_sets else set()
        )

    def _serve(self, cycle: int, bank: Bank, request: Request) -> str:
        """Read or write a burst; return the command, which closes the row where rows are closed and none wants it."""
        t, data = self.part.timing, self.part.burst_cycles
        own = [o for o in self.queue if (o.place, o.write) == (request.place, request.write) and o is not request]
        over = any(o.row != bank.row and o.ticket < request.ticket for o in own)
        bank.bypasses += over
        wanted = any(o.row == bank.row for o in own) and not over
        written = cycle + t.CWL + t.tDQSS + data
        request.done = written if request.write else cycle + t.CL + t.tDQSCK + data
        bank.closes = max(bank.closes, written + t.tWR if request.write else cycle + t.tRTP)
        if request.write:
            bank.recovered = written + t.tWR
        self.queue.remove(request)
        self.counts[request.met] += 1
        self.counts["write_bursts" if request.write else "read_bursts"] += 1
        kind = "WR" if request.write else "RD"
        if self.controller.row_policy == "open" or wanted:
            return kind
        if not request.write and bank.recovered > cycle + t.tRTP:
            return kind
        bank.row, bank.closed = None, bank.closes
        self.counts["precharges"] += 1
        return kind + "A"
