"""Norm of the gradients: the sum of the squares of dW, column after column, and what it does to the learning rate.

An update whose gradients are longer than a limit takes a lower learning rate: clipping by norm without a pass that
writes dW. The limit is for all matrices together, so the squares of all are added up before the first update. Every
lane squares its entry, and the adder tree adds up the lanes; the sum is exact. Its root is the whole number below,
found bit by bit. The learning rate is that of the step times the limit over the root, rounded down.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isqrt

import numpy as np

from deltatrain.accel.engine import Engine
from deltatrain.accel.modes import matvec
from deltatrain.accel.number import Integers
from deltatrain.accel.tensor_kind import TensorKind
from deltatrain.accel.tiles import ONE_TILE, Tiles
from deltatrain.accel.work import Counts, Work

UNIT = "engine"
WRITES_BACK = False
RETURN_CYCLES: tuple[int, ...] = ()

TENSORS: tuple[TensorKind, ...] = ("gradients",)

PRODUCTS = 1
"""Of each weight: the square, priced as a product of the update."""

COUNT_BITS = 32
"""Of the number of weights whose squares the sum has room for."""

_HALF_BITS = 24  # of an entry: int64 holds the sum of the products of 2**15 such halves
_AT_ONCE = 1 << 14

issue_cycles = matvec.issue_cycles


def result(gradients: Iterable[Integers]) -> int:
    """Return the sum of the squares of matrices in ``formats.weight_gradient``, in units of its square."""
    return sum(
        _squares(dW.ravel()[begin : begin + _AT_ONCE]) for dW in gradients for begin in range(0, dW.size, _AT_ONCE)
    )


def clipped_rate(squares: int, limit: int, learning_rate: int) -> int:
    """Return the learning rate of an update, in the format of the one that is given.

    Parameters
    ----------
    squares
        From `result`.
    limit
        The longest gradient that leaves the rate as it is, in units of ``formats.weight_gradient``, at least 1.
    learning_rate
        Of the step.
    """
    root = isqrt(squares)
    return learning_rate if root < limit else learning_rate * limit // root


def drain_cycles(engine: Engine, tiles: Tiles = ONE_TILE) -> int:
    """Return the way through the adder tree, and a cycle for each bit of root and quotient."""
    formats = engine.formats
    root_bits = formats.weight_gradient_bits + COUNT_BITS // 2
    return matvec.drain_cycles(engine, tiles) + root_bits + formats.learning_rate.bits


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions: each word of dW is read, and each entry squared and added."""
    read = count * words * engine.lanes * engine.formats.weight_gradient.bytes
    return Work(macs=count * rows, local_read_bytes=read)


def _squares(entries: Integers) -> int:
    upper, lower = entries >> _HALF_BITS, entries & ((1 << _HALF_BITS) - 1)
    parts = ((upper, upper, 2 * _HALF_BITS), (upper, lower, _HALF_BITS + 1), (lower, lower, 0))
    return sum(int(np.dot(first, second)) << shift for first, second, shift in parts)
