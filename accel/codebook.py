"""Optimal step functions: the few levels that stand for a derivative with the least squared error.

Few-Bit Backward (Novikov et al., ICML 2023, arXiv 2202.00441) minimises the integral of (f' - q)^2 over an interval,
every input equally likely, over the borders and levels of a step function q. The best level of a piece is the mean of
f' on it; dynamic programming finds the best borders on a grid.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_ZOOM_POINTS = 17  # candidates around each border in a round of refinement
_ZOOM_ROUNDS = 28  # each brings the candidates twice as close together


class Activation(NamedTuple):
    """A function whose derivative is to be coded, as functions of arrays.

    Attributes
    ----------
    value
        f.
    energy
        An antiderivative of f' squared.
    """

    value: Callable[[Array], Array]
    energy: Callable[[Array], Array]


class Codebook(NamedTuple):
    """A step function.

    Attributes
    ----------
    borders
        Rising, the ends of the interval included, shape (pieces + 1,).
    levels
        The value on each piece, shape (pieces,); a border belongs to the piece below it.
    error
        Integral over the interval of (f' - step function)^2.
    """

    borders: Array
    levels: Array
    error: float


def codebook(activation: Activation, grid: Array, pieces: int) -> Codebook:
    """Return the best step function of `pieces` pieces for f'.

    Parameters
    ----------
    activation
        The function.
    grid
        The interval's ends and, between them, places for borders among which the best are found, rising, shape (m,).
        They are then moved freely as far as the neighbouring places.
    pieces
        At most m - 1.
    """
    borders = refined(activation, best_borders(activation, grid, pieces), float(np.diff(grid).max()))
    errors = _piece_errors(activation, borders[:-1], borders[1:])
    levels = np.diff(activation.value(borders)) / np.diff(borders)
    return Codebook(borders, levels, float(errors.sum()))


def best_borders(activation: Activation, grid: Array, pieces: int) -> Array:
    """Return the borders on `grid` with the least error, shape (pieces + 1,), found by dynamic programming.

    best[k, j] = min over i < j of best[k - 1, i] + error of the piece from i to j, in O(pieces * m^2) with the error of
    a piece from differences of antiderivatives. Faster schemes need the quadrangle inequality, which neither derivative
    satisfies.
    """
    places = np.arange(len(grid))
    errors = _piece_errors(activation, grid[:, None], grid[None, :])
    errors[places[:, None] >= places] = np.inf
    best = errors[0]
    choices = []
    for _ in range(pieces - 1):
        totals = best[:, None] + errors
        choices.append(totals.argmin(axis=0))
        best = totals[choices[-1], places]
    chosen = [len(grid) - 1]
    for choice in reversed(choices):
        chosen.append(int(choice[chosen[-1]]))
    return grid[[0, *reversed(chosen)]]


def refined(activation: Activation, borders: Array, reach: float) -> Array:
    """Return the borders moved to lower the error, by dynamic programming on ever closer candidates around each.

    `reach` is how far a border may move in the first round. Where neighbouring candidates would pass each other, only
    the order that rises counts.
    """
    borders = borders.copy()
    for _ in range(_ZOOM_ROUNDS):
        moves = np.linspace(-reach, reach, _ZOOM_POINTS)
        inner = np.clip(borders[1:-1, None] + moves, borders[0], borders[-1])
        rows = [borders[:1], *inner, borders[-1:]]
        best, choices = np.zeros(1), []
        for before, now in pairwise(rows):
            errors = _piece_errors(activation, before[:, None], now[None, :])
            totals = best[:, None] + np.where(before[:, None] < now, errors, np.inf)
            choices.append(totals.argmin(axis=0))
            best = totals.min(axis=0)
        chosen = 0
        for number in range(len(rows) - 1, 0, -1):
            borders[number] = rows[number][chosen]
            chosen = int(choices[number - 1][chosen])
        reach /= 2
    return borders


def _piece_errors(activation: Activation, low: Array, high: Array) -> Array:
    """Return the integral of (f' - mean)^2 over each piece: that of f'^2 minus the mean's square times the width."""
    rise = activation.value(high) - activation.value(low)
    width = np.where(high > low, high - low, np.inf)
    errors: Array = activation.energy(high) - activation.energy(low) - rise * rise / width
    return errors


def _sigmoid(x: Array) -> Array:
    value: Array = 0.5 + 0.5 * np.tanh(0.5 * x)
    return value


def _sigmoid_energy(x: Array) -> Array:
    y = _sigmoid(x)
    energy: Array = y * y * (0.5 - y / 3)  # the integral of y (1 - y) dy
    return energy


def _tanh_energy(x: Array) -> Array:
    y = np.tanh(x)
    energy: Array = y - y**3 / 3  # the integral of (1 - y^2) dy
    return energy


SIGMOID = Activation(_sigmoid, _sigmoid_energy)
TANH = Activation(np.tanh, _tanh_energy)
