"""The machine once more, said as naively as possible: one cycle after the other, one word after the other.

No events, no closed forms, no running ahead. It shares with the simulator the op table, the modes' laws and the memory
behind the port (`sim.memory`), which has tests of its own. In one cycle, in this order:

1. results that are due become known, units finish ops and start those whose operands are known;
2. the memory takes the writes handed over in this cycle, then the request of the store, of the load, of the fetch;
3. the lanes take one word of each matrix if it is there.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from accel.memory import DramDevice
from accel.modes import MODES
from accel.program import MODE_NAMES, NO_OP, PHASES, UNITS, Program
from sim.memory.dram import Dram, Piece
from sim.memory.ideal import Ideal


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
    """A run of words in the buffer: when each may be taken, and where it goes back to."""

    op: int
    bytes: int
    times: list[int]
    bursts: list[tuple[int, int]]


class NaiveMachine:
    def __init__(self, program: Program) -> None:
        self.program, self.ops = program, program.ops
        architecture = program.architecture
        device, self.dma = architecture.device, architecture.dma
        self.period = architecture.engine.period_ps
        self.buffer_bytes = architecture.tiles.count * self.dma.buffer_bytes
        self.memory = Dram(device, architecture.remote.bus_bits) if isinstance(device, DramDevice) else Ideal(device)
        self.unit_of = [UNITS[u] for u in program.unit]
        self.units = {name: Unit([i for i, u in enumerate(self.unit_of) if u == name]) for name in UNITS}
        self.mode = [MODE_NAMES[m] for m in self.ops.mode]
        self.phase = [PHASES[p] for p in self.ops.phase]
        self.depends = [[d for d in row if d != NO_OP] for row in self.ops.depends.tolist()]
        self.last_phase = next((self.phase[i] for i in reversed(self.units["engine"].ops)), PHASES[-1])
        self.issue, self.drain = program.issue_cycles.tolist(), program.drain_cycles.tolist()
        self.done: dict[int, int] = {}
        self.start: dict[int, int] = {}
        self.due: dict[int, list[int]] = {}
        self.phase_busy: Counter[str] = Counter()
        self.phase_stalls: dict[str, Counter[str]] = {name: Counter() for name in PHASES}
        self.requests: list[tuple[int, str, int, int]] = []
        self.writing_modes = {name for name in MODE_NAMES if getattr(MODES.load(name), "WRITES_BACK", False)}
        # the port
        self.read_free = self.write_free = 0
        self.read_bytes = self.write_bytes = 0
        self.last_write = 0
        self.posts: deque[tuple[int, int, int]] = deque()
        self.on_way: dict[str, list[int]] = {"load": [], "store": []}
        # the fetch, the buffer and the lanes
        self.to_fetch = [i for i in self.units["engine"].ops if self.matrices(i)]
        self.streamed = {i for i in self.to_fetch if self.runs_of(i)}
        self.fetching: deque[Run] = deque()
        self.asking: list[tuple[int, int, int]] = []
        self.last_writer: dict[int, int] = {}
        self.used = 0
        self.releases: Counter[int] = Counter()
        self.arrived: deque[Run] = deque()
        self.words_left = 0

    def run(self) -> int:
        cycle = 0
        while len(self.done) < len(self.ops) or self.posts:
            self.one_cycle(cycle)
            cycle += 1
            assert cycle < 10**7, "the naive machine hangs"
        total = max([*self.done.values(), self.last_write], default=0)
        for unit in self.units.values():
            unit.stalls["end"] += total - unit.busy - sum(unit.stalls.values())
        spent = sum(self.phase_busy.values()) + sum(sum(s.values()) for s in self.phase_stalls.values())
        self.phase_stalls[self.last_phase]["end"] += total - spent
        return total

    def one_cycle(self, now: int) -> None:
        for op in self.due.pop(now, []):
            self.done[op] = now
        self.used -= self.releases.pop(now, 0)
        changed = True
        while changed:
            changed = False
            for name, unit in self.units.items():
                changed |= self.finish_or_start(name, unit, now)
        while self.posts and self.posts[0][0] == now:
            _, address, size = self.posts.popleft()
            self.releases[self.write(now, address, size)] += size
        for name in ("store", "load"):
            unit = self.units[name]
            if unit.op != NO_OP and unit.started == now:
                self.transfer(name, unit, now)
        self.fetch(now)
        self.lanes(now)
        for unit in self.units.values():
            if unit.op == NO_OP and unit.ops:
                unit.waited += 1

    # --- units

    def finish_or_start(self, name: str, unit: Unit, now: int) -> bool:
        changed = False
        if unit.op != NO_OP and unit.ends == now:
            op = unit.op
            unit.busy += self.issue[op]
            unit.stalls["stream"] += now - unit.started - self.issue[op]
            if name == "engine":
                self.phase_busy[self.phase[op]] += self.issue[op]
                self.phase_stalls[self.phase[op]]["stream"] += now - unit.started - self.issue[op]
            if self.drain[op]:
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
        there = 1 + (self.write(now, address, size) if name == "store" else self.read(now, address, size, size)[-1])
        others = [move for move in self.on_way[name] if move > now]
        # One may be asked for in each cycle in which, with it, no more than so many are on their way.
        unit.ends = now + self.issue[unit.op]
        while sum(move > unit.ends for move in [*others, there]) >= self.dma.in_flight:
            unit.ends += 1
        self.on_way[name] = [*others, there]
        self.drain[unit.op] += there - unit.ends

    def read(self, now: int, address: int, size: int, word_bytes: int) -> list[int]:
        """Return the cycle in which each word may be taken: burst by burst into the port, beat by beat through it."""
        self.requests.append((now, "read", address, size))
        self.read_bytes += size
        times: list[int] = []
        carried = 0
        for piece in self.memory.access((now + self.dma.request_cycles) * self.period, address, size, write=False):
            bursts = bursts_of(piece, self.period)
            completing, there = 0, 0
            needed = min(word_bytes - carried, piece.bytes)
            while there < needed:
                there += bursts[completing][1]
                completing += 1
            begin = max(self.read_free, bursts[completing - 1][0])
            first = passed = begin
            moved = self.dma.bytes_per_cycle
            while moved < piece.bytes:
                if moved < needed:
                    first += 1
                moved += self.dma.bytes_per_cycle
                passed += 1
            # Nor is it over before the last burst has come, passed the port, and been taken word by word.
            through = taken = bursts[-1][0]
            moved = self.dma.bytes_per_cycle
            while moved < bursts[-1][1]:
                moved += self.dma.bytes_per_cycle
                through += 1
            moved = min(word_bytes, self.dma.bytes_per_cycle)
            while moved < bursts[-1][1]:
                moved += min(word_bytes, self.dma.bytes_per_cycle)
                taken += 1
            self.read_free = max(passed, through) + 1
            words, carried = (carried + piece.bytes) // word_bytes, (carried + piece.bytes) % word_bytes
            last = max(passed, taken)
            times += [last] if words == 1 else [first + -(-i * (last - first) // (words - 1)) for i in range(words)]
        return times

    def write(self, now: int, address: int, size: int) -> int:
        self.requests.append((now, "write", address, size))
        self.write_bytes += size
        pieces = self.memory.access((now + self.dma.request_cycles) * self.period, address, size, write=True)
        cycle = max(now, self.write_free)
        left = size
        while left > 0:
            left -= self.dma.bytes_per_cycle
            cycle += 1
        self.write_free = cycle
        done, taken_ps = cycle + self.dma.request_cycles, max(piece.last_ps for piece in pieces)
        while done * self.period < taken_ps or done <= self.last_write:
            done += 1
        self.last_write = done
        return done

    # --- columns

    def matrices(self, op: int) -> list[int]:
        named = [int(self.ops.tensor[op]), int(self.ops.second_tensor[op])]
        return [index for index in named if index >= 0 and self.program.tensors[index].remote]

    def writes_back(self, op: int) -> bool:
        return self.mode[op] in self.writing_modes

    def runs_of(self, op: int) -> list[Run]:
        tensors = [self.program.tensors[index] for index in self.matrices(op)]
        together = sum(t.word_bytes for t in tensors)
        runs = []
        begin = int(self.ops.list_start[op])
        for column in self.program.columns[begin : begin + int(self.ops.count[op])].tolist():
            first, length = (int(values[column]) for values in self.program.spans(self.matrices(op)[0]))
            words = list(range(first, first + length))
            most = self.buffer_bytes // 2 // together
            while words:
                now, words = words[:most], words[most:]
                bursts = [(t.address + now[0] * t.word_bytes, len(now) * t.word_bytes) for t in tensors]
                runs.append(Run(op, together * len(now), [0] * len(now), bursts))
        return runs

    def fetch(self, now: int) -> None:
        if not self.asking:
            if not self.fetching and self.to_fetch:
                op = self.to_fetch[0]
                tensors = self.ops.tensor[op], self.ops.second_tensor[op]
                awaited = [int(self.ops.list_from[op])] + [self.last_writer.get(int(t), NO_OP) for t in tensors]
                if all(w == NO_OP or w in self.done for w in awaited):
                    self.to_fetch.pop(0)
                    self.fetching = deque(self.runs_of(op))  # none if nothing fired, which takes this cycle to find
                    if self.writes_back(op):
                        self.last_writer[int(tensors[0])] = op
            if self.fetching and self.used + self.fetching[0].bytes <= self.buffer_bytes:
                run = self.fetching[0]
                self.used += run.bytes
                words = [self.program.tensors[index].word_bytes for index in self.matrices(run.op)]
                self.asking = [(*burst, word) for burst, word in zip(run.bursts, words, strict=True)]
        if self.asking:
            run = self.fetching[0]
            times = self.read(now, *self.asking.pop(0))
            run.times = [max(pair) for pair in zip(run.times, times, strict=True)]
            if not self.asking:
                self.arrived.append(self.fetching.popleft())

    def lanes(self, now: int) -> None:
        if not self.words_left or not self.arrived:
            return
        run, unit = self.arrived[0], self.units["engine"]
        if run.times[0] > now:
            return
        run.times.pop(0)
        self.words_left -= 1
        if not self.words_left:
            unit.ends = now + 1
        if not run.times:
            assert run.op == unit.op
            self.arrived.popleft()
            if self.writes_back(run.op):
                self.posts += [(now + 1 + self.drain[run.op], *burst) for burst in run.bursts]
            else:
                self.releases[now + 1] += run.bytes


def bursts_of(piece: Piece, period: int) -> list[tuple[int, int]]:
    """Return the cycle by which each burst of a piece has come, and its bytes."""
    found, left, at = [], piece.bytes, piece.first_ps
    size = piece.step_bytes - piece.lead_bytes
    while left > 0:
        found.append((-(-at // period), min(left, size)))
        left, at, size = left - size, at + piece.step_ps, piece.step_bytes
    assert found[-1][0] == -(-piece.last_ps // period)
    return found
