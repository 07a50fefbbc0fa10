"""Closed forms over the op table: cycles that no run of a program stays below."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.dram import DramPart
from deltatrain.accel.op_work import OpWork
from deltatrain.accel.program import ENGINE, NO_TENSOR, Program


def least_cycles(program: Program) -> int:
    """Return the largest of the bounds: each unit's own work, the recurrence, bytes on the port and on the bus."""
    return max(*program.own.unit_cycles, recurrence_cycles(program), port_cycles(program), bus_cycles(program))


def recurrence_cycles(program: Program) -> int:
    """Return a lower bound from what waits for what.

    The engine takes the samples one after the other: all ops of a sample follow its first input product and precede its
    last weight gradient. So the samples' spans add up. A span is at least the engine's own work on the sample. It is
    also at least the longest chain of waits through the recurrence of a layer. Forward the chain has the encoder, the
    recurrent product and the cells of every step, then the read-out of the last step and the loss. Backward it has the
    cells and the recurrent product of every step. With several tiles it has their exchange too. What is run again is
    left out, and so is the encoder where lists stream. Where nothing runs backward, a sample's last op is its read-out,
    and the next sample's first follows once that is issued. Where each step learns at once, nothing comes back through
    time: the chain has the steps forward and the read-out.
    """
    own = program.own
    if own not in _RECURRENCE:
        _RECURRENCE[own] = _recurrence_cycles(program)
    return _RECURRENCE[own]


_RECURRENCE: WeakKeyDictionary[OpWork, int] = WeakKeyDictionary()
"""Programs that differ in homes alone have the same."""


def _recurrence_cycles(program: Program) -> int:
    ops, issued = program.ops, program.issue_cycles * program.times
    cost = issued + program.drain_cycles * program.times
    samples, layers = int(ops.sample.max(initial=0)) + 1, int(ops.layer.max(initial=0)) + 1
    first = ~ops.is_phase("RF")
    cells = first & ops.is_mode("cell_forward", "cell_backward")
    if not cells.any():
        return 0
    products = ops.is_mode("matvec", "matvec_t", "reduce")
    if not program.architecture.engine.list_streams:  # else lanes take columns while they are listed
        products |= program.is_unit("encoder")
    sent_forward = ops.is_mode("broadcast") & ops.is_phase("FP")
    chain = cells | (first & ops.is_stream("h") & (ops.step > 0) & (products | sent_forward))
    if ops.is_mode("trace").any():
        chain &= ops.is_phase("FP")
    last_step = np.zeros(samples, dtype=np.int64)
    np.maximum.at(last_step, ops.sample[cells], ops.step[cells])
    update = ops.is_phase("WU")
    readout = ops.is_stream("readout") & ~ops.is_phase("WG", "WU") & (ops.step == last_step[ops.sample])
    of_layer = np.bincount(ops.sample[chain] * layers + ops.layer[chain], cost[chain], samples * layers)
    read = cost if ops.is_mode("loss", "squared_loss").any() else issued
    of_readout = np.bincount(ops.sample[readout], read[readout], samples)
    through = of_layer.reshape(samples, layers).max(axis=1) + of_readout
    on_engine = (program.unit == ENGINE) & ~update
    engine = np.bincount(ops.sample[on_engine], issued[on_engine], samples)
    return int(np.maximum(engine, through).sum() + issued[update].sum())


def port_cycles(program: Program) -> int:
    """Return the cycles that the port needs for the bytes of the busier direction."""
    return -(-max(program.read_bytes, program.write_bytes) // program.architecture.dma.bytes_per_cycle)


def bus_cycles(program: Program) -> int:
    """Return the cycles in which the memory's data buses must move data; 0 for a memory without one."""
    return cycles_on_bus(program.architecture, sum(bus_bytes(program)))


def cycles_on_bus(architecture: Architecture, moved_bytes: int) -> int:
    """Return the cycles in which the data buses of a machine's memory move so many bytes."""
    return int(moved_bytes / architecture.remote_bus_bytes_per_second * architecture.engine.clock_hz)


def bus_bytes(program: Program) -> tuple[int, int]:
    """Return the bytes that the memory's data buses must move at least: read, and written."""
    answered, replaced = _queued_bytes(program)
    return program.read_bytes - answered, program.write_bytes - replaced


def _queued_bytes(program: Program) -> tuple[int, int]:
    """Return how many bytes the write queues keep off the buses at most: reads answered there, writes replaced there.

    An op finds at most as many bursts of earlier ops in the queues as they hold. Where columns are not whole bursts,
    two columns of one op may share a burst, too.
    """
    architecture, ops = program.architecture, program.ops
    if not isinstance(architecture.device, DramPart):
        return 0, 0
    writes = program.remote_write_bytes > 0
    stores = bool((writes & (ops.tensor == NO_TENSOR)).any())
    written = np.full(len(program.tensors) + 1, len(ops))
    for column in (ops.tensor, ops.second_tensor):
        np.minimum.at(written, column[writes], np.flatnonzero(writes))
    written[NO_TENSOR] = len(ops)
    number = np.arange(len(ops))
    finds = (number >= written[ops.tensor]) | (number >= written[ops.second_tensor]) | (stores & (ops.tensor < 0))
    pieces = np.where(ops.tensor == NO_TENSOR, 1, ops.count)
    if program.cached_runs is not None:  # lines of any matrix go out in any op, each run is a piece, and so is a line
        finds[:] = True
        pieces = pieces + 2 * program.cached_runs.pieces()
    burst = architecture.device.burst_bytes(architecture.remote.bus_bits)
    room = architecture.remote.channels * architecture.remote.write_queue
    shared = 2 * (room + 2 * pieces)
    whole_bursts = (program.remote_word_bytes * ops.words % burst == 0) & (ops.tensor != NO_TENSOR)
    whole_bursts &= program.cache is None or program.cache.line_bytes % burst == 0
    most = np.where(whole_bursts, room, shared) * burst
    most *= finds
    return (
        program.total(np.minimum(program.remote_read_bytes, most)),
        program.total(np.minimum(program.remote_write_bytes, most)),
    )
