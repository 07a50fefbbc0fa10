"""Row blocks: weights as the delta memory sees them, one block for each accumulator, and that memory itself."""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array


def spread(W: Array, targets: tuple[str, ...], accumulators: tuple[str, ...]) -> Array:
    """Return `W`, shape (len(targets) * H, C), with its row blocks where they add, shape (len(accumulators) * H, C)."""
    if targets == accumulators:
        return W
    width = len(W) // len(targets) if targets else W.shape[1]  # a recurrent matrix without rows has H columns
    blocks = W.reshape(len(targets), width, W.shape[1])
    wide = np.zeros((len(accumulators), *blocks.shape[1:]), W.dtype)
    wide[[accumulators.index(name) for name in targets]] = blocks
    return wide.reshape(-1, W.shape[1])


def gather(W: Array, targets: tuple[str, ...], accumulators: tuple[str, ...]) -> Array:
    """Return the row blocks of `W`, shape (len(accumulators) * H, C), that belong to `targets`; undoes `spread`."""
    if targets == accumulators:
        return W
    blocks = W.reshape(len(accumulators), -1, W.shape[1])
    chosen = [accumulators.index(name) for name in targets]
    return blocks[chosen].reshape(len(targets) * blocks.shape[1], W.shape[1])


def blocks_of(M: Array, width: int) -> Array:
    """Return a view of `M`, contiguous rows of shape (n, A*H), with its accumulators apart, shape (A, n, H)."""
    return M.reshape(len(M), -1, width).swapaxes(0, 1)
