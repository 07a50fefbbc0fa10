"""Closed forms over the op table: a lower bound of the cycle fidelity, at millions of ops a second."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from accel.dram import DramPart
from accel.program import MODE_NAMES, NO_TENSOR, PHASES, STREAMS, UNITS, Program
from accel.result import Counters, RemoteCounters
from sim import lowered, tally
from sim.tally import ENGINE, UnitTally

LABEL = "analytic: a lower bound"
TWIN = "analytic"
ENGINES: tuple[str, ...] = ()

programs = lowered.programs


def count(program: Program, on_progress: Callable[[float], None] | None = None) -> Counters:
    """Return the counters of `program` as closed forms give them.

    The run takes at least as long as every unit's own work, as the bytes on the port and on the memory's data bus, and
    as the recurrence (`recurrence_cycles`). What is above the engine's own work is one stall, "bound".

    Parameters
    ----------
    program
        What to run.
    on_progress
        Called once, with 1.
    """
    issue = program.issue_cycles
    of_unit = np.bincount(program.unit, weights=issue, minlength=len(UNITS)).astype(np.int64)
    chosen = program.unit == ENGINE
    of_phase = np.bincount(program.ops.phase[chosen], weights=issue[chosen], minlength=len(PHASES)).astype(np.int64)
    cycles = max(int(of_unit.max()), recurrence_cycles(program), port_cycles(program), bus_cycles(program))
    units = [UnitTally() for _ in UNITS]
    phases = [UnitTally() for _ in PHASES]
    for tallies, busy in ((units, of_unit), (phases, of_phase)):
        for one, busy_cycles in zip(tallies, busy.tolist(), strict=True):
            one.busy_cycles = busy_cycles
    for unit in units:
        unit.stall("bound", cycles - unit.busy_cycles)
    _share_out(cycles - int(of_phase.sum()), phases)
    moved = tally.asked_bytes(program)
    remote = RemoteCounters(
        asked_bytes=moved,
        read_bytes=int(program.remote_read_bytes.sum()),
        write_bytes=int(program.remote_write_bytes.sum()),
        **{**tally.NO_COMMANDS, "busy_cycles": bus_cycles(program)},
    )
    if on_progress is not None:
        on_progress(1.0)
    named_units = dict(zip(UNITS, units, strict=True))
    return tally.counters(program, cycles, named_units, dict(zip(PHASES, phases, strict=True)), remote)


def recurrence_cycles(program: Program) -> int:
    """Return a lower bound from who waits for whom.

    The engine takes the samples one after the other, from the first input product of one, which all its other ops
    follow, to its last weight gradient, which follows all its other ops; so the samples' spans add up. The span of one
    is at least the engine's own work on it, and at least the way through its recurrence in the layer where that is
    longest: forward, the encoder, the recurrent product and the gates of every step; then the read-out of the last step
    and the loss; backward, the gates and the recurrent product of every step.
    """
    ops, cost = program.ops, program.issue_cycles + program.drain_cycles
    samples, layers = int(ops.sample.max(initial=0)) + 1, int(ops.layer.max(initial=0)) + 1
    mode = {name: ops.mode == code for code, name in enumerate(MODE_NAMES)}
    gates = mode["gates_forward"] | mode["gates_backward"]
    if not gates.any():
        return 0
    recurrent = (ops.stream == STREAMS.index("h")) & (ops.step > 0)
    chain = gates | (recurrent & (mode["encode"] | mode["matvec"] | mode["matvec_t"]))
    last_step = np.zeros(samples, dtype=np.int64)
    np.maximum.at(last_step, ops.sample[gates], ops.step[gates])
    update = mode["update"]
    readout = ~update & (ops.stream == STREAMS.index("readout")) & (ops.step == last_step[ops.sample])
    readout &= ~mode["outer"]
    of_layer = np.bincount(ops.sample[chain] * layers + ops.layer[chain], cost[chain], samples * layers)
    of_readout = np.bincount(ops.sample[readout], cost[readout], samples)
    through = of_layer.reshape(samples, layers).max(axis=1) + of_readout
    on_engine = (program.unit == ENGINE) & ~update
    engine = np.bincount(ops.sample[on_engine], program.issue_cycles[on_engine], samples)
    return int(np.maximum(engine, through).sum() + program.issue_cycles[update].sum())


def port_cycles(program: Program) -> int:
    """Return the cycles that the port needs for the bytes of the busier direction."""
    busier = max(int(program.remote_read_bytes.sum()), int(program.remote_write_bytes.sum()))
    return -(-busier // program.architecture.dma.bytes_per_cycle)


def bus_cycles(program: Program) -> int:
    """Return the cycles in which the memory's data buses must move data; 0 for a memory without one."""
    architecture = program.architecture
    moved = tally.asked_bytes(program) - _queued_bytes(program)
    return int(moved / architecture.remote_bus_bytes_per_second * architecture.engine.clock_hz)


def _queued_bytes(program: Program) -> int:
    """Return the most bytes that the queues of writes may keep off the buses: answered from there, or written over.

    An op can find no more bursts in the queues than they hold, of what ops before it wrote. Where columns are not whole
    bursts, two of one op share a burst, too.
    """
    architecture, ops = program.architecture, program.ops
    if not isinstance(architecture.device, DramPart):
        return 0
    writes = program.remote_write_bytes > 0
    stores = bool((writes & (ops.tensor == NO_TENSOR)).any())
    written = np.full(len(program.tensors) + 1, len(ops))
    for column in (ops.tensor, ops.second_tensor):
        np.minimum.at(written, column[writes], np.flatnonzero(writes))
    written[NO_TENSOR] = len(ops)
    number = np.arange(len(ops))
    finds = (number >= written[ops.tensor]) | (number >= written[ops.second_tensor]) | (stores & (ops.tensor < 0))
    burst = architecture.device.burst_bytes(architecture.remote.bus_bits)
    room = architecture.remote.channels * architecture.remote.write_queue
    shared = 2 * (room + 2 * np.where(ops.tensor == NO_TENSOR, 1, ops.count))
    most = np.where((program.column_bytes % burst == 0) & (ops.tensor != NO_TENSOR), room, shared) * burst
    moved = np.minimum(program.remote_read_bytes, most) + np.minimum(program.remote_write_bytes, most)
    return int(moved[finds].sum())


def _share_out(cycles: int, phases: list[UnitTally]) -> None:
    """Give the phases their part of `cycles` of waiting, in proportion to their work."""
    busy = np.array([phase.busy_cycles for phase in phases], dtype=np.float64)
    weights = np.cumsum(busy) / busy.sum() if busy.sum() else np.linspace(0, 1, len(phases) + 1)[1:]
    ends = np.rint(weights * cycles).astype(np.int64)
    for phase, part in zip(phases, np.diff(ends, prepend=0).tolist(), strict=True):
        phase.stall("bound", part)
