"""Listing spikes: the encoder of a spiking network holds and compares nothing; it lists the neurons that spiked.

A neuron hands on one of three words: 0, silent; 1.0, a spike; and `MARK`, which stands for 0 and asks for a gradient
(gradient-only, after the public code of Finkbeiner et al., AAAI 2024, jrfinkbeiner/graphcore_snn, branch aaai24).
Spikes and marks are listed by a 16-bit index alone: a spike's value is 1.0, a mark's 0. On the machine spikes come
first and `matvec` and `outer` stop behind them, while `matvec_t` works through all of the list; here the order does not
matter, as adding 0 changes nothing.

Without held values the way back is short: g(x) is what `matvec_t` gives where it was asked, and 0 elsewhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.modes import encode
from deltatrain.accel.modes.encode import Fired
from deltatrain.accel.number import Integers
from deltatrain.accel.work import Counts, Work

UNIT = encode.UNIT
WRITES_BACK = False
RETURN_CYCLES: tuple[int, ...] = ()

HELD = 0
"""Vectors that the encoder holds for each stream."""

MARK = -1
"""What a gradient-only neuron hands on: a spike is positive, so the sign tells them apart."""

issue_cycles = encode.issue_cycles
drain_cycles = encode.drain_cycles


def result(value: Integers, held: Integers, least: int, formats: Formats) -> tuple[Fired, Integers]:
    """Return the list of spikes and marks, and `held` as it is.

    Parameters
    ----------
    value
        x[t] or h[t-1], in ``formats.activation`` or `MARK`, shape (W,).
    held, least
        Not read: there is no threshold.
    formats
        The engine's formats.
    """
    columns = np.flatnonzero(value)
    return Fired(columns, emitted(value[columns])), held


def emitted(value: Integers) -> Integers:
    """Return the numbers that h, shape (..., H), stands for to a reader that takes all of it: a mark is a zero."""
    return np.maximum(value, 0)


def adjoint(g_held: Integers, columns: NDArray[np.int64], s: Integers, formats: Formats) -> tuple[Integers, Integers]:
    """Return the gradient of the values, shape (W,), and `g_held` as it is.

    Parameters
    ----------
    g_held
        Zero, shape (W,): nothing is held.
    columns
        What was listed at step t, shape (n,).
    s
        Its gradients, the result of `matvec_t`, in ``formats.gradient``, shape (n,).
    formats
        The engine's formats.
    """
    g_value = np.zeros_like(g_held)
    g_value[columns] = s
    return g_value, g_held


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions; `rows` is the vector's width. It reads the vector and writes the list."""
    return Work(
        compares=rows,
        local_read_bytes=rows * engine.formats.activation.bytes,
        local_write_bytes=count * list_entry_bytes(engine),
    )


def list_entry_bytes(engine: Engine) -> int:
    """Return the bytes of one entry: a 16-bit index; that its value is 1 goes without saying."""
    return 2
