"""The machine's units as SimPy processes: each takes its ops in the program's order, waits, works, tells the others.

One rule of phases: what becomes known in a cycle is there for whoever looks in that cycle. A result of cycle t is used
by an op that starts in cycle t; a request of cycle t sees every write handed over by cycle t. Requests of one cycle
come to the memory in the order store, load, fetch.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import get_args

import numpy as np
import simpy

from deltatrain.accel.observer import Gap, Observer, Span
from deltatrain.accel.program import ENGINE, NO_OP, PHASES, UNITS, Program
from deltatrain.accel.result import Cause
from deltatrain.sim.dram.activity import DramActivity
from deltatrain.sim.machine.clock import DELIVER, FETCH, LOAD, At, Clock, Turn
from deltatrain.sim.machine.columns import ColumnStream
from deltatrain.sim.machine.kept_bytes import HELD
from deltatrain.sim.machine.tally import UnitTally
from deltatrain.sim.machine.transfers_in_flight import Moves
from deltatrain.sim.memory.banks import SinglePortBanks
from deltatrain.sim.memory.port import Arrival, RemotePort

Waits = Generator[simpy.Event, None, None]

_CAUSES = get_args(Cause)
_PENDING = -1
_PROGRESS_EVERY_OPS = 512


class Machine:
    """One run of one program.

    Parameters
    ----------
    program
        What to run.
    on_progress
        Called now and then with the share of ops that are done.
    observer
        Told what every unit does when, how many of its ops are under way, and what the DRAM's banks do if it wants.

    Attributes
    ----------
    units
        What each unit did, in the order of `accel.program.UNITS`.
    engine_phases
        What the engine did in each phase, in the order of `accel.program.PHASES`.
    port
        The off-chip memory.
    """

    def __init__(
        self,
        program: Program,
        on_progress: Callable[[float], None] | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.units = [UnitTally() for _ in UNITS]
        self.engine_phases = [UnitTally() for _ in PHASES]
        watched = observer if observer is not None and observer.watches_memory else None
        self.port = RemotePort(program.architecture, record=watched is not None)
        channels = self.port.memory.channels
        self._dram = DramActivity(channels, watched.activity) if watched is not None and channels is not None else None
        self.port.on_work = self._wake
        self._env = Clock()
        self._asleep: simpy.Event | None = None
        self._stream = ColumnStream(self._env, program, self.port, self._buffer_level if watched else None)
        self._program = program
        self._on_progress = on_progress
        self._observer = observer
        self._under_way = [0] * len(UNITS)
        rows, held = program.kept_bytes.T
        self._held_change = dict(zip(rows.tolist(), np.diff(held, prepend=0).tolist(), strict=True))
        self._held_bytes = 0
        ops = program.ops
        self._unit: list[int] = program.unit.tolist()
        self._phase: list[int] = ops.phase.tolist()
        self._depends: list[list[int]] = ops.depends.tolist()
        self._list_from: list[int] = ops.list_from.tolist()
        self._issue: list[int] = program.issue_cycles.tolist()
        self._drain: list[int] = program.drain_cycles.tolist()
        self._streamed: list[bool] = ((program.unit == ENGINE) & (program.remote_read_bytes > 0)).tolist()
        self._banks = SinglePortBanks(program) if program.architecture.local.ports == 1 else None
        engine, tiles = program.architecture.engine, program.architecture.tiles.count
        self._vector_word_bytes = tiles * engine.lanes * engine.formats.activation.bytes
        in_flight = program.architecture.dma.in_flight
        moves = program.is_unit("load", "store")
        self._moves_bytes: list[bool] = (moves & (ops.count > 0)).tolist()
        self._loads, self._stores = Moves(self._env, in_flight), Moves(self._env, in_flight)
        self._done_at = [_PENDING] * len(ops)
        self._awaited: dict[int, simpy.Event] = {}
        self._done_count = 0

    def run(self) -> int:
        """Run the program to its end and return its cycles."""
        for number, name in enumerate(UNITS):
            rows = np.flatnonzero(self._program.unit == number).tolist()
            work = {"engine": self._engine, "load": self._load, "store": self._store}.get(name, self._issue_op)
            self._env.process(self._take(number, rows, work))
        self._env.process(self._fetch())
        self._env.process(self._deliver())
        self._env.run()
        assert self._done_count == len(self._done_at), "every op must finish"
        cycles = self.port.finish(max(self._done_at, default=0))
        for unit, tally in enumerate(self.units):
            if cycles > tally.free:
                self._tell(unit, NO_OP, tally.free, cycles, False, {"end": cycles - tally.free})
        if self._dram is not None:
            self._dram.finish(cycles * self._program.architecture.engine.period_ps)
        return cycles

    def _take(self, unit: int, rows: list[int], work: Callable[[int], Generator[simpy.Event, None, int]]) -> Waits:
        """Run a unit: its ops one after the other, each when all it depends on is done."""
        env, tally = self._env, self.units[unit]
        for op in rows:
            cause = yield from self._wait_for(self._depends[op])
            if env.cycle > tally.free:
                self._stalled(op, cause, env.cycle - tally.free)
            start = env.cycle
            self._change_level(unit, 1)
            busy = yield from work(op)
            self._worked(op, start, busy)
            tally.free = env.cycle
            drain = self._drain[op]
            if self._moves_bytes[op]:
                continue  # done when its bytes are there, whatever the unit does meanwhile
            if drain:
                env.timeout(drain, op).callbacks.append(self._complete)
            else:
                self._completed(op)

    def _wait_for(self, depends: list[int]) -> Generator[simpy.Event, None, Cause]:
        """Wait until all of `depends` are done; return the unit that was last, of several the last in `UNITS`."""
        last, at = NO_OP, _PENDING
        for op in depends:
            if op == NO_OP:
                continue
            if self._done_at[op] == _PENDING:
                yield self._awaited.setdefault(op, self._env.event())
            if (self._done_at[op], self._unit[op]) > (at, self._unit[last]):
                last, at = op, self._done_at[op]
        cause: Cause = _CAUSES[self._unit[last]] if last != NO_OP else "end"
        return cause

    def _issue_op(self, op: int) -> Generator[simpy.Event, None, int]:
        """Issue an op whose cycles follow from its mode's law alone."""
        yield self._env.timeout(self._issue[op])
        return self._issue[op]

    def _engine(self, op: int) -> Generator[simpy.Event, None, int]:
        """Issue a matrix op: at its law's pace, or as its columns arrive."""
        if not self._streamed[op]:
            if self._banks is None or not self._banks.writes_back(op):
                return (yield from self._issue_op(op))
            yield self._env.timeout(self._banks.take(op, self._env.cycle) - self._env.cycle)
            return self._issue[op]
        free = yield from self._stream.work_through(op, self._issue[op], self._drain[op])
        yield self._env.timeout(free - self._env.cycle)
        return self._issue[op]

    def _fetch(self) -> Waits:
        """Run the fetch ahead of the engine; columns that an op writes back are read after the op before wrote them.

        What fired is known when the list is, so an op without columns waits for its list too.
        """
        last_writer: dict[int, int] = {}
        tensors = self._program.ops.tensor.tolist()
        seconds = self._program.ops.second_tensor.tolist()
        for op in np.flatnonzero(self._program.remote_word_bytes).tolist():
            written = [last_writer.get(tensor, NO_OP) for tensor in (tensors[op], seconds[op])]
            yield from self._wait_for([self._list_from[op], *written])
            yield Turn(self._env, self._env.cycle, FETCH)  # whoever else waited for the same goes first
            yield from self._stream.fetch(op)
            if self._stream.writes_back(op):
                last_writer[tensors[op]] = op

    def _load(self, op: int) -> Generator[simpy.Event, None, int]:
        """Move bytes from off-chip memory; each tile takes a word a cycle."""
        if not self._moves_bytes[op]:
            return 0
        size = int(self._program.ops.count[op])
        yield Turn(self._env, self._env.cycle, LOAD)
        move, words = self._loads.begin(), -(-size // self._vector_word_bytes)

        def told(arrival: Arrival) -> None:
            self._moved(op, self._loads.end(move, arrival.ready, words))

        address = int(self._program.ops.address[op])
        self.port.read(self._env.cycle, address, size, self._vector_word_bytes, told)
        yield from self._loads.make_room(self._issue[op])
        return self._issue[op]

    def _store(self, op: int) -> Generator[simpy.Event, None, int]:
        """Move bytes to off-chip memory; they are there with the cycle in which the memory tells that it took them."""
        if not self._moves_bytes[op]:
            return 0
        address, size = int(self._program.ops.address[op]), int(self._program.ops.count[op])
        taken = self.port.write(self._env.cycle, address, size)
        self._moved(op, self._stores.end(self._stores.begin(), taken + 1, 0))
        yield from self._stores.make_room(self._issue[op])
        return self._issue[op]

    def _moved(self, op: int, there: int) -> None:
        """Let a load or a store be done when all have heard that its bytes are there."""
        At(self._env, there + self._drain[op], lambda _: self._completed(op))

    def _deliver(self) -> Waits:
        """Let the off-chip memory's time pass as far as nobody can ask for anything, and tell what becomes known.

        Posted writes come before the requests that other units make in their cycle.
        """
        env, port = self._env, self.port
        while True:
            if not port.busy:
                self._asleep = env.event()
                yield self._asleep
            others = env.peek()
            if port.next_arrival(min(others, port.next_post)):
                continue
            if port.next_post <= others:
                port.settle(int(port.next_post))
            elif port.busy:
                yield Turn(env, int(others), DELIVER)

    def _wake(self) -> None:
        if self._asleep is not None and not self._asleep.triggered:
            self._asleep.succeed()

    def _stalled(self, op: int, cause: Cause, cycles: int) -> None:
        start = self.units[self._unit[op]].free
        self._tell(self._unit[op], op, start, start + cycles, False, {cause: cycles})
        self.units[self._unit[op]].stall(cause, cycles)
        if self._unit[op] == ENGINE:
            self.engine_phases[self._phase[op]].stall(cause, cycles)

    def _worked(self, op: int, start: int, busy_cycles: int) -> None:
        end = self._env.cycle
        starved_cycles = end - start - busy_cycles
        cause: Cause = "sram" if self._unit[op] == ENGINE and not self._streamed[op] else "stream"
        gaps = self._stream.waits if self._streamed[op] else ()
        self._tell(self._unit[op], op, start, end, True, {cause: starved_cycles} if starved_cycles else {}, gaps)
        tallies = [self.units[self._unit[op]]]
        if self._unit[op] == ENGINE:
            tallies.append(self.engine_phases[self._phase[op]])
        for tally in tallies:
            tally.busy_cycles += busy_cycles
            tally.stall(cause, starved_cycles)

    def _complete(self, event: simpy.Event) -> None:
        assert event.value is not None, "the event carries its op"
        self._completed(event.value)

    def _tell(
        self,
        unit: int,
        op: int,
        start: int,
        end: int,
        works: bool,
        stall_cycles: dict[Cause, int],
        gaps: Sequence[Gap] = (),
    ) -> None:
        if self._observer is not None:
            self._observer.span(Span(unit, op, start, end, works, stall_cycles, gaps))

    def _buffer_level(self, held_bytes: int) -> None:
        if self._observer is not None:
            self._observer.level("column buffer, bytes", self._env.cycle, held_bytes)

    def _change_level(self, unit: int, change: int) -> None:
        if self._observer is not None:
            self._under_way[unit] += change
            self._observer.level(f"{UNITS[unit]}, ops under way", self._env.cycle, self._under_way[unit])

    def _change_held(self, op: int) -> None:
        if self._observer is not None and op in self._held_change:
            self._held_bytes += self._held_change[op]
            self._observer.level(HELD, self._env.cycle, self._held_bytes)

    def _completed(self, op: int) -> None:
        self._done_at[op] = self._env.cycle
        self._change_level(self._unit[op], -1)
        self._change_held(op)
        if self._dram is not None:
            self._dram.pass_time(self._env.cycle * self._program.architecture.engine.period_ps)
        self._done_count += 1
        waiting = self._awaited.pop(op, None)
        if waiting is not None:
            waiting.succeed()
        if self._on_progress is not None and self._done_count % _PROGRESS_EVERY_OPS == 0:
            self._on_progress(self._done_count / len(self._done_at))
