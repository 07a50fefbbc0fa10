"""Weight update with momentum and weight decay: W -= learning rate * v, and dW keeps momentum * v + decay * W.

W is here the weight after the update, so that the next step's gradients are added to what its decay and its momentum
leave: v = momentum * v + g + decay * W, as gradient descent with both has it. As in `accel.modes.update_momentum` the
velocity is dW itself. Before the first step dW must hold decay * W (`kept` of a velocity of zero).

Products are exact. What is kept is rounded once, to nearest even, and fitted to ``formats.weight_gradient``.
"""

from __future__ import annotations

from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.modes import matvec, update
from deltatrain.accel.number import Integers, round_sum
from deltatrain.accel.tiles import ONE_TILE, Tiles

UNIT = "engine"
WRITES_BACK = True
RETURN_CYCLES = (6, 9)
"""Of W, and of dW, which waits until W is there and multiplied; see `accel.modes.outer`."""

TENSORS = update.TENSORS

PRODUCTS = 3
"""Of each weight: the step, and what is kept of velocity and weight."""

_WIDEST_SUM_BITS = 62

issue_cycles = matvec.issue_cycles
work = update.work  # as of `accel.modes.update_momentum`


def result(
    W: Integers, dW: Integers, learning_rate: int, factors: tuple[int, int], formats: Formats
) -> tuple[Integers, Integers]:
    """Return W and dW after the op, both of shape (R, n).

    Parameters
    ----------
    W, dW, learning_rate, formats
        As of `accel.modes.update.result`; dW is the velocity.
    factors
        Momentum and decay, in ``formats.learning_rate``; momentum may be 0.
    """
    after, _ = update.result(W, dW, learning_rate, formats)
    return after, kept(after, dW, factors, formats)


def kept(W: Integers, velocity: Integers, factors: tuple[int, int], formats: Formats) -> Integers:
    """Return momentum * velocity + decay * W, in ``formats.weight_gradient``; arguments as of `result`."""
    momentum, decay = factors
    fraction_bits = formats.learning_rate.fraction_bits
    of_velocity = momentum * velocity, fraction_bits + formats.weight_gradient.fraction_bits
    of_weight = decay * W, fraction_bits + formats.weight.fraction_bits
    return round_sum(formats.weight_gradient, of_velocity, of_weight)


def formats_limit(formats: Formats) -> str | None:
    """Return why 64 bits do not hold the sum of both products; None if they do."""
    finer = formats.weight_gradient.fraction_bits - formats.weight.fraction_bits
    of_velocity = formats.learning_rate.bits + formats.weight_gradient_bits + max(0, -finer)
    of_weight = formats.learning_rate.bits + formats.weight.bits + max(0, finer)
    widest = max(of_velocity, of_weight)
    if widest <= _WIDEST_SUM_BITS:
        return None
    return (
        f"weight decay needs products of at most {_WIDEST_SUM_BITS} bits at one point, and the formats of learning "
        f"rate, weight and weight gradient make {widest}"
    )


def drain_cycles(engine: Engine, tiles: Tiles = ONE_TILE) -> int:
    """Return the depth of the lanes' pipeline; where few lanes make it short, what is kept takes longer."""
    return max(matvec.drain_cycles(engine, tiles), matvec.drain_cycles(engine) + 3 - (engine.lanes - 1).bit_length())
