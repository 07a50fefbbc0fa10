"""Backward: s_j = sum over r of W[r, j] * g_r for each fired j, from the same columns as `matvec`."""

from __future__ import annotations

from accel.engine import Engine
from accel.modes import matvec
from accel.work import Counts, Work

UNIT = "engine"

issue_cycles = matvec.issue_cycles


def drain_cycles(engine: Engine) -> int:
    """Return the depth of `matvec`'s pipeline and of the adder tree over the lanes."""
    return matvec.drain_cycles(engine) + (engine.lanes - 1).bit_length()


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions: each word reads weights and gradients; each column reads and writes one held gradient."""
    entries = count * words * engine.lanes
    formats = engine.formats
    return Work(
        macs=count * rows,
        local_read_bytes=entries * (formats.weight.bytes + formats.gradient.bytes) + count * formats.gradient.bytes,
        local_write_bytes=2 * count * formats.gradient.bytes,
    )
