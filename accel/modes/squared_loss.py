"""Squared error of a read-out: g = output - wanted, half the gradient of the sum of squares.

What is wanted is in ``formats.memory``, as the outputs are, so that the difference is exact; it is rounded once, to
``formats.gradient``. The factor 2 and the mean over outputs are part of the learning rate.
"""

from __future__ import annotations

from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.modes import cell_forward
from deltatrain.accel.number import Integers, rescale
from deltatrain.accel.work import Counts, Work

UNIT = "elementwise"
WRITES_BACK = False
RETURN_CYCLES: tuple[int, ...] = ()


def result(outputs: Integers, wanted: Integers, formats: Formats) -> Integers:
    """Return the gradient of the outputs, in ``formats.gradient``, shape (..., K).

    Parameters
    ----------
    outputs
        In ``formats.memory``, as `matvec` leaves them, shape (..., K).
    wanted
        What they should be, in ``formats.memory``, shape (..., K).
    formats
        The engine's formats.
    """
    return rescale(outputs - wanted, formats.memory.fraction_bits, formats.gradient)


def class_cycles(formats: Formats) -> int:
    """Return the cycles of one output: it is read once, and what is wanted is subtracted."""
    return 1


def issue_cycles(count: Counts, words: Counts) -> Counts:
    """Return `words`, the cycles of one output (`class_cycles`), for each of `count` outputs."""
    return count * words


drain_cycles = cell_forward.drain_cycles


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions: each output is read and each gradient written once; a subtraction is not priced."""
    formats = engine.formats
    return Work(local_read_bytes=count * formats.memory.bytes, local_write_bytes=count * formats.gradient.bytes)
