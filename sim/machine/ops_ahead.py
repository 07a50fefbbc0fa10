"""Ops ahead of the time: begun by their law where nobody but the lanes' own units can tell when."""

from __future__ import annotations

import numpy as np

from deltatrain.accel.op_table import NO_OP, UNITS
from deltatrain.accel.program import Program
from deltatrain.sim.machine import op_law
from deltatrain.sim.machine.record import Record
from deltatrain.sim.machine.scoreboard import CAUSES, Scoreboard
from deltatrain.sim.memory.clock import Clock


class OpsAhead(Scoreboard):
    """A scoreboard that begins the ops of all units but load and store, as soon as it is known when.

    That may be long before their cycle: what an op depends on is known once the memory has answered for the loads among
    it. So there are as many events as there are loads and stores.

    Parameters
    ----------
    clock
        The time.
    program
        What is run: none of its columns passes the port, and no bank of local memory is shared.
    record
        Told of ops that retire, and in the end what the units did.
    """

    ahead = tuple(unit for unit in UNITS if unit not in ("load", "store"))

    def __init__(self, clock: Clock, program: Program, record: Record) -> None:
        super().__init__(clock, program, record.op_retired)
        self._record = record
        laws = program.issue_cycles, program.drain_cycles
        self._table = op_law.Table(program.unit, program.ops.phase, program.ops.depends, *laws)
        self._units = op_law.Units.of([np.flatnonzero(program.unit == UNITS.index(name)) for name in self.ahead])
        self._go_on()

    def retire_at(self, op: int, cycle: int) -> None:
        """Let an op be known to be done in `cycle`, not before now, and begin what waited for that."""
        self.done_at[op] = cycle
        self._record.ops_retired(1)
        self._go_on()

    def retire(self, op: int) -> None:
        """Let an op be done now."""
        self.retire_at(op, self._clock.cycle)

    def ended(self) -> None:
        """Tell the record what the units did, and what ops kept in local memory."""
        units, record, numbers = self._units, self._record, [UNITS.index(name) for name in self.ahead]
        for place, unit in enumerate(numbers):
            record.units[unit].free = int(units.free[place])
            for phase, busy_cycles in enumerate(units.busy_cycles[place].tolist()):
                record.ran_ahead(unit, phase, busy_cycles, {})
        stalled = np.argwhere(units.first_stalled != NO_OP)
        for place, phase, cause in stalled[np.argsort(units.first_stalled[tuple(stalled.T)])].tolist():
            cycles = int(units.stall_cycles[place, phase, cause])
            record.ran_ahead(numbers[place], phase, 0, {CAUSES[cause]: cycles})
        record.kept_ahead(np.frombuffer(self.done_at, np.int64))

    def _go_on(self) -> None:
        """Begin all ops of which it is known when, and wake who waited for one of them."""
        self._record.ops_retired(op_law.begin(self._table, self._units, np.frombuffer(self.done_at, np.int64)))
        for op in [op for op in self._awaited if self.done_at[op] != op_law.PENDING]:
            self._awaited.pop(op).succeed()
