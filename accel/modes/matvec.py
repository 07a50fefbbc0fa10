"""Forward: y += W[:, j] * delta_j for each fired column j."""

from __future__ import annotations

from accel.engine import Engine
from accel.work import Counts, Work

UNIT = "engine"


def issue_cycles(count: Counts, words: Counts) -> Counts:
    """Return one cycle a word, `words` a column; an op in which nothing fired costs its one cycle of issue."""
    return (count * words).clip(1)


def drain_cycles(engine: Engine) -> int:
    """Return the pipeline's depth: list, address, weight read, product, sum, write-back."""
    return 6


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions: each word reads its weights and the accumulators, and writes the accumulators back."""
    entries = count * words * engine.lanes
    formats = engine.formats
    return Work(
        macs=count * rows,
        local_read_bytes=entries * (formats.weight.bytes + formats.memory.bytes),
        local_write_bytes=entries * formats.memory.bytes,
    )
