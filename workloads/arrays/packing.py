"""Sequences of different lengths without padding: the rows of step 0, then those of step 1, and so on.

Samples are put in order of decreasing length, so that the samples still running at step t are the first n_t of them and
every step is one contiguous block of rows. Steps beyond a sample's end do not exist, hence change nothing, fire
nothing and cost nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Packing(NamedTuple):
    """Where each step of each sample lies among N = sum(lengths) packed rows.

    Attributes
    ----------
    order
        Samples by decreasing length, integer, shape (B,).
    lengths
        Steps of each sample in that order, integer, shape (B,).
    active
        For each step t how many samples still run, n_t.
    start
        For each step t its first row.
    """

    order: NDArray[np.int64]
    lengths: NDArray[np.int64]
    active: tuple[int, ...]
    start: tuple[int, ...]

    @property
    def samples(self) -> int:
        """Number of samples, B."""
        return len(self.order)

    @property
    def rows(self) -> int:
        """Number of packed rows, N."""
        return int(self.lengths.sum())


def packing_of(lengths: NDArray[np.int64]) -> Packing:
    """Return the packing of samples with these `lengths` (integer, shape (B,), each at least 1)."""
    if len(lengths) == 0 or lengths.min() < 1:
        raise ValueError(f"lengths must be one or more numbers of at least 1, not {lengths!r}")
    order = np.argsort(-lengths, kind="stable")
    ordered = lengths[order]
    steps = np.arange(ordered[0])
    active = np.searchsorted(-ordered, -steps, side="left")  # samples with length > t
    start = np.concatenate([[0], np.cumsum(active)[:-1]])
    return Packing(order, ordered, tuple(active.tolist()), tuple(start.tolist()))


def pack(padded: Array, packing: Packing) -> Array:
    """Return the real steps of `padded`, shape (T, B, F), as packed rows, shape (N, F)."""
    blocks = [padded[t, packing.order[:n]] for t, n in enumerate(packing.active)]
    return np.concatenate(blocks)


def unpack(rows: Array, packing: Packing) -> Array:
    """Return packed `rows`, shape (N, F), as a padded array, shape (T, B, F), zero beyond each sample's length."""
    padded = np.zeros((len(packing.active), packing.samples, rows.shape[-1]), rows.dtype)
    for t, (n, start) in enumerate(zip(packing.active, packing.start, strict=True)):
        padded[t, packing.order[:n]] = rows[start : start + n]
    return padded


def sample_of_rows(packing: Packing) -> NDArray[np.int64]:
    """Return for each packed row the sample it belongs to, integer, shape (N,)."""
    return np.concatenate([packing.order[:n] for n in packing.active])


def last_rows(packing: Packing) -> NDArray[np.int64]:
    """Return for each sample, in the caller's order, the row of its last step, integer, shape (B,)."""
    rows = np.empty(packing.samples, np.int64)
    rows[packing.order] = np.asarray(packing.start)[packing.lengths - 1] + np.arange(packing.samples)
    return rows


def rows_before(packing: Packing) -> NDArray[np.int64]:
    """Return for each packed row the row of the same sample one step earlier, integer, shape (N,).

    Counted in an array in which B rows for the time before the first step come first.
    """
    starts = led_starts(packing)
    return np.concatenate([start + np.arange(n) for n, start in zip(packing.active, starts, strict=False)])


def led_starts(packing: Packing) -> tuple[int, ...]:
    """Return where each step begins in an array led by B rows for the time before the first step.

    Entry 0 is that time itself, entry t + 1 is step t, so that (entry t, entry t + 1) is (before, now) of step t.
    """
    samples = packing.samples
    return (0, *[samples + start for start in packing.start])
