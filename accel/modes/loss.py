"""Softmax cross-entropy of a read-out: g = probabilities - one-hot label."""

from __future__ import annotations

from accel.engine import Engine
from accel.work import Counts, Work

UNIT = "elementwise"

# A restoring divider makes one bit of the quotient a cycle.
_DIVIDE_CYCLES = 16


def issue_cycles(count: Counts, words: Counts) -> Counts:
    """Return for each of `count` classes one cycle for its exponential and one division by the sum."""
    return count * (1 + _DIVIDE_CYCLES)


def drain_cycles(engine: Engine) -> int:
    """Return the pipeline's depth: read, table, sum, subtract, write."""
    return 5


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions: a division is as many additions as bits, priced as one multiplication."""
    value = engine.formats.gradient.bytes
    return Work(multiplies=count, local_read_bytes=2 * count * value, local_write_bytes=2 * count * value)
