"""Element-wise gates of one step, forward: what follows the matrix products for a layer's H neurons."""

from __future__ import annotations

from accel.engine import Engine
from accel.work import Counts, Work

UNIT = "elementwise"


def neuron_slots(lookups: int, multiplies: int) -> int:
    """Return the cycles that one neuron holds its lane: one table port and one multiplier work side by side."""
    return max(lookups, multiplies)


def issue_cycles(count: Counts, words: Counts) -> Counts:
    """Return `words`: chunks of neurons times `neuron_slots`."""
    return words


def drain_cycles(engine: Engine) -> int:
    """Return the pipeline's depth: read, table, interpolate, product, sum, write, twice through for tanh(c)."""
    return 8


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions; `count` is the number of multiplications, `rows` of values read, each written back once."""
    value = engine.formats.gate.bytes
    return Work(multiplies=count, local_read_bytes=rows * value, local_write_bytes=rows * value)
