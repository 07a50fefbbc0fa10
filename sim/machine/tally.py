"""From what the units did to counters: the sums over phases and units that every fidelity shares."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from deltatrain.accel.counters import (
    ArrayCounters,
    CacheCounters,
    Cause,
    Counters,
    PhaseCounters,
    RemoteCounters,
    UnitCounters,
)
from deltatrain.accel.engine import PS_PER_SECOND
from deltatrain.accel.program import ENGINE, PHASES, Program

if TYPE_CHECKING:  # it loads the DRAM kernel, which the analytic fidelity does without
    from deltatrain.sim.memory.port import Port

Stalls = dict[Cause, int]

NO_COMMANDS = dict.fromkeys(("row_hits", "row_misses", "row_conflicts", "activates", "refreshes", "busy_cycles"), 0)
"""What a memory without rows counts."""


class UnitTally:
    """Busy and stalled cycles of one unit so far.

    Attributes
    ----------
    free
        Cycle from which the unit can take its next op.
    """

    def __init__(self) -> None:
        self.busy_cycles = 0
        self.stall_cycles: Stalls = {}
        self.free = 0

    def stall(self, cause: Cause, cycles: int) -> None:
        """Add `cycles` of waiting for `cause`."""
        if cycles:
            self.stall_cycles[cause] = self.stall_cycles.get(cause, 0) + cycles

    def counters(self, cycles: int) -> UnitCounters:
        """Return the counters of a run of `cycles`; cycles that are neither busy nor stalled had no op left."""
        stalls = dict(self.stall_cycles)
        rest = cycles - self.busy_cycles - sum(stalls.values())
        if rest:
            stalls["end"] = stalls.get("end", 0) + rest
        return UnitCounters(busy_cycles=self.busy_cycles, stall_cycles=stalls)


def counters(
    program: Program,
    cycles: int,
    units: dict[str, UnitTally],
    engine_phases: dict[str, UnitTally],
    remote: RemoteCounters,
) -> Counters:
    """Return the counters of a run.

    Parameters
    ----------
    program
        What was run.
    cycles
        How long it took.
    units
        By name; those that the machine does not have are left out.
    engine_phases
        The engine's busy and stalled cycles by phase; the cycles after its last op go to that op's phase.
    remote
        The off-chip memory's counters.
    """
    engine_ops = np.flatnonzero(program.unit == ENGINE)
    last_phase = PHASES[program.ops.phase[engine_ops[-1]]] if len(engine_ops) else PHASES[-1]
    rest = cycles - sum(tally.busy_cycles + sum(tally.stall_cycles.values()) for tally in engine_phases.values())
    engine_phases[last_phase].stall("end", rest)
    return Counters(
        cycles=cycles,
        clock_hz=program.architecture.engine.clock_hz,
        lanes=program.architecture.lanes,
        units={name: units[name].counters(cycles) for name in program.units},
        phases={name: _phase(program, number, engine_phases[name]) for number, name in enumerate(PHASES)},
        remote=remote,
        cache=_cache(program),
        arrays=_arrays(program),
        work=program.with_cache(program.own.whole, np.ones(len(program.ops), dtype=np.bool_)),
    )


def remote_counters(program: Program, port: Port) -> RemoteCounters:
    """Return the counters of the off-chip memory behind `port` after a run of `program`."""
    moved = {"asked_bytes": program.asked_bytes, "read_bytes": port.read_bytes, "write_bytes": port.write_bytes}
    channels = port.memory.channels
    if channels is None:
        return RemoteCounters(**moved, **NO_COMMANDS)
    rows, controller = channels.counts, channels.controller
    busy_ps = (rows.read_bursts + rows.write_bursts) * channels.part.burst_cycles * channels.part.tck_ps
    busy_cycles = Fraction(busy_ps * program.architecture.engine.clock_hz, PS_PER_SECOND * controller.data_buses)
    return RemoteCounters(
        **moved,
        row_hits=rows.hits,
        row_misses=rows.misses,
        row_conflicts=rows.conflicts,
        activates=rows.activates,
        refreshes=rows.refreshes,
        read_bursts=rows.read_bursts,
        write_bursts=rows.write_bursts,
        active_ticks=channels.active_cycles(channels.now),
        idle_ticks=controller.all_ranks * channels.now - channels.active_cycles(channels.now),
        bus_ticks=channels.bus_ticks(channels.now)._asdict(),
        busy_cycles=ceil(busy_cycles),
    )


def _cache(program: Program) -> dict[str, CacheCounters]:
    """Return what was looked up in the column cache, by phase."""
    if program.cached_runs is None:
        return {}
    counted = program.cached_runs.counted(program.ops.phase).tolist()
    return {
        name: CacheCounters(hits=hits, misses=misses, write_backs=outs)
        for name, (hits, misses, outs) in zip(PHASES, counted, strict=True)
    }


def _arrays(program: Program) -> dict[str, ArrayCounters]:
    """Return what several arrays waited for each other, and added up, by phase."""
    if program.architecture.engine.arrays == 1:
        return {}
    own = program.own
    found = {}
    for number, name in enumerate(PHASES):
        chosen = program.ops.phase == number
        waited, added = (program.total(each * chosen) for each in (own.imbalance_cycles, own.added_sums))
        found[name] = ArrayCounters(imbalance_cycles=waited, added_sums=added)
    return found


def _phase(program: Program, number: int, tally: UnitTally) -> PhaseCounters:
    own, moved = program.own.phases[number], program.remote_read_bytes + program.remote_write_bytes
    actions = program.with_cache(own.actions, program.ops.phase == number)
    return PhaseCounters(
        busy_cycles=tally.busy_cycles,
        stall_cycles=tally.stall_cycles,
        macs=actions["macs"],
        skipped_macs=own.dense_macs - actions["macs"],
        fired=own.fired,
        elements=own.elements,
        remote_bytes=program.total(moved * (program.ops.phase == number)),
        local_bytes=actions["local_read_bytes"] + actions["local_write_bytes"],
    )
