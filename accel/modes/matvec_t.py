"""Backward: s_j = sum over r of W[r, j] * g_r for each fired j, from the same columns as `matvec`.

Products are exact, and so is the sum over the lanes of one word, made by an adder tree. The sums of a column's words
are added in their order in ``formats.backward_sum``; s_j is rounded once, to ``formats.gradient``, after the last.
"""

from __future__ import annotations

import numpy as np

from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.modes import matvec
from deltatrain.accel.number import Integers, accumulate, rescale
from deltatrain.accel.work import Counts, Work

UNIT = "engine"
WRITES_BACK = False
RETURN_CYCLES: tuple[int, ...] = ()

issue_cycles = matvec.issue_cycles
drain_cycles = matvec.drain_cycles


def result(W_fired: Integers, g: Integers, lanes: int, formats: Formats) -> Integers:
    """Return s of the fired columns, in ``formats.gradient``, shape (n,); parameters as of `partial`."""
    total = partial(W_fired, g, lanes, formats)
    return rescale(total, formats.backward_sum.fraction_bits, formats.gradient)


def partial(W_fired: Integers, g: Integers, lanes: int, formats: Formats) -> Integers:
    """Return the sums that s is rounded from, in ``formats.backward_sum``, shape (n,); of one tile of several its own.

    Parameters
    ----------
    W_fired
        The fired columns of W in the order of the list, in ``formats.weight``, shape (R, n).
    g
        Gradient of the rows, in ``formats.gradient``, shape (R,).
    lanes
        P: word k of a column holds its rows k*P to (k+1)*P - 1.
    formats
        The engine's formats.
    """
    words = np.add.reduceat(W_fired * g[:, None], np.arange(0, len(g), lanes), axis=0)
    start = np.zeros(W_fired.shape[1], dtype=np.int64)
    return accumulate(start, words, formats.backward_sum)


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions: each word reads weights and gradients; each column reads and writes one held gradient."""
    entries = count * words * engine.lanes
    formats = engine.formats
    return Work(
        macs=count * rows,
        local_read_bytes=entries * (formats.weight.bytes + formats.gradient.bytes) + count * formats.gradient.bytes,
        local_write_bytes=2 * count * formats.gradient.bytes,
    )


def in_turns(list_words: Counts, lane_words: Counts, turns: Counts, engine: Engine) -> Work:
    """Return what `work` has too much where several arrays take the columns in turns, as a negative number of bytes.

    All arrays work on the same rows at once, so that a word of gradients is read once a turn for all of them.
    """
    return Work(local_read_bytes=(lane_words - list_words) * engine.lanes * engine.formats.gradient.bytes)
