"""Closed forms over the op table: commands and clocks of the DRAM that no run of a program stays below."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.dram import DramPart
from deltatrain.accel.dram_refresh import refreshes_of
from deltatrain.accel.engine import PS_PER_SECOND
from deltatrain.accel.program import NO_TENSOR, Program, Tensor


class LeastCommands(TypedDict, total=False):
    """Fields of `accel.counters.RemoteCounters` that price a DRAM."""

    activates: int
    refreshes: int
    read_bursts: int
    write_bursts: int
    active_ticks: int
    idle_ticks: int


def least_commands(program: Program, cycles: int, moved_bytes: tuple[int, int]) -> LeastCommands:
    """Return the fewest commands and clocks of a run; empty for a memory that is no DRAM.

    Parameters
    ----------
    program
        What is run.
    cycles
        How long that takes at least.
    moved_bytes
        What its data buses move at least (`workloads.lowering.costs.bounds.bus_bytes`).

    Notes
    -----
    Bursts: the bytes that the data buses must move. Activates: each row that is touched is opened once. Refreshes: of
    each rank those that are due but the last, which may wait. Clocks: all ranks are in standby all the time, with a
    bank open no longer than a rank moves data or refreshes.
    """
    part, controller = program.architecture.device, program.architecture.remote
    if not isinstance(part, DramPart):
        return {}
    reads, writes = (-(-moved // part.burst_bytes(controller.bus_bits)) for moved in moved_bytes)
    ticks = cycles * PS_PER_SECOND // (program.architecture.engine.clock_hz * part.tck_ps)
    ranks, refresh = controller.all_ranks, refreshes_of(part)[controller.refresh]
    refreshes = ranks * max(0, ticks // refresh.refresh_interval - 1)
    refreshing = refreshes * refresh.refresh if controller.refresh == "all_bank" else 0
    active = min(ranks * ticks, (reads + writes) * part.burst_cycles + refreshing)
    return {
        "activates": -(-touched_bytes(program) // part.row_bytes(controller.bus_bits)),
        "refreshes": refreshes,
        "read_bursts": reads,
        "write_bursts": writes,
        "active_ticks": active,
        "idle_ticks": ranks * ticks - active,
    }


def touched_bytes(program: Program) -> int:
    """Return how many different bytes of off-chip memory a program reads or writes."""
    if program.touched_bytes is not None:
        return program.touched_bytes
    remote = [(number, tensor) for number, tensor in enumerate(program.tensors) if tensor.remote]
    return sum(_of_matrix(program, *each) for each in remote) + _of_transfers(program)


def _of_matrix(program: Program, number: int, tensor: Tensor) -> int:
    """Return the bytes of the columns of a matrix that are in the list of any op on it."""
    ops, entries = program.ops, len(program.columns) + 1
    rows = np.flatnonzero((ops.tensor == number) | (ops.second_tensor == number))
    if len(rows) and _known(program, rows[np.argmax(ops.count[rows])], tensor).sum() == tensor.columns:
        return tensor.bytes  # as the update of a matrix does
    start = ops.list_start[rows]
    lists = np.bincount(start, minlength=entries) - np.bincount(start + ops.count[rows], minlength=entries)
    touched = np.unique(program.columns[np.cumsum(lists[:-1]) > 0])
    return int(tensor.column_words[touched[touched < tensor.columns]].sum()) * tensor.word_bytes


def _known(program: Program, row: int, tensor: Tensor) -> NDArray[np.bool_]:
    """Return which columns of a matrix are in the list of an op, shape (columns,)."""
    start, found = program.ops.list_start[row], np.zeros(tensor.columns, dtype=np.bool_)
    listed = program.columns[start : start + program.ops.count[row]]
    found[listed[listed < tensor.columns]] = True
    return found


def _of_transfers(program: Program) -> int:
    """Return the bytes in the union of what ops load and store without a matrix."""
    ops = program.ops
    chosen = (ops.tensor == NO_TENSOR) & ((program.remote_read_bytes + program.remote_write_bytes) > 0)
    order = np.argsort(ops.address[chosen], kind="stable")
    start = ops.address[chosen][order]
    end: NDArray[np.int64] = np.maximum.accumulate(start + ops.count[chosen][order])
    behind = np.concatenate([start[:1], end[:-1]])
    return int(np.maximum(0, end - np.maximum(start, behind)).sum())
