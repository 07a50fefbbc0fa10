"""Delta encoding: delta = x - x-hat where it reaches the threshold, and x-hat follows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accel.engine import Engine
from accel.work import Counts, Work

UNIT = "encoder"


def scan_cycles(fired: NDArray[np.bool_], engine: Engine) -> Counts:
    """Return the cycles to scan each vector: a group of S elements takes one for each entry it emits, at least one.

    Parameters
    ----------
    fired
        Masks of shape (..., n).
    """
    group = engine.encoder_elements
    width = fired.shape[-1]
    padded = np.zeros((*fired.shape[:-1], -(-width // group) * group), dtype=np.uint8)
    padded[..., :width] = fired
    entries = padded.reshape(*fired.shape[:-1], -1, group).sum(axis=-1, dtype=np.int64)
    return np.asarray(entries.clip(1).sum(axis=-1))


def pass_cycles(width: int, engine: Engine) -> int:
    """Return the cycles in which a dense machine, which keeps no list, hands on a vector: S elements a cycle."""
    return -(-width // engine.encoder_elements)


def issue_cycles(count: Counts, words: Counts) -> Counts:
    """Return `words`, which for this mode are the cycles of the scan (`scan_cycles`)."""
    return words


def drain_cycles(engine: Engine) -> int:
    """Return the pipeline's depth: read, subtract and compare, emit."""
    return 3


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions; `rows` is the vector's width. It reads x and x-hat, and writes x-hat and the list."""
    value = engine.formats.activation.bytes
    return Work(
        compares=rows,
        local_read_bytes=2 * rows * value,
        local_write_bytes=count * (value + list_entry_bytes(engine)),
    )


def list_entry_bytes(engine: Engine) -> int:
    """Return the bytes of one (index, value) pair: a 16-bit index and an activation."""
    return 2 + engine.formats.activation.bytes
