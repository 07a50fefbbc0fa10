"""The fetch: it asks for the columns of ops ahead of the engine."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import simpy

from deltatrain.accel.program import NO_OP, Program
from deltatrain.sim.machine.columns import Columns
from deltatrain.sim.machine.scoreboard import Scoreboard
from deltatrain.sim.memory.clock import FETCH, Clock, Turn


class Fetch:
    """Asks for the columns of an op as soon as it is known which they are.

    That is when the op's list is there, so an op without columns waits for its list too. Columns that an earlier op
    writes back are read after that op is done.

    Parameters
    ----------
    clock
        The time.
    program
        What is run.
    scoreboard
        Tells when ops are done.
    columns
        Where the columns go.
    """

    def __init__(self, clock: Clock, program: Program, scoreboard: Scoreboard, columns: Columns) -> None:
        self._clock, self._scoreboard, self._columns = clock, scoreboard, columns
        self._rows = np.flatnonzero(program.remote_word_bytes).data
        self._list_from = program.ops.list_from.data
        self._tensors, self._second_tensors = program.ops.tensor.data, program.ops.second_tensor.data

    def run(self) -> Generator[simpy.Event, None, None]:
        """Fetch for the ops one after the other."""
        last_writer: dict[int, int] = {}
        for op in self._rows:
            written = [last_writer.get(tensor, NO_OP) for tensor in (self._tensors[op], self._second_tensors[op])]
            awaited = [self._list_from[op], *written]
            yield from self._scoreboard.wait_for(awaited)
            yield Turn(self._clock, self._clock.cycle, FETCH)  # whoever else waited for the same goes first
            known = max((self._scoreboard.done_at[one] for one in awaited if one != NO_OP), default=0)
            yield from self._columns.fetch(op, known)
            if self._columns.writes_back(op):
                last_writer |= {tensor: op for tensor in (self._tensors[op], self._second_tensors[op]) if tensor >= 0}
