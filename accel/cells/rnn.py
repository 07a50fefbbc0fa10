"""The plain recurrent cell: h = tanh(M).

The tape keeps the table's own output, h_gate in ``formats.gate``, because 1 - h^2 near 1 needs more bits than h itself.
"""

from __future__ import annotations

import numpy as np

from deltatrain.accel.activation import tanh, tanh_input
from deltatrain.accel.engine import Formats
from deltatrain.accel.number import Integers, rescale, round_sum

ACCUMULATORS = 1
KEPT = 1
ENCODER = "encode"
BLOCKS_X = (0,)
BLOCKS_H = (0,)
BIAS_X = True
BIAS_H = False
STATE: tuple[str, ...] = ()
TAPE = ("h_gate",)
WIDE: tuple[str, ...] = ()
SQUASHED = {"h_gate": "tanh"}
SQUARED = ("h_gate",)
CARRIES = False
LOOKUPS = 1  # tanh(M)
FORWARD_MULTIPLIES = 0
BACKWARD_MULTIPLIES = 2  # h_gate * h_gate; g(h) times that slope


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
    h_gate = tanh(tanh_input(M[0], formats.memory.fraction_bits), formats.gate)
    return state, rescale(h_gate, formats.gate.fraction_bits, formats.activation), np.stack([h_gate])


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
    (h_gate,) = tape
    one = 1 << 2 * gate
    slope = rescale(one - h_gate * h_gate, 2 * gate, formats.gate)
    stepped = round_sum(formats.gradient, (g_M[0], gradient), (g_h * slope, gradient + gate))
    return np.stack([stepped]), carry
