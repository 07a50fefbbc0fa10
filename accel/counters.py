"""Counters with names and units, and the sums that they must satisfy."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from deltatrain.accel.description import Count, Description, PositiveInt
from deltatrain.accel.op_table import TILE_UNITS
from deltatrain.accel.quantity import share

Cause = Literal["encoder", "engine", "elementwise", "exchange", "load", "store", "stream", "sram", "bound", "end"]
"""What a unit waited for.

The name of a unit stands for that unit's result. "stream" is the stream of matrix columns from or to off-chip memory,
and for the element-wise unit of a core on a bus that of results, whose packets nobody takes,
"sram" a bank of local SRAM that is written in the same cycle, and "bound" whatever bounds the run, where a fidelity
does not tell. At the "end" there is nothing more to do.
"""

BusUse = Literal["read", "write", "refresh", "row", "turn", "column", "idle"]
"""What the data bus did in a clock.

"read" and "write" move data, and "idle" is a clock in which nothing was queued. In the others a request was queued, and
its burst had to wait: for a refresh of its bank ("refresh"), for its row to be opened ("row"), for the bus to change
direction ("turn"), or for the distance between columns or activates ("column").
"""

Starved = Literal["list", "buffer", "memory", "port", "cache"]
"""Why lanes had no word of a column from off-chip memory.

"list": the fetch had not asked for it, because it waited for a list, for columns to be written back, or for its turn to
ask. "buffer": the fetch had not asked for it, because the column buffer had no room, or as many columns as may be were
in flight. "memory": not all of it had come from memory. "port": all of it had come, and was passing the port. "cache":
it was read from the column cache, or a longer line was read that goes out of it.
"""


def causes(units: tuple[str, ...] = TILE_UNITS) -> tuple[Cause, ...]:
    """Return the stall causes that hardware counts: each unit, and the stream; what remains of a run is "end"."""
    return tuple(cause for cause in get_args(Cause) if cause in (*units, "stream"))


class UnitCounters(Description):
    """Cycles of one unit: ``busy_cycles`` and the stalls add up to the run's cycles."""

    busy_cycles: Count
    stall_cycles: dict[Cause, Count]


class PhaseCounters(Description):
    """One phase of training: FP forward, RF forward again, BP backward, WG weight gradient, WU weight update.

    Attributes
    ----------
    busy_cycles
        Cycles in which the engine issued a word of this phase.
    stall_cycles
        Cycles in which the engine waited to go on with this phase, by what it waited for. Busy and stalled cycles of
        all phases add up to the run's cycles.
    macs, skipped_macs
        Multiply-accumulates done, bias columns included, and those that a dense machine would have done on top.
    fired, elements
        Columns worked through, and columns that a dense machine would have worked through.
    remote_bytes
        Bytes moved between local and off-chip memory.
    local_bytes
        Bytes read from and written to local SRAM.
    """

    busy_cycles: Count
    stall_cycles: dict[Cause, Count]
    macs: Count
    skipped_macs: Count
    fired: Count
    elements: Count
    remote_bytes: Count
    local_bytes: Count

    @property
    def cycles(self) -> int:
        """The phase's share of the run, in engine cycles."""
        return self.busy_cycles + sum(self.stall_cycles.values())

    @property
    def occupancy(self) -> float:
        """Share of the columns that fired; 1 where there are none."""
        return self.fired / self.elements if self.elements else 1.0

    def at_a_glance(self, run_cycles: int) -> list[str]:
        """Return cycles, their share of the run, and of them: the busy share, the longest wait, the occupancy."""
        cause, waited = max(self.stall_cycles.items(), key=lambda stall: stall[1], default=("", 0))
        wait = f"{cause} {share(waited / self.cycles)}" if waited else "-"
        occupancy = share(self.occupancy) if self.elements else "-"
        return [
            f"{self.cycles:,}",
            share(self.cycles / run_cycles),
            share(self.busy_cycles / self.cycles),
            wait,
            occupancy,
        ]

    @model_validator(mode="after")
    def _shares_are_at_most_one(self) -> Self:
        if self.fired > self.elements:
            raise ValueError(f"{self.fired} columns fired, but there were only {self.elements}")
        return self

    def utilisation(self, lanes: int) -> float:
        """Return the multiply-accumulates done as a share of what `lanes` lanes could have done in the phase."""
        return self.macs / (self.cycles * lanes) if self.cycles else 0.0

    def empty_lane_cycles(self, lanes: int) -> int:
        """Return over `lanes` lanes how many busy cycles each had no weight in, because the column had none there.

        A column of R rows leaves lanes of its last word empty (`accel.column`), and compressed columns those of short
        lanes; so do tiles with fewer rows than the fullest, arrays with fewer columns than another, and an op in which
        nothing fired.
        """
        return self.busy_cycles * lanes - self.macs


class CacheCounters(Description):
    """Runs of columns that were looked up in the column cache in one phase of training.

    Attributes
    ----------
    hits, misses
        Runs that were there, and that were not.
    write_backs
        Dirty lines that went out.
    """

    hits: Count
    misses: Count
    write_backs: Count


