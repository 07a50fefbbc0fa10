"""Matrix products over listed columns alone, compiled at their first call; `_products` says when they pay.

A row of `fired` lists columns for one step of one sample. Four of them are added at a time, so that a sum is read and
written once for four.
"""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.compiling import compiled

_BLOCK = 16  # columns turned at a time: 16 numbers fill a line of a cache


def _add(delta: Array, fired: Array, W_T: Array, M: Array) -> None:
    """Add ``delta @ W_T`` to M, of what fired: shapes (n, W), (n, W), (W, A*H), (n, A*H)."""
    width, outputs = W_T.shape
    listed = np.empty(width + 1, np.int64)
    for row in range(len(M)):
        count = 0
        for j in range(width):
            listed[count] = j
            count += fired[row, j]
        total, value = M[row], delta[row]
        fours = count - count % 4
        for k in range(0, fours, 4):
            a, b, c, d = listed[k], listed[k + 1], listed[k + 2], listed[k + 3]
            v_a, v_b, v_c, v_d = value[a], value[b], value[c], value[d]
            w_a, w_b, w_c, w_d = W_T[a], W_T[b], W_T[c], W_T[d]
            for o in range(outputs):
                total[o] += (v_a * w_a[o] + v_b * w_b[o]) + (v_c * w_c[o] + v_d * w_d[o])
        for k in range(fours, count):
            v, w = value[listed[k]], W_T[listed[k]]
            for o in range(outputs):
                total[o] += v * w[o]


def _back(g_M: Array, asked: Array, W_T: Array, g: Array) -> None:
    """Write ``g_M @ W_T.T`` into `g` where asked, zero elsewhere: shapes (n, A*H), (n, W), (W, A*H), (n, W)."""
    width, outputs = W_T.shape
    for row in range(len(g)):
        above = g_M[row]
        for j in range(width):
            total = g_M.dtype.type(0)
            if asked[row, j]:
                w = W_T[j]
                for o in range(outputs):
                    total += above[o] * w[o]
            g[row, j] = total


def _outer(g_M: Array, delta: Array, fired: Array, dW: Array) -> None:
    """Write ``g_M.T @ delta`` of what fired into `dW`: shapes (N, A*H), (N, W), (N, W), (A*H, W)."""
    rows, outputs = g_M.shape
    width = delta.shape[1]
    listed = np.empty(rows + 1, np.int64)
    block = np.empty((_BLOCK, outputs), g_M.dtype)
    for left in range(0, width, _BLOCK):
        right = min(left + _BLOCK, width)
        block[:] = 0
        for j in range(left, right):
            count = 0
            for row in range(rows):
                listed[count] = row
                count += fired[row, j]
            total = block[j - left]
            fours = count - count % 4
            for k in range(0, fours, 4):
                a, b, c, d = listed[k], listed[k + 1], listed[k + 2], listed[k + 3]
                v_a, v_b, v_c, v_d = delta[a, j], delta[b, j], delta[c, j], delta[d, j]
                g_a, g_b, g_c, g_d = g_M[a], g_M[b], g_M[c], g_M[d]
                for o in range(outputs):
                    total[o] += (v_a * g_a[o] + v_b * g_b[o]) + (v_c * g_c[o] + v_d * g_d[o])
            for k in range(fours, count):
                v, g = delta[listed[k], j], g_M[listed[k]]
                for o in range(outputs):
                    total[o] += v * g[o]
        for o in range(outputs):
            for j in range(left, right):
                dW[o, j] = block[j - left, o]


def _transpose(W: Array, W_T: Array) -> None:
    """Write `W`, transposed, into `W_T`, in blocks that fit into the first cache."""
    rows, columns = W.shape
    for top in range(0, rows, _BLOCK):
        for left in range(0, columns, _BLOCK):
            for j in range(left, min(left + _BLOCK, columns)):
                for i in range(top, min(top + _BLOCK, rows)):
                    W_T[j, i] = W[i, j]


_SUMS = {"contract", "reassoc", "nsz"}  # what lets a sum use whole vectors; the same machine adds in the same order
add = compiled(_add, fastmath=_SUMS)
back = compiled(_back, fastmath=_SUMS)
outer = compiled(_outer, fastmath=_SUMS)
transpose = compiled(_transpose)
