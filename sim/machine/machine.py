"""A tile as its modes' laws, in one SimPy environment with its off-chip memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from deltatrain.accel.dram import DramPart
from deltatrain.accel.observer import Observer
from deltatrain.accel.program import UNITS, Program
from deltatrain.sim.machine.columns import Columns, ColumnStream
from deltatrain.sim.machine.fetch import Fetch
from deltatrain.sim.machine.record import Record
from deltatrain.sim.machine.scoreboard import Scoreboard
from deltatrain.sim.machine.segments import Segments
from deltatrain.sim.machine.transfers import Load, Store
from deltatrain.sim.machine.units import Engine, Tile, Unit
from deltatrain.sim.memory.clock import Clock
from deltatrain.sim.memory.remote_memory import RemoteMemory

if TYPE_CHECKING:
    from deltatrain.sim.dram.transfers import OnBursts
    from deltatrain.sim.machine.port_ahead import PortAhead

_WORTH_LOADING_NUMBA_OPS = 20_000
"""Fewer ops take less time one by one than the compiler takes to load; a machine with DRAM has loaded it."""


class Machine:
    """One run of one program.

    What becomes known in a cycle is there for whoever looks in that cycle. An op that starts in cycle t uses a result
    of cycle t, and a request of cycle t sees every write that was handed over by cycle t.

    Parameters
    ----------
    program
        What to run.
    on_progress
        Called now and then with the share of ops that are done.
    observer
        Told what every unit does when, how many of its ops are in flight, and what the DRAM's banks do if it wants.
        Where it does not want all of that, ops go ahead of the time as far as they may (`sim.machine.ops_ahead`).
    on_bursts
        Told of every transfer of DRAM bursts (`sim.dram.transfers.Transfers`). Where nobody wants to know what the
        memory does, columns go ahead of the time as far as they may (`sim.machine.columns_ahead`).

    Attributes
    ----------
    record
        What each unit did.
    scoreboard
        When each op was done.
    columns
        The column buffer.
    memory
        The off-chip memory.
    """

    def __init__(
        self,
        program: Program,
        on_progress: Callable[[float], None] | None = None,
        observer: Observer | None = None,
        on_bursts: OnBursts | None = None,
    ) -> None:
        clock = self._clock = Clock()
        watched = observer if observer is not None and observer.watches_memory else None
        self.record = Record(clock, program, on_progress, observer)
        self.scoreboard = _scoreboard(clock, program, self.record, observer)
        segments = Segments(program)
        port = None if watched or on_bursts else _port_ahead(clock, program, segments)
        self.memory = RemoteMemory(clock, program.architecture, watched.activity if watched else None, port)
        self.columns: Columns
        if port is not None:
            from deltatrain.sim.machine.columns_ahead import ColumnsAhead  # with the DRAM kernel, as the port

            self.columns = ColumnsAhead(clock, program, self.memory, port)
        else:
            told = self.record.buffer_level if watched else None
            self.columns = ColumnStream(clock, program, segments, self.memory, told)
        if on_bursts is not None and self.memory.port.memory.channels is not None:
            self.memory.port.memory.channels.on_bursts = on_bursts
        issue_cycles, drain_cycles = program.issue_cycles.data, program.drain_cycles.data
        tile = Tile(clock, program, self.scoreboard, self.record, issue_cycles, drain_cycles)
        units = {name: Unit(name, tile) for name in UNITS}
        units["engine"] = Engine(tile, self.columns)
        units["load"], units["store"] = Load("load", tile, self.memory), Store("store", tile, self.memory)
        for name, unit in units.items():
            if name not in self.scoreboard.ahead:
                clock.process(unit.run())
        clock.process(Fetch(clock, program, self.scoreboard, self.columns).run())

    def run(self) -> int:
        """Run the program to its end and return its cycles."""
        self._clock.run()
        assert self.scoreboard.all_done, "every op must finish"
        cycles = self.memory.finish(max(self.scoreboard.done_at, default=0))
        self.scoreboard.ended()
        self.record.ended(cycles)
        return cycles


def _scoreboard(clock: Clock, program: Program, record: Record, observer: Observer | None) -> Scoreboard:
    """Return the scoreboard of a run, with which ops go ahead of the time where they may."""
    machine = program.architecture
    alone = not program.remote_word_bytes.any() and machine.local.ports != 1
    worth_it = isinstance(machine.device, DramPart) or len(program.ops) >= _WORTH_LOADING_NUMBA_OPS
    if not alone or not worth_it or (observer is not None and observer.watches_ops):
        return Scoreboard(clock, program, record.op_retired)
    from deltatrain.sim.machine.ops_ahead import OpsAhead  # with numba

    return OpsAhead(clock, program, record)


def _port_ahead(clock: Clock, program: Program, segments: Segments) -> PortAhead | None:
    """Return the port whose columns go ahead, if there is one for such a program."""
    if not isinstance(program.architecture.device, DramPart):
        return None
    from deltatrain.sim.machine import port_ahead  # with the DRAM kernel

    return port_ahead.PortAhead(clock, program, segments) if port_ahead.goes_ahead(program, segments) else None
