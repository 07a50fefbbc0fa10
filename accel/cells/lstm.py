"""The long short-term memory: i, f, o = sigmoid, g = tanh of M ; c[t] = f * c[t-1] + i * g ; h = o * tanh(c)."""

from __future__ import annotations

import numpy as np

from deltatrain.accel.activation import sigmoid, sigmoid_input, tanh, tanh_input
from deltatrain.accel.engine import Formats
from deltatrain.accel.number import Integers, rescale, round_sum

ACCUMULATORS = 4  # i, f, g, o
KEPT = 1
ENCODER = "encode"
BLOCKS_X = (0, 1, 2, 3)
BLOCKS_H = (0, 1, 2, 3)
BIAS_X = True
BIAS_H = False
STATE = ("c",)
TAPE = ("i", "f", "g", "o", "c_before", "tanh_c")
WIDE = ("c", "c_before")
SQUASHED = {"i": "sigmoid", "f": "sigmoid", "g": "tanh", "o": "sigmoid", "tanh_c": "tanh"}
SQUARED: tuple[str, ...] = ()
CARRIES = True
LOOKUPS = 5  # i, f, g, o, tanh(c)
FORWARD_MULTIPLIES = 3  # f * c; i * g; o * tanh(c)
BACKWARD_MULTIPLIES = 16  # two for each of the slopes of i, f, g, o, c; g(h) with two of them, g(c) with three and f


def forward(M: Integers, state: Integers, formats: Formats) -> tuple[Integers, Integers, Integers]:
    """Return the new state, h and the tape of one step.

    Parameters
    ----------
    M
        Delta memory, blocks i, f, g, o in ``formats.memory``, shape (4, ..., H).
    state
        c of the step before, in ``formats.state``, shape (1, ..., H).
    formats
        The engine's formats.

    Returns
    -------
    tuple[Integers, Integers, Integers]
        ``STATE``; h in ``formats.activation``, shape (..., H); ``TAPE`` with c_before in ``formats.state``, the others
        in ``formats.gate``, shape (6, ..., H).
    """
    memory, gate, wide = formats.memory.fraction_bits, formats.gate.fraction_bits, formats.state.fraction_bits
    (c_before,) = state
    i, f, o = sigmoid(sigmoid_input(M[[0, 1, 3]], memory), formats.gate)
    g = tanh(tanh_input(M[2], memory), formats.gate)
    c = round_sum(formats.state, (f * c_before, gate + wide), (i * g, 2 * gate))
    tanh_c = tanh(tanh_input(c, wide), formats.gate)
    h = rescale(o * tanh_c, 2 * gate, formats.activation)
    return np.stack([c]), h, np.stack([i, f, g, o, c_before, tanh_c])


def backward(
    g_h: Integers, carry: Integers, tape: Integers, g_M: Integers, formats: Formats
) -> tuple[Integers, Integers]:
    """Return g(M) of this step and the g(c) that is carried to the step before.

    Parameters
    ----------
    g_h
        Gradient of h in ``formats.gradient``, shape (..., H).
    carry
        The g(c) that the step after returned, in ``formats.gradient``, shape (..., H); zero at the last step.
    tape
        What `forward` returned.
    g_M
        g(M) of the step after in ``formats.gradient``, shape (4, ..., H). It accumulates over reverse time.
    formats
        The engine's formats.

    Notes
    -----
    The slopes are stored in ``formats.gate``, that of f, which has the factor c, in ``formats.state``; g(M), g(c) and
    the new carry in ``formats.gradient``.
    """
    gate, wide, gradient = formats.gate.fraction_bits, formats.state.fraction_bits, formats.gradient.fraction_bits
    i, f, g, o, c_before, tanh_c = tape
    one = 1 << gate
    sigmoid_i, sigmoid_f, sigmoid_o = (rescale(v * (one - v), 2 * gate, formats.gate) for v in (i, f, o))
    tanh_g, tanh_slope_c = (rescale((one << gate) - v * v, 2 * gate, formats.gate) for v in (g, tanh_c))
    slope_i = rescale(g * sigmoid_i, 2 * gate, formats.gate)
    slope_f = rescale(c_before * sigmoid_f, wide + gate, formats.state)
    slope_g = rescale(i * tanh_g, 2 * gate, formats.gate)
    slope_o = rescale(tanh_c * sigmoid_o, 2 * gate, formats.gate)
    slope_c = rescale(o * tanh_slope_c, 2 * gate, formats.gate)
    g_c = round_sum(formats.gradient, (carry, gradient), (g_h * slope_c, gradient + gate))
    products = ((g_c * slope_i, gate), (g_c * slope_f, wide), (g_c * slope_g, gate), (g_h * slope_o, gate))
    stepped = [
        round_sum(formats.gradient, (later, gradient), (product, gradient + fraction))
        for later, (product, fraction) in zip(g_M, products, strict=True)
    ]
    return np.stack(stepped), rescale(g_c * f, gradient + gate, formats.gradient)