class ArrayCounters(Description):
    """Several arrays in one phase of training (`accel.arrays`).

    Attributes
    ----------
    imbalance_cycles
        Cycles in which an array had no word because another had more columns, summed over the arrays.
    added_sums
        Sums of arrays that were added to those of the first.
    """

    imbalance_cycles: Count
    added_sums: Count


class RemoteCounters(Description):
    """The off-chip memory. Row counters are zero for a memory without rows.

    The fidelity "analytic" tells the least activates, refreshes, bursts and clocks that there can be, and neither hits,
    misses nor conflicts.

    Attributes
    ----------
    asked_bytes
        Bytes that ops asked for; equal to read plus written bytes.
    read_bytes, write_bytes
        Bytes moved over the port.
    row_hits, row_misses, row_conflicts
        Bursts that found their row open, their bank closed, another row open. A burst that a queued write answers, or
        replaces, needs no row.
    activates, refreshes
        Commands.
    busy_cycles
        Engine cycles' worth of time in which a data bus moved data, the mean of all channels.
    read_bursts, write_bursts
        Bursts on the data buses.
    active_ticks, idle_ticks
        Clocks of the memory, summed over ranks, with a bank open or all refreshed; with all banks closed.
    bus_ticks
        Clocks of the memory, summed over channels, by what the data bus did (`BusUse`): they add up to all there were.
        Empty where the fidelity does not tell.
    """

    asked_bytes: Count
    read_bytes: Count
    write_bytes: Count
    row_hits: Count
    row_misses: Count
    row_conflicts: Count
    activates: Count
    refreshes: Count
    busy_cycles: Count
    read_bursts: Count = 0
    write_bursts: Count = 0
    active_ticks: Count = 0
    idle_ticks: Count = 0
    bus_ticks: dict[BusUse, Count] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sums_close(self) -> Self:
        clocks, ranks_clocks = sum(self.bus_ticks.values()), self.active_ticks + self.idle_ticks
        if not clocks:
            return self  # the fidelity tells least commands and clocks, not what each burst found
        bursts = self.read_bursts + self.write_bursts
        found = self.row_hits + self.row_misses + self.row_conflicts
        if found != bursts:
            raise ValueError(f"{bursts} bursts on the data buses found {found} rows")
        if ranks_clocks % clocks:
            raise ValueError(f"{ranks_clocks} clocks of ranks are no multiple of the {clocks} clocks of data buses")
        return self


class Counters(Description):
    """Everything that one simulated program counted.

    Attributes
    ----------
    cycles
        Engine cycles from the first op's start to the last result.
    clock_hz
        The engine's clock.
    lanes
        Multiply-accumulate lanes, of all arrays of all tiles.
    units
        By unit; each adds up to `cycles`.
    phases
        By phase; together they add up to `cycles`.
    remote
        The off-chip memory.
    cache
        What was looked up in the column cache, by phase; left out where there is none.
    arrays
        What several arrays waited for each other, and added up, by phase; left out where there is one.
    work
        Action counts (`accel.work.Work`).
    """

    cycles: Count
    clock_hz: PositiveInt
    lanes: PositiveInt
    units: dict[str, UnitCounters]
    phases: dict[str, PhaseCounters]
    remote: RemoteCounters
    cache: dict[str, CacheCounters] = Field(default_factory=dict, exclude_if=lambda phases: not phases)
    arrays: dict[str, ArrayCounters] = Field(default_factory=dict, exclude_if=lambda phases: not phases)
    work: dict[str, Count]

    @property
    def seconds(self) -> float:
        """The simulated time."""
        return self.cycles / self.clock_hz

    @property
    def macs(self) -> int:
        """Multiply-accumulates done, all phases."""
        return sum(phase.macs for phase in self.phases.values())

    @model_validator(mode="after")
    def _sums_close(self) -> Self:
        for name, unit in self.units.items():
            total = unit.busy_cycles + sum(unit.stall_cycles.values())
            if total != self.cycles:
                raise ValueError(f"busy and stalled cycles of the {name} are {total}, not the run's {self.cycles}")
        total = sum(phase.cycles for phase in self.phases.values())
        if total != self.cycles:
            raise ValueError(f"the phases' cycles are {total}, not the run's {self.cycles}")
        moved = self.remote.read_bytes + self.remote.write_bytes
        if moved != self.remote.asked_bytes or moved != sum(p.remote_bytes for p in self.phases.values()):
            raise ValueError(f"{moved} remote bytes moved, {self.remote.asked_bytes} asked for")
        return self

    @model_validator(mode="after")
    def _shares_are_at_most_one(self) -> Self:
        for name, phase in self.phases.items():
            if phase.macs > (most := phase.busy_cycles * self.lanes):
                raise ValueError(f"{phase.macs} multiply-accumulates in {name}, but its lanes can do {most}")
        if self.remote.busy_cycles > self.cycles:
            raise ValueError(f"the data buses moved data for {self.remote.busy_cycles} of {self.cycles} cycles")
        return self
