"""Weight gradient: dW[:, j] += g * delta_j for each fired column j."""

from __future__ import annotations

from accel.engine import Engine
from accel.modes import matvec
from accel.work import Counts, Work

UNIT = "engine"

issue_cycles = matvec.issue_cycles
drain_cycles = matvec.drain_cycles


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions: each word reads gradients and dW, and writes dW back."""
    entries = count * words * engine.lanes
    formats = engine.formats
    return Work(
        macs=count * rows,
        local_read_bytes=entries * (formats.gradient.bytes + formats.weight_gradient.bytes),
        local_write_bytes=entries * formats.weight_gradient.bytes,
    )
