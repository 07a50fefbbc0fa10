"""Matrix products over listed columns alone, compiled at their first call; `_products` says when they pay.

A row of `fired` lists columns for one step of one sample. Four of them are added at a time, so that a sum is read and
written once for four. Sums are made as BLAS makes them, which a product with zero does not change: one after another,
fused, many rows in pieces. On machines with AVX-512, whose pieces are those of OpenBLAS here, listing therefore changes
no bit of most products; elsewhere it rounds in another place.
"""

from __future__ import annotations

import numpy as np

from deltatrain.accel.compiling import compiled
from deltatrain.workloads.arrays.packing import Array

_BLOCK = 16  # columns turned at a time: 16 numbers fill a line of a cache

_PIECES = {4: 448, 8: 384}
"""Most numbers that OpenBLAS sums in one piece, by their bytes (SkylakeX, as measured; ``GEMM_DEFAULT_Q``)."""

_PIECE_MULTIPLE = 16  # the last two pieces are equal but for this (OpenBLAS, driver/level3/level3.c)


def _add(delta: Array, fired: Array, W_T: Array, M: Array) -> None:
    """Add ``delta @ W_T`` to M, of what fired: shapes (n, W), (n, W), (W, A*H), (n, A*H)."""
    width, outputs = W_T.shape
    listed, product = np.empty(width + 1, np.int64), np.empty(outputs, M.dtype)
    for row in range(len(M)):
        count = 0
        for j in range(width):
            listed[count] = j
            count += fired[row, j]
        product[:] = 0
        add_listed(delta[row], listed[:count], W_T, product)
        total = M[row]
        for o in range(outputs):
            total[o] += product[o]


def _add_listed_rows(value: Array, listed: Array, rows: Array, total: Array) -> None:
    """Add the `listed` of `rows`, shape (K, O), times their `value`, shape (K,), to `total`, shape (O,), in turn."""
    fours = len(listed) - len(listed) % 4
    for k in range(0, fours, 4):
        a, b, c, d = listed[k], listed[k + 1], listed[k + 2], listed[k + 3]
        v_a, v_b, v_c, v_d = value[a], value[b], value[c], value[d]
        r_a, r_b, r_c, r_d = rows[a], rows[b], rows[c], rows[d]
        for o in range(len(total)):
            total[o] = (((total[o] + v_a * r_a[o]) + v_b * r_b[o]) + v_c * r_c[o]) + v_d * r_d[o]
    for k in range(fours, len(listed)):
        v, r = value[listed[k]], rows[listed[k]]
        for o in range(len(total)):
            total[o] += v * r[o]


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


def outer(g_M: Array, delta: Array, fired: Array, dW: Array) -> None:
    """Write ``g_M.T @ delta`` of what fired into `dW`: shapes (N, A*H), (N, W), (N, W), (A*H, W)."""
    _outer(g_M, delta, fired, dW, _piece_ends(len(g_M), _PIECES[g_M.itemsize]))


def _piece_ends(count: int, most: int) -> Array:
    """Return where the pieces begin and end that `count` numbers are summed in."""
    ends = [0]
    while (left := count - ends[-1]) > 0:
        half = -(-(left // 2) // _PIECE_MULTIPLE) * _PIECE_MULTIPLE
        ends.append(ends[-1] + (most if left >= 2 * most else half if left > most else left))
    return np.array(ends)


def _outer_pieces(g_M: Array, delta: Array, fired: Array, dW: Array, ends: Array) -> None:
    rows, outputs = g_M.shape
    width = delta.shape[1]
    listed, product = np.empty(rows + 1, np.int64), np.empty(outputs, g_M.dtype)
    block = np.empty((_BLOCK, outputs + _BLOCK), g_M.dtype)  # longer by a line, so that a column is not all in one set
    for left in range(0, width, _BLOCK):
        columns = min(_BLOCK, width - left)
        for piece in range(len(ends) - 1):
            for j in range(columns):
                count = 0
                for row in range(ends[piece], ends[piece + 1]):
                    listed[count] = row
                    count += fired[row, left + j]
                total = block[j, :outputs] if piece == 0 else product
                total[:] = 0
                add_listed(delta[:, left + j], listed[:count], g_M, total)
                if piece:
                    for o in range(outputs):
                        block[j, o] += product[o]
        turn(block[:columns, :outputs], dW[:, left : left + columns])


def _turn_rows(rows: Array, turned: Array) -> None:
    """Write at most `_BLOCK` rows into as many columns."""
    if len(rows) == _BLOCK:  # a number of turns that the compiler knows
        for o in range(len(turned)):
            line = turned[o]
            for j in range(_BLOCK):
                line[j] = rows[j, o]
    else:
        for o in range(len(turned)):
            for j in range(len(rows)):
                turned[o, j] = rows[j, o]


def _transpose(W: Array, W_T: Array) -> None:
    """Write `W`, transposed, into `W_T`, in blocks that fit into the first cache."""
    rows, columns = W.shape
    for top in range(0, rows, _BLOCK):
        bottom = min(top + _BLOCK, rows)
        for left in range(0, columns, _BLOCK):
            right = min(left + _BLOCK, columns)
            turn(W[top:bottom, left:right], W_T[left:right, top:bottom])


turn = compiled(_turn_rows)
add_listed = compiled(_add_listed_rows, fastmath={"contract"})
add = compiled(_add)
back = compiled(_back, fastmath={"contract", "reassoc", "nsz"})  # a sum of whole vectors
_outer = compiled(_outer_pieces)
transpose = compiled(_transpose)
