"""Delta encoding: an element whose delta x - x-hat reaches the threshold fires, x-hat follows; and its backward pass.

The difference of two activations is exact in one more bit. The element fires if it is not zero and its magnitude is at
least theta. The delta that is listed saturates to ``formats.activation``, whatever the overflow rule of that format,
because a wrapped delta would point the wrong way. Then x-hat += delta ends between x-hat and x, so it needs no fitting;
where the delta saturated x-hat has not arrived yet and the rest fires at a later step.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.modes import SOON_CYCLES
from deltatrain.accel.number import Integers, fit
from deltatrain.accel.tiles import ONE_TILE, Tiles, dealt, own_elements
from deltatrain.accel.work import Counts, Work

UNIT = "encoder"
WRITES_BACK = False
RETURN_CYCLES: tuple[int, ...] = ()

HELD = 1
"""Vectors that the encoder holds for each stream: x-hat, h-hat."""

PIPELINE_CYCLES = 3
"""From taking the last word of a vector to the cycle after its last entry."""


class Fired(NamedTuple):
    """A list of fired elements, as the encoder writes it and all three matrix modes read it.

    Attributes
    ----------
    columns
        Their indices in increasing order, shape (n,).
    delta
        Their deltas, in ``formats.activation``, shape (n,).
    """

    columns: NDArray[np.int64]
    delta: Integers


def threshold(theta: float, formats: Formats) -> int:
    """Return the least integer difference that reaches `theta`, a finite number of at least 0."""
    if not 0 <= theta < np.inf:
        raise ConfigError(f"a threshold must be a finite number of at least 0, not {theta!r}")
    return math.ceil(Fraction(theta) * (1 << formats.activation.fraction_bits))  # exact, however large


def result(value: Integers, held: Integers, least: int, formats: Formats) -> tuple[Fired, Integers]:
    """Return what fired, and the held values after the op, shape (W,).

    Parameters
    ----------
    value
        x[t] or h[t-1], in ``formats.activation``, shape (W,).
    held
        x-hat or h-hat of the step before, in the same format, shape (W,); zero before step 0.
    least
        Theta as an integer, from `threshold`.
    formats
        The engine's formats.
    """
    difference = value - held
    columns = np.flatnonzero((np.abs(difference) >= least) & (difference != 0))
    delta = np.clip(difference[columns], formats.activation.lowest, formats.activation.highest)
    after = held.copy()
    after[columns] += delta
    return Fired(columns, delta), after


def emitted(value: Integers) -> Integers:
    """Return the numbers that h, shape (..., H), stands for to a reader that takes all of it: h itself."""
    return value


def adjoint(g_held: Integers, columns: NDArray[np.int64], s: Integers, formats: Formats) -> tuple[Integers, Integers]:
    """Return the gradient of the values and that of the held values of the step before, both of shape (W,).

    Where the element fired, g(x[t]) = g(x-hat[t]) + s and g(x-hat[t-1]) = -s; elsewhere g(x[t]) = 0 and g(x-hat) stays.

    Parameters
    ----------
    g_held
        Gradient of x-hat[t], in ``formats.gradient``, shape (W,); zero after the last step.
    columns
        What fired at step t, shape (n,).
    s
        Gradient of its deltas, the result of `matvec_t`, in ``formats.gradient``, shape (n,).
    formats
        The engine's formats.
    """
    g_value, before = np.zeros_like(g_held), g_held.copy()
    g_value[columns] = fit(g_held[columns] + s, formats.gradient)
    before[columns] = fit(-s, formats.gradient)
    return g_value, before


def scan_cycles(fired: NDArray[np.bool_], engine: Engine, tiles: int = 1) -> Counts:
    """Return the cycles to scan each vector: a group of S elements takes one for each entry it emits, at least one.

    A vector without elements takes one cycle too, as an op must pass. Of several tiles each scans its own elements, and
    the one counts that takes longest.

    Parameters
    ----------
    fired
        Masks of shape (..., n).
    """
    group, own = engine.encoder_elements, dealt(fired, engine.lanes, tiles)
    groups = -(-own.shape[-1] // group)
    padded = np.zeros((*own.shape[:-1], groups * group), dtype=np.uint8)
    padded[..., : own.shape[-1]] = own
    entries = padded.reshape(*own.shape[:-1], groups, group).sum(axis=-1, dtype=np.int64)
    exists = np.arange(groups) * group < own_elements(fired.shape[-1], engine.lanes, tiles)[:, None]
    return np.asarray(np.maximum(entries, exists).sum(axis=-1).max(axis=-1).clip(1))


def pass_cycles(width: int, engine: Engine) -> int:
    """Return the cycles in which a dense machine, which keeps no list, hands on a vector: S elements a cycle."""
    return -(-width // engine.encoder_elements)


def issue_cycles(count: Counts, words: Counts) -> Counts:
    """Return `words`, which for this mode are the cycles of the scan (`scan_cycles`)."""
    return words


def drain_cycles(engine: Engine, tiles: Tiles = ONE_TILE) -> int:
    """Return the pipeline's depth: take, fetch, compare; the list's length is noted; and the list may be read."""
    return PIPELINE_CYCLES + 1 + SOON_CYCLES


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
