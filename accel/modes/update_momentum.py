"""Weight update with momentum: W -= learning rate * v, and dW keeps momentum * v.

`outer` adds the next gradients to what dW keeps, so dW is the velocity v = momentum * v + g itself. It takes no memory
and no traffic beside those of dW, and a second multiplier in each lane.

Both products are exact and rounded once, to nearest even: the step as in `accel.modes.update`, what is kept to
``formats.weight_gradient``.
"""

from __future__ import annotations

from deltatrain.accel.engine import Formats
from deltatrain.accel.modes import matvec, update
from deltatrain.accel.number import Integers, rescale

UNIT = "engine"
WRITES_BACK = True
RETURN_CYCLES = update.RETURN_CYCLES

TENSORS = update.TENSORS

PRODUCTS = 2
"""Of each weight: the step, and what the velocity keeps."""

issue_cycles = matvec.issue_cycles
drain_cycles = matvec.drain_cycles
work = update.work  # a weight is one multiply-accumulate; its further products are priced by `PRODUCTS`


def result(W: Integers, dW: Integers, learning_rate: int, momentum: int, formats: Formats) -> tuple[Integers, Integers]:
    """Return W and dW after the op, both of shape (R, n).

    Parameters
    ----------
    W, dW, learning_rate, formats
        As of `accel.modes.update.result`; dW is the velocity.
    momentum
        In ``formats.learning_rate``.
    """
    after, _ = update.result(W, dW, learning_rate, formats)
    product_bits = formats.learning_rate.fraction_bits + formats.weight_gradient.fraction_bits
    return after, rescale(momentum * dW, product_bits, formats.weight_gradient)
