"""Moments of the gradients: the means of Adam, and in the place of each gradient the step that they make of it.

Mean m and square v of every weight lie in a matrix of their own, in local SRAM or off-chip as dW does. With g of dW the
op computes, for each weight,

    m = beta m + (1 - beta) g,    v = v + 2**-10 (g**2 - v),    dW = m / (root(v) + 1 unit)

and the update that follows takes dW for a gradient (Kingma and Ba, Adam, ICLR 2015, algorithm 1). The corrections of
both means at the beginning are part of the learning rate. m is rounded once, to nearest even, to
``formats.weight_gradient``. g is rounded to as many fraction bits as ``formats.gradient`` has before it is squared; v
has twice as many, as many bits as dW and no sign, and saturates. Its root is the whole number below, and the quotient
is rounded toward zero.
"""

from __future__ import annotations

import numpy as np

from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.modes import matvec
from deltatrain.accel.number import Integers, fit, move_point, rescale, shift_right_nearest_even
from deltatrain.accel.tensor_kind import TensorKind
from deltatrain.accel.tiles import ONE_TILE, Tiles
from deltatrain.accel.work import Counts, Work

UNIT = "engine"
WRITES_BACK = True
RETURN_CYCLES = (4, 4)
"""Beside root and quotient; no local memory of one port has a law for it (`workloads.lowering.limits`)."""

TENSORS: tuple[TensorKind, ...] = ("moments", "gradients")

PRODUCTS = 3
"""Of each weight: two of the mean, and the square; root and quotient are not priced."""

SQUARE_SHIFT = 10
"""1 - beta_2 is 2 to the minus this: beta_2 is 0.99902, where the paper has 0.999, and needs no multiplier."""

_WIDEST_BITS = 62

issue_cycles = matvec.issue_cycles


def result(
    dW: Integers, mean: Integers, square: Integers, beta: int, formats: Formats
) -> tuple[Integers, Integers, Integers]:
    """Return dW, mean and square after the op, all of the shape of dW.

    Parameters
    ----------
    dW, mean
        In ``formats.weight_gradient``.
    square
        At least 0 and below 2 to the power of the bits of dW, with twice the fraction bits of ``formats.gradient``.
    beta
        In ``formats.learning_rate``.
    formats
        The engine's formats.
    """
    number, rate, half = formats.weight_gradient, formats.learning_rate, formats.gradient.fraction_bits
    one = 1 << rate.fraction_bits
    mean = rescale(beta * mean + (one - beta) * dW, rate.fraction_bits + number.fraction_bits, number)
    nearest = np.minimum(np.abs(move_point(dW, number.fraction_bits, half)), 1 << ((number.bits + 1) // 2))
    moved = square + shift_right_nearest_even(nearest * nearest - square, SQUARE_SHIFT)
    square = np.minimum(moved, (1 << number.bits) - 1)
    quotient = (np.abs(mean) << half) // (_root(square) + 1)
    return fit(np.sign(mean) * quotient, number), mean, square


def _root(values: Integers) -> Integers:
    """Return the largest integers whose squares are not above `values`, which are below 2**48."""
    root = np.sqrt(values.astype(np.float64)).astype(np.int64)
    return root - (root * root > values)


def formats_limit(formats: Formats) -> str | None:
    """Return why 64 bits do not hold what the op computes; None if they do."""
    number, half = formats.weight_gradient, formats.gradient.fraction_bits
    widest = max(number.bits + half, number.bits + formats.learning_rate.bits)
    if widest <= _WIDEST_BITS:
        return None
    return f"adam needs numbers of at most {_WIDEST_BITS} bits, and the formats of gradients and rate make {widest}"


def drain_cycles(engine: Engine, tiles: Tiles = ONE_TILE) -> int:
    """Return the way through the lanes, with a stage for each bit of root and quotient."""
    bits = engine.formats.weight_gradient_bits
    return matvec.drain_cycles(engine, tiles) + (bits + 1) // 2 + bits


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions: mean, square and dW of each word are read and written."""
    moved = 3 * count * words * engine.lanes * engine.formats.weight_gradient.bytes
    return Work(macs=count * rows, local_read_bytes=moved, local_write_bytes=moved)
