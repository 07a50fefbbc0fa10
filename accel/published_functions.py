"""Functions whose derivatives Few-Bit Backward codes, beside the sigmoid and tanh of recurrent cells.

Novikov et al., ICML 2023, arXiv 2202.00441. No cell here computes them: they are what its published codebooks and
errors are held against, by the same dynamic programming as that of the codes of a tape (`accel.codebook`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from deltatrain.accel.codebook import SIGMOID, TANH, Activation, Array

_REACH = 128.0  # beyond the widest interval of a codebook
_CELL = 0.25
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)

_ALPHA, _SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al., Self-Normalizing Networks, NeurIPS 2017


def energy_of(derivative: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Return an antiderivative of `derivative` squared between -128 and 128, by Gaussian quadrature.

    Cells of a quarter are summed up once; what lies between an input and the cell's end below it is integrated then.
    The derivative must be smooth inside the cells.
    """

    def between(low: Array, high: Array) -> Array:
        middle, half = (high + low) / 2, (high - low) / 2
        area: Array = (derivative(middle[..., None] + half[..., None] * _NODES) ** 2 @ _WEIGHTS) * half
        return area

    ends = np.arange(-_REACH, _REACH + _CELL, _CELL)
    summed = np.append(0.0, np.cumsum(between(ends[:-1], ends[1:])))

    def energy(x: Array) -> Array:
        below = np.floor((x + _REACH) / _CELL).astype(np.int64)
        whole: Array = summed[below] + between(ends[below], x)
        return whole

    return energy


def _normal(x: Array) -> Array:
    """Return the distribution function of the standard normal distribution."""
    values: Array = 0.5 + 0.5 * np.vectorize(math.erf, otypes=[np.float64])(x / math.sqrt(2))
    return values


def _gelu(x: Array) -> Array:
    value: Array = x * _normal(x)
    return value


def _gelu_energy(x: Array) -> Array:
    """Return the integral of (Phi + x phi)^2, by parts: x Phi^2 - x exp(-x^2) / 4 pi + Phi(sqrt(2) x) / 4 sqrt(pi)."""
    tail = -x * np.exp(-x * x) / (4 * math.pi) + _normal(math.sqrt(2) * x) / (4 * math.sqrt(math.pi))
    energy: Array = x * _normal(x) ** 2 + tail
    return energy


def _silu(x: Array) -> Array:
    value: Array = x * SIGMOID.value(x)
    return value


def _silu_slope(x: Array) -> Array:
    s = SIGMOID.value(x)
    slope: Array = s + x * s * (1 - s)
    return slope


def _selu(x: Array) -> Array:
    value: Array = _SCALE * np.where(x > 0, x, _ALPHA * np.expm1(np.minimum(x, 0)))
    return value


def _selu_energy(x: Array) -> Array:
    energy: Array = _SCALE**2 * np.where(x > 0, x, _ALPHA**2 * np.expm1(2 * np.minimum(x, 0)) / 2)
    return energy


def _softplus(x: Array) -> Array:
    value: Array = np.logaddexp(0, x)
    return value


def _softplus_energy(x: Array) -> Array:
    energy: Array = np.logaddexp(0, x) - SIGMOID.value(x)  # the derivative squared is s - s (1 - s)
    return energy


FUNCTIONS = {
    "gelu": Activation(_gelu, _gelu_energy),
    "silu": Activation(_silu, energy_of(_silu_slope)),
    "selu": Activation(_selu, _selu_energy),
    "softplus": Activation(_softplus, _softplus_energy),
    "sigmoid": SIGMOID,
    "tanh": TANH,
}
"""By their published names."""
