"""Weight update: W -= learning rate * dW, column after column, and dW is cleared (stochastic gradient descent).

The product is exact; it is rounded once, to nearest even, to the fraction of ``formats.weight``, and the difference is
fitted to that format.
"""

from __future__ import annotations

import numpy as np

from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.modes import matvec
from deltatrain.accel.number import Integers, fit, move_point
from deltatrain.accel.tensor_kind import TensorKind
from deltatrain.accel.work import Counts, Work

UNIT = "engine"
WRITES_BACK = True
RETURN_CYCLES = (6, 5)
"""Of W, whose stage is one later, and of dW; see `accel.modes.outer`."""

TENSORS: tuple[TensorKind, ...] = ("weights", "gradients")

PRODUCTS = 1
"""Of each weight: the step."""

issue_cycles = matvec.issue_cycles
drain_cycles = matvec.drain_cycles


def result(W: Integers, dW: Integers, learning_rate: int, formats: Formats) -> tuple[Integers, Integers]:
    """Return W and dW after the op, both of shape (R, n).

    Parameters
    ----------
    W
        Columns in ``formats.weight``, shape (R, n).
    dW
        The same columns of the weight gradient, in ``formats.weight_gradient``, shape (R, n).
    learning_rate
        In ``formats.learning_rate``.
    formats
        The engine's formats.
    """
    product_bits = formats.learning_rate.fraction_bits + formats.weight_gradient.fraction_bits
    step = move_point(learning_rate * dW, product_bits, formats.weight.fraction_bits)
    return fit(W - step, formats.weight), np.zeros_like(dW)


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions: each word reads W and dW, and writes both."""
    entries = count * words * engine.lanes
    moved = entries * (engine.formats.weight.bytes + engine.formats.weight_gradient.bytes)
    return Work(macs=count * rows, local_read_bytes=moved, local_write_bytes=moved)
