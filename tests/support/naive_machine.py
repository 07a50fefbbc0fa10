"""The machine once more, said as naively as possible: one cycle after the other, one word after the other.

No events, no closed forms, no running ahead. It shares with the simulator the op table, the modes' laws and the DRAM
controller (`sim.dram`), which has tests of its own and is asked here burst by burst, one each of its clocks; the port
is said again, byte by byte. In one cycle, in this order:

1. results that are due become known, units finish ops and start those whose operands are known;
2. the memory takes the writes handed over in this cycle, then the request of the store, of the load, of the fetch;
3. the lanes take one word of each matrix if it is there.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from plain_cache import PlainCache, Slot

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.column_cache import HIT_CYCLES, LOOKUP_CYCLES, RETURN_CYCLES
from deltatrain.accel.column_fetch import ASK_CYCLES, ROOM_CYCLES
from deltatrain.accel.dram import DramPart
from deltatrain.accel.memory import IdealDevice
from deltatrain.accel.modes import MODES
from deltatrain.accel.program import MODE_NAMES, NO_OP, PHASES, UNITS, Program
from deltatrain.sim.dram.controller import DramChannels, Finished


@dataclass
class Unit:
    """What one unit is about: its ops in order, the one it works on, and what its cycles went into."""

    ops: list[int]
    op: int = NO_OP
    ends: int | None = None
    waited: int = 0
    started: int = 0
    busy: int = 0
    stalls: Counter[str] = field(default_factory=Counter)


@dataclass
class Run:
    """A run of words in the buffer: when those of each matrix passed the port, and where they go back to."""

    op: int
    bytes: int
    times: list[list[int]]
    bursts: list[tuple[int, int]]
    waits_for: int = 0  # matrices of which not all words have passed
    requests: list[Request] = field(default_factory=list)
    without_room: set[int] = field(default_factory=set)  # cycles in which only room was missing to ask for it
    first_asked: int = 0
    asked: int = 0
    words: int = 0
    length: int = 0
    from_cache: bool = False
    out: tuple[int, int, int] | None = None  # address, bytes and words of the line that goes out for it
    behind: int = 0  # lines that must have gone out before
    turn: tuple[int, int, int] = (0, 0, 0)  # op, turn and piece: arrays take runs that share it abreast, word by word
    abreast: int = 1  # runs that share it
    passed: list[list[int]] = field(default_factory=list)  # `times`, of words that were taken too
    slot: Slot | None = None  # its line in the cache
    reads: bool = False  # of that line, to take words or to let them go out
    fills: bool = False  # that line, with words that are taken
    steps: int = 0
    could: int = 0  # the cycle after its last word, for lanes that wait for nothing else
    nothing: bool = False  # a cycle of the fetch and no more
    deltas: int = 1  # that are added to each word, a cycle each
    added: int = 0  # of them, to the word that the lanes hold
    last_passed: int = 0  # the cycle in which the last of its words passed

    @property
    def lane_cycles(self) -> int:
        return self.length * self.deltas

    @property
    def word_is_there(self) -> bool:
        """Whether lanes may take its next word: if they hold words, once all of it is there."""
        return all(self.times) if self.deltas == 1 else not self.waits_for

    def take(self) -> None:
        """Let the lanes add a delta to a word of it."""
        self.added += 1
        if self.added == self.deltas:
            for times in self.times:
                times.pop(0)
            self.words, self.added = self.words + 1, 0


@dataclass
class Request:
    """A request under way: its bursts in order, each with its bytes and the cycle in which they have come."""

    sizes: list[int]
    come: list[int | None]
    word_bytes: int = 0
    taker: Run | None = None  # none takes what a unit loads
    next: int = 0  # burst that has not come
    arrived: int = 0  # bytes
    passed: int = 0
    words: int = 0

    def arrived_bytes(self, now: int) -> int:
        while self.next < len(self.sizes):
            come = self.come[self.next]
            if come is None or come > now:
                break
            self.arrived += self.sizes[self.next]
            self.next += 1
        return self.arrived


@dataclass
class Move:
    """A load or a store: its op, the words that have not been taken, the cycle from which its bytes are there."""

    op: int
    words: int = 0
    there: int | None = None


@dataclass
class Written:
    """A write on its way: when its data have passed the port, whose they are, bytes of the buffer that it frees."""

    request: Request
    passed: int
    freed: int
    move: Move | None  # none for what the lanes write back


class NaiveDram:
    """The controller, offered in each of its clocks the oldest bursts that wait for each of its channels."""

    def __init__(self, part: DramPart, architecture: Architecture) -> None:
        self.channels = DramChannels(part, architecture.remote)
        tick_cycles = Fraction(part.tck_ps * architecture.engine.clock_hz, 10**12)
        self.cycles, self.ticks = tick_cycles.as_integer_ratio()  # as many cycles last as long as these clocks
        self.burst = self.channels.map.burst_bytes
        self.doors: list[deque[tuple[int, bool, Request, int]]] = [deque() for _ in range(architecture.remote.channels)]
        self.accepts = architecture.remote.accepts_per_clock
        self.tickets: dict[int, tuple[bool, Request, int]] = {}
        self.next_ticket = 0
        self.clock = self.quiet_until = 0
        self.asked: list[tuple[int, int, bool]] = []

    def ask(self, address: int, size: int, write: bool) -> Request:
        """Return the request for bytes, from now on at the controller's door."""
        found = Request([], [])
        end = address + size
        starts = [address, *range((address // self.burst + 1) * self.burst, end, self.burst)]
        channels = self.channels.map.places(np.array(starts)).channel.tolist()
        for number, (channel, start, stop) in enumerate(zip(channels, starts, [*starts[1:], end], strict=True)):
            self.doors[channel].append((start, write, found, number))
            found.sizes.append(stop - start)
            found.come.append(None)
        return found

    def until(self, cycle: int) -> None:
        """Let all clocks pass that begin before an engine cycle does."""
        self.until_clock(-(-cycle * self.ticks // self.cycles))

    def until_clock(self, end: int) -> None:
        """Let all clocks before `end` pass."""
        while self.clock < end:
            if not any(self.doors):
                self.clock = end
            elif sum(self.offer(door) for door in self.doors for _ in range(self.accepts)):
                self.clock += 1
                self.quiet_until = 0
            else:  # not before a command has made room
                self.clock = min(end, self.channels.next_event() + 1)
        if self.tickets and self.clock > self.quiet_until:
            self.note(self.channels.advance(self.clock))
            self.quiet_until = self.channels.next_event()  # nothing is finished before, unless something is asked

    def offer(self, door: deque[tuple[int, bool, Request, int]]) -> bool:
        """Offer the oldest burst at a door; tell whether it was taken."""
        if not door:
            return False
        address, write, request, number = door[0]
        if not self.channels.offer(self.clock, address, write):
            return False
        door.popleft()
        self.asked.append((self.clock, address, write))
        self.tickets[self.next_ticket] = (write, request, number)
        self.next_ticket += 1
        if write:
            request.come[number] = self.cycle(self.clock + 1)
        return True

    def finish(self) -> int:
        while any(self.doors):
            self.until_clock(self.clock + 1)
        self.note(self.channels.finish())
        return self.cycle(self.channels.last_data)

    def note(self, found: Finished) -> None:
        for ticket, done in zip(found.ticket.tolist(), found.done.tolist(), strict=True):
            write, request, number = self.tickets.pop(ticket)
            if not write:
                request.come[number] = self.cycle(done)

    def cycle(self, clock: int) -> int:
        return -(-clock * self.cycles // self.ticks)


class NaiveIdeal:
    def __init__(self, device: IdealDevice, architecture: Architecture) -> None:
        self.period = Fraction(10**12, architecture.engine.clock_hz)
        self.latency, self.now, self.last = device.latency_ps, 0, 0

    def ask(self, address: int, size: int, write: bool) -> Request:
        come = -(-(self.now * self.period + self.latency) // self.period)
        if write:
            self.last = max(self.last, come)
        return Request([size], [come])

    def until(self, cycle: int) -> None:
        self.now = cycle

    def finish(self) -> int:
        return self.last


class NaiveMachine:
    def __init__(self, program: Program) -> None:
        self.program, self.ops = program, program.ops
        architecture = program.architecture
        device, self.dma = architecture.device, architecture.dma
        self.arrays = architecture.engine.arrays
        self.buffer_bytes = architecture.tiles.count * self.dma.buffer_bytes
        self.memory = (NaiveDram if isinstance(device, DramPart) else NaiveIdeal)(device, architecture)
        self.vector_word = (
            architecture.tiles.count * architecture.engine.lanes * architecture.engine.formats.activation.bytes
        )
        self.unit_of = [UNITS[u] for u in program.unit]
        self.units = {name: Unit([i for i, u in enumerate(self.unit_of) if u == name]) for name in UNITS}
        self.mode = [MODE_NAMES[m] for m in self.ops.mode]
        self.phase = [PHASES[p] for p in self.ops.phase]
        self.depends = [[d for d in row if d != NO_OP] for row in self.ops.depends.tolist()]
        self.last_phase = next((self.phase[i] for i in reversed(self.units["engine"].ops)), PHASES[-1])
        self.issue, self.drain = program.issue_cycles.tolist(), program.drain_cycles.tolist()
        off_chip = [self.drain[op] for op in range(len(self.drain)) if program.remote_word_bytes[op]]
        self.out_drain = min(off_chip, default=0)
        self.done: dict[int, int] = {}
        self.start: dict[int, int] = {}
        self.due: dict[int, list[int]] = {}
        self.phase_busy: Counter[str] = Counter()
        self.phase_stalls: dict[str, Counter[str]] = {name: Counter() for name in PHASES}
        self.requests: list[tuple[int, str, int, int]] = []
        self.writing_modes = {name for name in MODE_NAMES if getattr(MODES.load(name), "WRITES_BACK", False)}
        # the port
        self.write_free = 0
        self.reads: deque[Request] = deque()
        self.writes: deque[Written] = deque()
        self.load_words = 0
        self.read_bytes = self.write_bytes = 0
        self.last_write = 0
        self.posts: deque[tuple[int, int, int, int, bool]] = deque()
        self.on_way: dict[str, list[Move]] = {"load": [], "store": []}
        # the fetch, the buffer and the lanes
        self.to_fetch = [i for i in self.units["engine"].ops if self.matrices(i)]
        self.streamed = {i for i in self.to_fetch if self.pieces_of(i)}
        self.fetching: deque[Run] = deque()
        self.asking: list[tuple[int, int, int]] = []
        self.last_writer: dict[int, int] = {}
        self.used = 0
        self.releases: Counter[int] = Counter()
        self.arrived: deque[Run] = deque()
        self.words_left = 0
        self.free = 0
        self.cache = PlainCache(program) if program.cache else None
        self.outs = self.look_from = 0
        self.gone: Counter[int] = Counter()
        self.starved: Counter[str] = Counter()

    def run(self) -> int:
        cycle = 0
        while len(self.done) < len(self.ops) or self.posts or self.writes:
            self.one_cycle(cycle)
            cycle += 1
            assert cycle < 10**7, "the naive machine hangs"
        total = max([*self.done.values(), self.last_write, self.memory.finish()], default=0)
        self.memory.until(total + self.dma.request_cycles)
        if isinstance(self.memory, NaiveDram):
            self.memory.channels.advance(self.memory.clock)
        for unit in self.units.values():
            unit.stalls["end"] += total - unit.busy - sum(unit.stalls.values())
        spent = sum(self.phase_busy.values()) + sum(sum(s.values()) for s in self.phase_stalls.values())
        self.phase_stalls[self.last_phase]["end"] += total - spent
        return total

    def one_cycle(self, now: int) -> None:
        self.memory.until(now + self.dma.request_cycles)
        self.taken()
        for op in self.due.pop(now, []):
            self.done[op] = now
        self.used -= self.releases.pop(now, 0)
        self.outs += self.gone.pop(now, 0)
        changed = True
        while changed:
            changed = False
            for name, unit in self.units.items():
                changed |= self.finish_or_start(name, unit, now)
        while self.posts and self.posts[0][0] == now:
            _, address, size, freed, is_out = self.posts.popleft()
            self.write(now, address, size, None, freed)
            self.gone[now + 1] += is_out
        for name in ("store", "load"):
            unit = self.units[name]
            if unit.op != NO_OP and unit.started == now:
                self.transfer(name, unit, now)
        self.fetch(now)
        self.taken()
        self.pass_port(now)
        self.lanes(now)
        self.loads(now)
        for unit in self.units.values():
            if unit.op == NO_OP and unit.ops:
                unit.waited += 1

    # --- units

    def finish_or_start(self, name: str, unit: Unit, now: int) -> bool:
        changed = False
        if unit.op != NO_OP and unit.ends is None and self.on_way.get(name) and unit.started < now:
            unit.ends = now if self.has_moved(name, unit, now) else None
        if unit.op != NO_OP and unit.ends == now:
            op = unit.op
            unit.busy += self.issue[op]
            unit.stalls["stream"] += now - unit.started - self.issue[op]
            if name == "engine":
                self.phase_busy[self.phase[op]] += self.issue[op]
                self.phase_stalls[self.phase[op]]["stream"] += now - unit.started - self.issue[op]
            if name in self.on_way:
                pass  # done when its bytes are there
            elif self.drain[op]:
                self.due.setdefault(now + self.drain[op], []).append(op)
            else:
                self.done[op] = now
            unit.op, changed = NO_OP, True
        if unit.op == NO_OP and unit.ops:
            needed = self.depends[unit.ops[0]]
            if all(d in self.done for d in needed):
                self.begin(name, unit, needed, now)
                changed = True
        return changed

    def begin(self, name: str, unit: Unit, needed: list[int], now: int) -> None:
        op = unit.op = unit.ops.pop(0)
        self.start[op] = unit.started = now
        if unit.waited:
            last = max(self.done[d] for d in needed)
            cause = max((self.unit_of[d] for d in needed if self.done[d] == last), key=UNITS.index)
            unit.stalls[cause] += unit.waited
            if name == "engine":
                self.phase_stalls[self.phase[op]][cause] += unit.waited
            unit.waited = 0
        if op in self.streamed:
            self.words_left, unit.ends = self.issue[op], None
        elif name in ("load", "store"):
            unit.ends = None
        else:
            unit.ends = now + self.issue[op]

    # --- the port

    def transfer(self, name: str, unit: Unit, now: int) -> None:
        address, size = int(self.ops.address[unit.op]), int(self.ops.count[unit.op])
        move = Move(unit.op)
        self.on_way[name].append(move)
        if name == "store":
            self.write(now, address, size, move)
        else:
            move.words = -(-size // self.vector_word)
            self.read(now, address, size, self.vector_word, None)

    def has_moved(self, name: str, unit: Unit, now: int) -> bool:
        """Tell whether the unit may ask for the next: so many or more may not be on their way."""
        others = sum(move.there is None or move.there > now for move in self.on_way[name])
        return now >= unit.started + self.issue[unit.op] and others < self.dma.in_flight

    def there(self, move: Move, cycle: int) -> None:
        move.there = cycle
        self.due.setdefault(cycle + self.drain[move.op], []).append(move.op)

    def read(self, now: int, address: int, size: int, word_bytes: int, taker: Run | None) -> None:
        self.requests.append((now, "read", address, size))
        self.read_bytes += size
        request = self.memory.ask(address, size, False)
        request.word_bytes, request.taker = word_bytes, taker
        if taker is not None:
            taker.requests.append(request)
        self.reads.append(request)

    def pass_port(self, now: int) -> None:
        """Let a width of what has come of the oldest request pass."""
        if not self.reads:
            return
        request = self.reads[0]
        size = sum(request.sizes)
        request.passed = min(request.passed + self.dma.bytes_per_cycle, max(request.passed, request.arrived_bytes(now)))
        words = -(-size // request.word_bytes) if request.passed == size else request.passed // request.word_bytes
        for number in range(request.words, words):
            if request.taker is None:
                self.load_words += 1
            else:
                request.taker.times[-request.taker.waits_for].append(now)
                request.taker.could = max(request.taker.could, now + request.taker.length - number)
        request.words = words
        if request.passed == size:
            self.reads.popleft()
            if request.taker is not None:
                request.taker.waits_for -= 1
                request.taker.last_passed = now

    def loads(self, now: int) -> None:
        """Let the load unit take a word, or one for each tile, of its oldest load."""
        if self.load_words:
            self.load_words -= 1
            move = next(move for move in self.on_way["load"] if move.there is None)
            move.words -= 1
            if not move.words:
                self.there(move, now + 1)

    def write(self, now: int, address: int, size: int, move: Move | None, freed: int = 0) -> None:
        self.requests.append((now, "write", address, size))
        self.write_bytes += size
        cycle = max(now, self.write_free)
        left = size
        while left > 0:
            left -= self.dma.bytes_per_cycle
            cycle += 1
        self.write_free = cycle
        self.writes.append(Written(self.memory.ask(address, size, True), cycle + self.dma.request_cycles, freed, move))

    def taken(self) -> None:
        """Tell of the writes that the memory has queued whole, one a cycle, when they were."""
        while self.writes and None not in self.writes[0].request.come:
            write = self.writes.popleft()
            self.last_write = max(write.passed, *write.request.come, self.last_write + 1)
            if write.move is not None:
                self.there(write.move, self.last_write + 1)
            else:
                self.releases[self.last_write + ROOM_CYCLES] += write.freed

    # --- columns

    def matrices(self, op: int) -> list[int]:
        named = [int(self.ops.tensor[op]), int(self.ops.second_tensor[op])]
        return [index for index in named if index >= 0 and self.program.tensors[index].remote]

    def writes_back(self, op: int) -> bool:
        return self.mode[op] in self.writing_modes and not self.is_cached(op)

    def is_cached(self, op: int) -> bool:
        return self.cache is not None and self.ops.second_tensor[op] < 0

    def runs_of(self, op: int) -> list[Run]:
        """Return what the fetch works through for an op; with a cache, tags are looked up now."""
        if self.cache is None or not self.pieces_of(op):
            return self.pieces_of(op)
        if self.is_cached(op):
            return self.looked_up(op)
        flushed = []
        for slot in self.cache.scan():
            out = (0, 0, 0) if slot is None else self.cache.places[slot.run]
            run = Run(op, out[1], [[]], [], 0, from_cache=True, out=out, slot=slot, reads=True, nothing=slot is None)
            flushed.append(run)
        pieces = self.pieces_of(op)
        for run in pieces:
            run.behind = self.cache.gone
        return flushed + pieces

    def looked_up(self, op: int) -> list[Run]:
        (index,), found = self.matrices(op), []
        for column, entries in itertools.groupby(self.cache.columns(op)):
            deltas = len(list(entries))
            for number in self.cache.numbers[index, column]:
                hit, out, behind = self.cache.look_up(op, column, number, written=self.mode[op] in self.writing_modes)
                address, size, words = self.cache.places[number]
                held = size // words if hit else size
                run = Run(op, held, [[0] * words * hit], [(address, size)], not hit, length=words)
                run.from_cache, run.behind, run.slot, run.deltas = hit, behind, self.cache.slot, deltas
                run.reads, run.fills = hit or out is not None, not hit or self.mode[op] in self.writing_modes
                if out is not None:
                    run.out = self.cache.places[out]
                    run.bytes = max(size, run.out[1])
                found.append(run)
        return found

    def pieces_of(self, op: int) -> list[Run]:
        tensors = [self.program.tensors[index] for index in self.matrices(op)]
        together = sum(t.word_bytes for t in tensors)
        runs = []
        begin, queues = int(self.ops.list_start[op]), [list[int]() for _ in range(self.arrays)]
        listed = self.program.columns[begin : begin + int(self.ops.count[op])].tolist()
        entries = {column: len(list(each)) for column, each in itertools.groupby(listed)}
        for column in entries:
            queues[column % self.arrays].append(column)
        for turn, array in itertools.product(range(max(map(len, queues))), range(self.arrays)):
            if turn >= len(queues[array]):
                continue
            column = queues[array][turn]
            first, length = int(tensors[0].first_words[column]), int(tensors[0].column_words[column])
            words = list(range(first, first + length))
            most = self.buffer_bytes // (2 * self.arrays) // together
            for piece in itertools.count():
                now, words = words[:most], words[most:]
                if not now:
                    break
                bursts = [(t.address + now[0] * t.word_bytes, len(now) * t.word_bytes) for t in tensors]
                run = Run(op, together * len(now), [[] for _ in bursts], bursts, len(bursts), length=len(now))
                run.turn, run.deltas = (op, turn, piece), entries[column]
                runs.append(run)
        runs.sort(key=lambda run: run.turn)
        shared = Counter(run.turn for run in runs)
        for run in runs:
            run.abreast = shared[run.turn]
        return runs

    def fetch(self, now: int) -> None:
        if not self.asking:
            if not self.fetching and self.to_fetch:
                op = self.to_fetch[0]
                tensors = self.ops.tensor[op], self.ops.second_tensor[op]
                awaited = [int(self.ops.list_from[op])] + [self.last_writer.get(int(t), NO_OP) for t in tensors]
                if all(w == NO_OP or w in self.done for w in awaited):
                    self.to_fetch.pop(0)
                    # If nothing fired, it takes a cycle to find that.
                    self.fetching = deque(self.runs_of(op) or [Run(op, 0, [], [], nothing=True)])
                    known = max((self.done[w] for w in awaited if w != NO_OP), default=0)
                    self.look_from = known + (ASK_CYCLES if self.cache is None else LOOKUP_CYCLES)
                    if self.writes_back(op):
                        self.last_writer |= {int(t): op for t in tensors if t >= 0}
            if not self.fetching or now < self.look_from or self.outs < self.fetching[0].behind:
                return
            if self.fetching[0].nothing:
                self.fetching.popleft()
                return
            run, in_flight = self.fetching[0], sum(run.waits_for > 0 for run in self.arrived)
            full = self.used + run.bytes > self.buffer_bytes
            if full or (in_flight == self.dma.columns_in_flight and not run.from_cache):
                run.without_room.add(now)
            elif run.from_cache:
                self.used += run.bytes
                run.asked = run.first_asked = now
                self.arrived.append(self.fetching.popleft())
            else:
                self.used += run.bytes
                run.first_asked = now
                words = [self.program.tensors[index].word_bytes for index in self.matrices(run.op)]
                self.asking = [(*burst, word) for burst, word in zip(run.bursts, words, strict=True)]
        if self.asking:
            run = self.fetching[0]
            self.read(now, *self.asking.pop(0), run)
            run.asked = now
            if not self.asking:
                self.arrived.append(self.fetching.popleft())

    def lacked(self, run: Run, begin: int, end: int) -> None:
        """Tell why the lanes had no word of a run, in cycles that are reckoned before all of its words."""
        come = max((cycle or 0 for request in run.requests for cycle in request.come), default=0)
        for now in range(begin, end):
            if now in run.without_room:
                self.starved["buffer"] += 1
            elif now < run.asked:
                self.starved["list"] += 1
            elif self.cache is not None and (run.from_cache or now >= max(come, self.could_begin(run))):
                self.starved["cache"] += 1
            else:
                self.starved["memory" if now < come else "port"] += 1

    def could_begin(self, run: Run) -> int:
        return run.could - run.length if run.deltas == 1 else run.last_passed

    def lanes(self, now: int) -> None:
        if self.arrived and self.cache is not None:
            self.take_step(now)
        elif self.arrived:
            self.take_abreast(now) if self.arrived[0].deltas == 1 else self.take_held(self.arrived[0], now)

    def take_held(self, run: Run, now: int) -> None:
        """Add a delta to the word of a run that the lanes hold; there is one array."""
        if not self.words_left or not run.word_is_there:
            return
        run.take()
        self.words_left -= 1
        if run.words == run.length:
            self.lacked(run, max(self.free, self.units["engine"].started), now + 1 - run.lane_cycles)
            self.free = now + 1
            self.goes_back(self.arrived.popleft(), self.free)
        if not self.words_left:
            self.units["engine"].ends = self.free

    def take_abreast(self, now: int) -> None:
        """Take a word of each run that arrays take together."""
        first, unit = self.arrived[0], self.units["engine"]
        runs = [run for run in itertools.islice(self.arrived, first.abreast) if run.turn == first.turn]
        if not self.words_left or len(runs) < first.abreast:
            return
        longest, taking = max(run.length for run in runs), [run for run in runs if run.words < run.length]
        if not all(all(run.times) for run in taking):
            return
        for run in taking:
            for times in run.times:
                run.passed.append([times.pop(0), longest - run.words])
            run.words += 1
        self.words_left -= 1
        if all(run.words == run.length and not run.waits_for for run in runs):
            assert first.op == unit.op
            # What lanes lacked is what they lacked of the run that held them up longest: by when it lets the last go.
            held_up = [max((now + left for now, left in run.passed), default=0) for run in runs]
            self.lacked(runs[held_up.index(max(held_up))], max(self.free, unit.started), now + 1 - longest)
            self.free = now + 1
            for _ in runs:
                self.goes_back(self.arrived.popleft(), self.free)
        if not self.words_left:
            unit.ends = self.free

    def take_step(self, now: int) -> None:
        """Take a word of the run in front, let a word of its line go out of the cache, or both."""
        run, unit = self.arrived[0], self.units["engine"]
        if not run.steps and not self.may_step(run, now):
            return
        if run.out is None or run.steps >= run.out[2] - run.length:
            if not self.words_left or not run.word_is_there:
                return
            run.take()
            self.words_left -= 1
            if run.fills:
                run.slot.filled = now
        run.steps += 1
        if run.steps == run.lane_cycles + (max(run.out[2] - run.length, 0) if run.out else 0):
            self.arrived.popleft()
            if run.length:
                assert run.op == unit.op
                self.lacked(run, max(self.free, unit.started), now + 1 - run.lane_cycles)
                self.free = now + 1
            self.goes_back(run, now + 1)
        if run.words and not self.words_left:
            unit.ends = self.free

    def may_step(self, run: Run, now: int) -> bool:
        """Tell whether the first step of a run may be: its line was addressed after what it holds had been written."""
        written = run.slot.filled + RETURN_CYCLES if run.reads else 0
        return now >= run.first_asked + HIT_CYCLES and (not run.reads or now > written + 1)

    def goes_back(self, run: Run, end: int) -> None:
        """Let a run go back, or leave the buffer, whose last step was in the cycle before `end`."""
        handed_over = end + (self.out_drain if run.out else self.drain[run.op])
        if run.out:
            self.posts.append((handed_over, *run.out[:2], run.out[1], True))
            self.releases[end - 1 + ROOM_CYCLES] += run.bytes - run.out[1]
        elif self.writes_back(run.op):
            self.posts += [(handed_over, *burst, burst[1], False) for burst in run.bursts]
        else:
            self.releases[end - 1 + ROOM_CYCLES] += run.bytes
