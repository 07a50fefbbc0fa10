"""Weight gradient: dW[:, j] += g * delta_j for each fired column j.

A list names a column once, so each accumulator takes one exact product an op and is fitted to
``formats.weight_gradient``. The order of the ops (sample after sample, steps from the last to the first) matters only
where it saturates.

An op on a group of steps (`accel.engine.Engine.outer_steps`) has the columns of all their lists in one: column after
column, and of a column its steps from the last to the first. So each accumulator is added to in the same order, and no
bit of dW depends on the groups. The lanes hold a word of a column until all that its steps add is in it. They take it
once all of the column has come, if more than one step adds to it.
"""

from __future__ import annotations

from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.modes import matvec, matvec_t
from deltatrain.accel.number import Integers, fit
from deltatrain.accel.work import Counts, Work

UNIT = "engine"
WRITES_BACK = True
RETURN_CYCLES = (5,)
"""From the cycle in which a word of dW is addressed to that in which what takes its place is stored: one to read it,
and the lanes' stages 0 to 4 (`rtl.lanes.unit`, `rtl.engine.matrix_store`)."""

issue_cycles = matvec.issue_cycles
drain_cycles = matvec.drain_cycles
in_turns = matvec_t.in_turns


def result(dW_fired: Integers, g: Integers, delta: Integers, formats: Formats) -> Integers:
    """Return the fired columns of dW after the op, in ``formats.weight_gradient``, shape (R, n).

    Parameters
    ----------
    dW_fired
        The same columns before, shape (R, n).
    g
        Gradient of the rows, in ``formats.gradient``, shape (R,).
    delta
        Deltas of the columns, in ``formats.activation``, shape (n,).
    formats
        The engine's formats.
    """
    return fit(dW_fired + g[:, None] * delta, formats.weight_gradient)


def in_groups(held_words: Counts, engine: Engine) -> Work:
    """Return what `work` has too much where so many words of dW are in the lanes already, as negative numbers."""
    less = -held_words * engine.lanes * engine.formats.weight_gradient.bytes
    return Work(local_read_bytes=less, local_write_bytes=less)


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions: each word reads gradients and dW, and writes dW back."""
    entries = count * words * engine.lanes
    formats = engine.formats
    return Work(
        macs=count * rows,
        local_read_bytes=entries * (formats.gradient.bytes + formats.weight_gradient.bytes),
        local_write_bytes=entries * formats.weight_gradient.bytes,
    )
