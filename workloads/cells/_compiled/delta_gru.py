"""`delta_gru`, compiled: what `_steps.Steps` asks for.

An inner loop writes one array and reads few others, so that it becomes whole vectors.
"""

from __future__ import annotations

import numpy as np

from deltatrain.accel.compiling import compiled
from deltatrain.workloads.arrays.packing import Array


def forward(M: Array, values: Array, before: int, now: int) -> None:
    """Compute one step, whose rows of `values`, (V, B + N, H), begin at `now`, from M, shape (n, 4H)."""
    n, width = len(M), values.shape[2]
    squashed = np.empty((n, 2 * width), M.dtype)
    _halve(M, squashed)
    np.tanh(squashed, out=squashed)
    _keep(M, squashed, values, now)
    candidate = values[2, now : now + n]
    np.tanh(candidate, out=candidate)
    _mix(values, before, now, n)


def _halve_rows(M: Array, squashed: Array) -> None:
    """Write into `squashed`, (n, 2H), what tanh is taken of for r and z: sigmoid(v) = tanh(v / 2) / 2 + 1 / 2."""
    half = M.dtype.type(0.5)
    for row in range(len(M)):
        total, halved = M[row], squashed[row]
        for o in range(len(halved)):
            halved[o] = total[o] * half


def _keep_rows(M: Array, squashed: Array, values: Array, now: int) -> None:
    """Write r, z, nh and what n is the tanh of into the rows of `values` from `now` on."""
    n, width, half = len(M), values.shape[2], M.dtype.type(0.5)
    M_apart, apart = M.reshape(n, 4, width), squashed.reshape(n, 2, width)
    for row in range(n):
        for block in range(2):
            tanh, sigmoid = apart[row, block], values[block, now + row]
            for j in range(width):
                sigmoid[j] = tanh[j] * half + half
        r, M_nx, M_nh = values[0, now + row], M_apart[row, 2], M_apart[row, 3]
        total, nh = values[2, now + row], values[3, now + row]
        for j in range(width):
            nh[j] = M_nh[j]
        for j in range(width):
            total[j] = r[j] * M_nh[j] + M_nx[j]


def _mix_rows(values: Array, before: int, now: int, n: int) -> None:
    """Write h of `n` rows from `now` on."""
    for row in range(n):
        z, candidate = values[1, now + row], values[2, now + row]
        h_before, h = values[4, before + row], values[4, now + row]
        for j in range(values.shape[2]):
            h[j] = (h_before[j] - candidate[j]) * z[j] + candidate[j]


def _backward_rows(
    g_h: Array,
    g_above: Array,
    carry: Array,
    values: Array,
    before: int,
    now: int,
    g_M: Array,
    memory: Array | None,
) -> None:
    """Compute one step backwards; as `_steps.BackwardStep`, shapes (n, H) and (n, 4H)."""
    n, width = g_h.shape
    one, total, apart = g_h.dtype.type(1), np.empty(width, g_h.dtype), g_M.reshape(n, 4, width)
    for row in range(n):
        back, above, through = g_h[row], g_above[row], carry[row]
        r, z, candidate = values[0, now + row], values[1, now + row], values[2, now + row]
        nh, h_before = values[3, now + row], values[4, before + row]
        g_r, g_z, g_nx, g_nh = apart[row, 0], apart[row, 1], apart[row, 2], apart[row, 3]
        for j in range(width):
            total[j] = back[j] + above[j] + through[j]
        for j in range(width):
            g_z[j] = total[j] * ((h_before[j] - candidate[j]) * (z[j] * (one - z[j])))
        for j in range(width):
            slope = (one - z[j]) * (one - candidate[j] * candidate[j])
            g_nx[j] = total[j] * slope
        for j in range(width):
            slope = (one - z[j]) * (one - candidate[j] * candidate[j]) * r[j]
            g_nh[j] = total[j] * slope
        for j in range(width):
            slope = (one - z[j]) * (one - candidate[j] * candidate[j]) * r[j]
            g_r[j] = total[j] * (slope * (nh[j] * (one - r[j])))
        for j in range(width):
            through[j] = total[j] * z[j]
        if memory is not None:
            for k in range(g_M.shape[1]):
                memory[row, k] += g_M[row, k]
            for k in range(g_M.shape[1]):
                g_M[row, k] = memory[row, k]


_halve = compiled(_halve_rows)
_keep = compiled(_keep_rows)
_mix = compiled(_mix_rows)
backward = compiled(_backward_rows)
