"""A layer's state copied within local SRAM, kept from the working state or brought back to it: a word a cycle.

The element-wise unit does it, because its ports reach M, h, h-hat and the cell's own state. A word is one value for
each of its lanes, read and written in the same cycle; every vector begins at a word. No published machine says how it
copies, so this is an assumption: the least that one port each way allows.
"""

from __future__ import annotations

from deltatrain.accel.engine import Engine
from deltatrain.accel.modes import cell_forward
from deltatrain.accel.work import Counts, Work

UNIT = "elementwise"
WRITES_BACK = False
RETURN_CYCLES: tuple[int, ...] = ()

drain_cycles = cell_forward.drain_cycles  # one for all that the unit does, so that its ops are done in their order


def issue_cycles(count: Counts, words: Counts) -> Counts:
    """Return `words`: vectors of the state, each in words of the unit's lanes."""
    return words


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions; `count` is the bytes, each read and written once."""
    return Work(local_read_bytes=count, local_write_bytes=count)
