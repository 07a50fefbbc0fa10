"""`delta_lstm`, compiled: what `_steps.Steps` asks for.

An inner loop writes one array and reads few others, so that it becomes whole vectors.
"""

from __future__ import annotations

import numpy as np

from deltatrain.accel.compiling import compiled
from deltatrain.workloads.arrays.packing import Array


def forward(M: Array, values: Array, before: int, now: int) -> None:
    """Compute one step, whose rows of `values`, (V, B + N, H), begin at `now`, from M, shape (n, 4H)."""
    squashed = np.empty_like(M)
    _halve(M, squashed)
    np.tanh(squashed, out=squashed)
    _keep(squashed, values, before, now)
    rows = slice(now, now + len(M))
    tanh_c = values[5, rows]
    np.tanh(values[4, rows], out=tanh_c)
    np.multiply(values[3, rows], tanh_c, out=values[6, rows])


def _halve_rows(M: Array, squashed: Array) -> None:
    """Write into `squashed` what tanh is taken of: sigmoid(v) = tanh(v / 2) / 2 + 1 / 2. Shapes (n, 4H)."""
    n, width = len(M), M.shape[1] // 4
    M_apart, apart = M.reshape(n, 4, width), squashed.reshape(n, 4, width)
    for row in range(n):
        for block in range(4):
            factor = M.dtype.type(1 if block == 2 else 0.5)
            total, halved = M_apart[row, block], apart[row, block]
            for j in range(width):
                halved[j] = total[j] * factor


def _keep_rows(squashed: Array, values: Array, before: int, now: int) -> None:
    """Write i, f, g, o and c into the rows of `values` from `now` on; the step before is from `before` on."""
    n, width, half = len(squashed), values.shape[2], squashed.dtype.type(0.5)
    apart = squashed.reshape(n, 4, width)
    for row in range(n):
        for block in (0, 1, 3):
            tanh, sigmoid = apart[row, block], values[block, now + row]
            for j in range(width):
                sigmoid[j] = tanh[j] * half + half
        tanh, i, f, g = apart[row, 2], values[0, now + row], values[1, now + row], values[2, now + row]
        for j in range(width):
            g[j] = tanh[j]
        c_before, c = values[4, before + row], values[4, now + row]
        for j in range(width):
            c[j] = f[j] * c_before[j] + i[j] * g[j]


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
    one, g_c, apart = g_h.dtype.type(1), np.empty(width, g_h.dtype), g_M.reshape(n, 4, width)
    for row in range(n):
        through, total = carry[row], g_h[row]
        for j in range(width):
            total[j] += g_above[row, j]
        i, f, g = values[0, now + row], values[1, now + row], values[2, now + row]
        o, c_before, tanh_c = values[3, now + row], values[4, before + row], values[5, now + row]
        g_i, g_f, g_g, g_o = apart[row, 0], apart[row, 1], apart[row, 2], apart[row, 3]
        for j in range(width):
            g_o[j] = total[j] * ((one - o[j]) * o[j] * tanh_c[j])
        for j in range(width):
            g_c[j] = through[j] + total[j] * ((one - tanh_c[j] * tanh_c[j]) * o[j])
        for j in range(width):
            g_i[j] = g_c[j] * ((one - i[j]) * i[j] * g[j])
        for j in range(width):
            g_f[j] = g_c[j] * ((one - f[j]) * f[j] * c_before[j])
        for j in range(width):
            g_g[j] = g_c[j] * ((one - g[j] * g[j]) * i[j])
        for j in range(width):
            through[j] = g_c[j] * f[j]
        if memory is not None:
            for k in range(g_M.shape[1]):
                memory[row, k] += g_M[row, k]
            for k in range(g_M.shape[1]):
                g_M[row, k] = memory[row, k]


_halve = compiled(_halve_rows)
_keep = compiled(_keep_rows)
backward = compiled(_backward_rows)
