"""Weight update: W -= learning rate * dW, column after column, and dW is cleared (stochastic gradient descent)."""

from __future__ import annotations

from accel.engine import Engine
from accel.modes import matvec
from accel.work import Counts, Work

UNIT = "engine"

issue_cycles = matvec.issue_cycles
drain_cycles = matvec.drain_cycles


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions: each word reads W and dW, and writes both."""
    entries = count * words * engine.lanes
    moved = entries * (engine.formats.weight.bytes + engine.formats.weight_gradient.bytes)
    return Work(macs=count * rows, local_read_bytes=moved, local_write_bytes=moved)
