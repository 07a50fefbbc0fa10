"""The front of a set of points, and its hypervolume. Smaller is better in every objective."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Losses = NDArray[np.float64]
"""Objectives of shape (N, M), smaller is better."""

MARGIN = 1.1
"""Where the reference of a scaled hypervolume lies; 1 is the worst that the front has of each objective."""


def on_front(losses: Losses) -> NDArray[np.bool_]:
    """Return which points are on the front, shape (N,): those that no other point beats.

    A point beats another if it is better in one objective and at least as good in all.
    Of points that are equal in all objectives, all are on the front or none.
    """
    unique, inverse = np.unique(losses, axis=0, return_inverse=True)  # sorted, so that no point beats one before it
    kept = np.zeros(len(unique), dtype=np.bool_)
    front = unique[:0]
    for index, point in enumerate(unique):
        if not (front <= point).all(axis=1).any():
            kept[index] = True
            front = unique[kept]
    return kept[inverse.reshape(-1)]


class Front:
    """The front of the points added so far."""

    def __init__(self) -> None:
        self._points: Losses | None = None

    def __len__(self) -> int:
        return 0 if self._points is None else len(self._points)

    def add(self, losses: Sequence[float]) -> None:
        """Add a point; one that equals a point of the front changes nothing."""
        point = np.array([losses], dtype=np.float64)
        if self._points is None:
            self._points = point
        elif not (self._points <= point).all(axis=1).any():
            beaten = (self._points >= point).all(axis=1)
            self._points = np.concatenate([self._points[~beaten], point])


def scaled(losses: Losses, front: Losses) -> Losses:
    """Return `losses` scaled by `front`: in each objective its best becomes 0, its worst 1."""
    ideal, worst = front.min(axis=0), front.max(axis=0)
    return np.asarray((losses - ideal) / np.where(worst > ideal, worst - ideal, 1.0))


def hypervolume(losses: Losses, reference: Sequence[float]) -> float:
    """Return the volume between `reference` and the front: all that some point of `losses` beats.

    It is cut into slices along the last objective (Zitzler, 1999, hypervolume by slicing objectives). The volume of a
    slice is its height times the volume, in the other objectives, of the points below it.
    """
    bounds = np.asarray(reference, dtype=np.float64)
    inside = losses[(losses < bounds).all(axis=1)]
    if len(inside) == 0:
        return 0.0
    return _volume(inside[on_front(inside)], bounds)


def _volume(points: Losses, reference: NDArray[np.float64]) -> float:
    objectives = points.shape[1]
    if objectives == 1:
        return float(reference[0] - points.min())
    points = points[np.argsort(points[:, -1], kind="stable")]
    heights = np.diff(points[:, -1], append=reference[-1])
    if objectives == 2:
        widths = reference[0] - np.minimum.accumulate(points[:, 0])
        return float(widths @ heights)
    total = 0.0
    for below in np.flatnonzero(heights > 0):
        slab = points[: below + 1, :-1]
        if objectives > 3:
            slab = slab[on_front(slab)]
        total += heights[below] * _volume(slab, reference[:-1])
    return total
