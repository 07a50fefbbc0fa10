"""The gated recurrent unit, reset after the matrix product.

r, z = sigmoid(M_r, M_z) ; n = tanh(M_nx + r * M_nh) ; h[t] = (1 - z) * n + z * h[t-1].

h is carried in ``formats.gate`` (h_gate) beside the h in ``formats.activation`` that others read: with an activation's
few fraction bits a step (1 - z) * (n - h) below half a unit would be rounded away, and a slow h would never arrive.

The bias of r, z and nx is a column of W_x, that of nh a column of W_h, whose rows of r and z start at zero. Both learn,
as the two bias vectors of torch.nn.GRU do: the sum that counts for r and z moves twice as far as one bias would.
"""

from __future__ import annotations

import numpy as np

from deltatrain.accel.activation import sigmoid, sigmoid_input, tanh, tanh_input
from deltatrain.accel.engine import Formats
from deltatrain.accel.number import Integers, fit, rescale, round_sum

ACCUMULATORS = 4  # r, z, nx, nh: the candidate's recurrent part is kept apart because r gates it
KEPT = 1
ENCODER = "encode"
BLOCKS_X = (0, 1, 2)
BLOCKS_H = (0, 1, 3)
BIAS_X = True
BIAS_H = True
STATE = ("h_gate",)
TAPE = ("r", "z", "n", "nh", "h_gate_before")
WIDE = ("nh",)
SQUASHED = {"r": "sigmoid", "z": "sigmoid", "n": "tanh"}
SQUARED: tuple[str, ...] = ()
CARRIES = True
LOOKUPS = 3  # r, z, n
FORWARD_MULTIPLIES = 3  # r * nh; (1 - z) * n; z * h
BACKWARD_MULTIPLIES = 12  # 7 for the slopes of nx, nh, r, z; g(h) times each of the four; g(h) * z


def forward(M: Integers, state: Integers, formats: Formats) -> tuple[Integers, Integers, Integers]:
    """Return the new state, h and the tape of one step.

    Parameters
    ----------
    M
        Delta memory, blocks r, z, nx, nh in ``formats.memory``, shape (4, ..., H).
    state
        h_gate of the step before, in ``formats.gate``, shape (1, ..., H).
    formats
        The engine's formats.

    Returns
    -------
    tuple[Integers, Integers, Integers]
        ``STATE``; h in ``formats.activation``, shape (..., H); ``TAPE`` with nh in ``formats.state``, the others in
        ``formats.gate``, shape (5, ..., H).
    """
    memory, gate, wide = formats.memory.fraction_bits, formats.gate.fraction_bits, formats.state.fraction_bits
    (h_gate_before,) = state
    r = sigmoid(sigmoid_input(M[0], memory), formats.gate)
    z = sigmoid(sigmoid_input(M[1], memory), formats.gate)
    nx = rescale(M[2], memory, formats.state)
    nh = rescale(M[3], memory, formats.state)
    candidate = (nx << gate) + r * nh
    n = tanh(tanh_input(candidate, gate + wide), formats.gate)
    one = 1 << gate
    h_gate = rescale((one - z) * n + z * h_gate_before, 2 * gate, formats.gate)
    h = rescale(h_gate, gate, formats.activation)
    return np.stack([h_gate]), h, np.stack([r, z, n, nh, h_gate_before])


def backward(
    g_h: Integers, carry: Integers, tape: Integers, g_M: Integers, formats: Formats
) -> tuple[Integers, Integers]:
    """Return g(M) of this step and the gradient that h[t-1] gets outside M.

    Parameters
    ----------
    g_h
        Gradient of h without `carry`, in ``formats.gradient``, shape (..., H).
    carry
        What the step after returned, in ``formats.gradient``, shape (..., H); zero at the last step.
    tape
        What `forward` returned.
    g_M
        g(M) of the step after in ``formats.gradient``, shape (4, ..., H). It accumulates over reverse time.
    formats
        The engine's formats.

    Notes
    -----
    The slopes are stored in ``formats.gate``, those with the factor nh in ``formats.state``; g(M), g(h) + carry and the
    new carry in ``formats.gradient``.
    """
    gate, wide, gradient = formats.gate.fraction_bits, formats.state.fraction_bits, formats.gradient.fraction_bits
    r, z, n, nh, h_gate_before = tape
    one = 1 << gate
    total = fit(g_h + carry, formats.gradient)
    slope_tanh = rescale((1 << 2 * gate) - n * n, 2 * gate, formats.gate)
    slope_nx = rescale((one - z) * slope_tanh, 2 * gate, formats.gate)
    slope_nh = rescale(r * slope_nx, 2 * gate, formats.gate)
    reset = rescale(nh * (one - r), wide + gate, formats.state)
    slope_r = rescale(reset * slope_nh, wide + gate, formats.state)
    slope_sigmoid = rescale(z * (one - z), 2 * gate, formats.gate)
    slope_z = rescale((h_gate_before - n) * slope_sigmoid, 2 * gate, formats.gate)
    slopes = ((slope_r, wide), (slope_z, gate), (slope_nx, gate), (slope_nh, gate))
    stepped = [
        round_sum(formats.gradient, (later, gradient), (total * slope, gradient + fraction))
        for later, (slope, fraction) in zip(g_M, slopes, strict=True)
    ]
    return np.stack(stepped), rescale(total * z, gradient + gate, formats.gradient)
