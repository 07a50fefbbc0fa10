"""The three products of a weight matrix and a stream: over all columns by BLAS, or over those listed alone.

Which of the two is chosen by the size of the matrix and the measured occupancy, so by the numbers of the mini-batch
alone: the same workload gives the same bits on the same machine. The two differ in the order of their sums.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType

import numpy as np

from deltatrain.workloads.arrays.packing import Array

SMALLEST_PRODUCT = 2**15
"""Multiplications over all columns, in one product, from which listed ones are added up instead."""

SMALLEST_MATRIX = 128 * 512
"""Numbers in a matrix, those of an LSTM of 128 neurons, from which the way back goes over listed columns.

Below, BLAS is as fast: there a sum over the outputs is short.
"""

MOST_LISTED = 0.25
"""Occupancy up to which gathered columns are faster than BLAS, as measured at 64 to 512 neurons, batches of 1 to 32."""

_SMALLEST_TURNED = 512 * 512  # numbers; from here NumPy's transposition, made for smaller ones, misses the caches


def transposed(W: Array) -> Array:
    """Return `W` transposed, contiguous; BLAS is twice as fast on it, and a column is a row of it."""
    if W.size < _SMALLEST_TURNED:
        return np.ascontiguousarray(W.T)
    W_T = np.empty(W.shape[::-1], W.dtype)
    _gathered().transpose(W, W_T)
    return W_T


def forward_product(delta: Array, fired: Array, W: Array) -> Array:
    """Return ``delta @ W.T``, shape (N, A*H), of `delta` and `fired`, (N, W), and `W`, (A*H, W)."""
    if not _few(fired, len(W)):
        product: Array = delta @ W.T
        return product
    memory = np.zeros((len(delta), len(W)), W.dtype)
    _gathered().add(delta, fired, transposed(W), memory)
    return memory


def add_forward_product(M: Array, delta: Array, fired: Array, W_T: Array, product: Array) -> None:
    """Add ``delta @ W_T`` to M, shape (n, A*H); `product`, of that shape, is room for it."""
    if _few(fired, product.shape[1]):
        _gathered().add(delta, fired, W_T, M)
    else:
        np.dot(delta, W_T, out=product)
        M += product


def backward_product(W: Array, asked: Array, W_T: Array | None = None) -> Callable[[Array, Array, Array], None]:
    """Return the way back through `W`, shape (A*H, W), for a stream of which `asked`, (N, W), want a gradient.

    `W_T` is its transpose, contiguous, where somebody has it.

    It takes g(M), shape (n, A*H), and which of the same rows are asked, (n, W), and writes ``g_M @ W`` into its third
    argument, (n, W): all of it, or what is asked and else zero.
    """
    if W.size < SMALLEST_MATRIX or not _few(asked, len(W)):

        def all_columns(g_M: Array, asked: Array, g: Array) -> None:
            np.dot(g_M, W, out=g)

        return all_columns
    back, columns = _gathered().back, transposed(W) if W_T is None else W_T

    def listed_columns(g_M: Array, asked: Array, g: Array) -> None:
        back(g_M, asked, columns, g)

    return listed_columns


def weight_gradient(g_M: Array, delta: Array, fired: Array) -> Array:
    """Return ``g_M.T @ delta``, shape (A*H, W), of g(M), (N, A*H), and `delta` and `fired`, (N, W)."""
    dW = np.empty((g_M.shape[1], delta.shape[1]), g_M.dtype)
    if _few(fired, len(dW)):
        _gathered().outer(g_M, delta, fired, dW)
    else:
        np.dot(g_M.T, delta, out=dW)
    return dW


def most_listed(size: int, outputs: int) -> int:
    """Return how many of `size` numbers may be listed where a product with `outputs` each is gathered; -1 if never."""
    return int(MOST_LISTED * size) if size * outputs >= SMALLEST_PRODUCT else -1


def _few(listed: Array, outputs: int) -> bool:
    most = most_listed(listed.size, outputs)
    return most >= 0 and int(np.count_nonzero(listed)) <= most


@cache
def _gathered() -> ModuleType:
    """Return the compiled products; numba is loaded with them."""
    from deltatrain.workloads.cells import _gathered

    return _gathered
