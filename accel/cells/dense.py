"""A layer without recurrence: h = max(M, 0), a rectified linear unit on what comes from below.

The tape keeps its slope, 1 or 0, in ``formats.gate``.
"""

from __future__ import annotations

import numpy as np

from deltatrain.accel.engine import Formats
from deltatrain.accel.number import Integers, rescale, round_sum

ACCUMULATORS = 1
KEPT = 1
ENCODER = "encode"
BLOCKS_X: tuple[int, ...] = (0,)
BLOCKS_H: tuple[int, ...] = ()
BIAS_X = True
BIAS_H = False
STATE: tuple[str, ...] = ()
TAPE = ("slope",)
WIDE: tuple[str, ...] = ()
SQUASHED: dict[str, str] = {}
SQUARED: tuple[str, ...] = ()
CARRIES = False
LOOKUPS = 0
FORWARD_MULTIPLIES = 0
BACKWARD_MULTIPLIES = 1  # g(h) times the slope


def forward(M: Integers, state: Integers, formats: Formats) -> tuple[Integers, Integers, Integers]:
    """Return the new state, h and the tape of one step.

    Parameters
    ----------
    M
        Delta memory in ``formats.memory``, shape (1, ..., H).
    state
        Empty, shape (0, ..., H): nothing of the previous step enters but through M.
    formats
        The engine's formats.

    Returns
    -------
    tuple[Integers, Integers, Integers]
        ``STATE``, empty; h in ``formats.activation``, shape (..., H); ``TAPE`` in ``formats.gate``, shape (1, ..., H).
    """
    h = rescale(np.maximum(M[0], 0), formats.memory.fraction_bits, formats.activation)
    one = min(1 << formats.gate.fraction_bits, formats.gate.highest)
    return state, h, np.stack([np.where(M[0] > 0, one, 0)])


def backward(
    g_h: Integers, carry: Integers, tape: Integers, g_M: Integers, formats: Formats
) -> tuple[Integers, Integers]:
    """Return g(M) of this step and the carry, which this cell hands on as it is.

    Parameters
    ----------
    g_h
        Gradient of h in ``formats.gradient``, shape (..., H).
    carry
        Not read, shape (..., H).
    tape
        What `forward` returned.
    g_M
        g(M) of the step after in ``formats.gradient``, shape (1, ..., H). It accumulates over reverse time.
    formats
        The engine's formats.
    """
    gate, gradient = formats.gate.fraction_bits, formats.gradient.fraction_bits
    (slope,) = tape
    stepped = round_sum(formats.gradient, (g_M[0], gradient), (g_h * slope, gradient + gate))
    return np.stack([stepped]), carry
