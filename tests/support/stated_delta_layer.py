"""A thresholded layer stated a second time, from the equations of the publications, for autograd to differentiate.

Neil et al., Delta Networks for Optimized Recurrent Network Computation, ICML 2017: an element is sent when it has moved
by the threshold since it was last sent, and M adds up what the columns of sent elements bring.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

Tensor = Any


def chunks(vector: Tensor, width: int) -> list[Tensor]:
    return list(torch.split(vector, width)) if len(vector) else []


def _rnn(m: list[Tensor], h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    return torch.tanh(m[0]), c


def _gru(m: list[Tensor], h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    r, z = torch.sigmoid(m[0]), torch.sigmoid(m[1])
    n = torch.tanh(m[2] + r * m[3])
    return (1 - z) * n + z * h, c


def _lstm(m: list[Tensor], h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    c = torch.sigmoid(m[1]) * c + torch.sigmoid(m[0]) * torch.tanh(m[2])
    return torch.sigmoid(m[3]) * torch.tanh(c), c


def _dense(m: list[Tensor], h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    return torch.relu(m[0]), c


# the gates, and the accumulator that each row block of W_x and of W_h adds to
STATED: dict[str, tuple[Callable[..., tuple[Tensor, Tensor]], list[int], list[int]]] = {
    "delta_dense": (_dense, [0], []),
    "delta_rnn": (_rnn, [0], [0]),
    "delta_gru": (_gru, [0, 1, 2], [0, 1, 3]),
    "delta_lstm": (_lstm, [0, 1, 2, 3], [0, 1, 2, 3]),
}


def published(value: Tensor, held: Tensor, theta: float) -> Tensor:
    """Return which elements fire by the published code (gaochangw/DeltaRNN): inactive if and only if |d| < theta."""
    return ~((value - held).abs() < theta).detach()


class Stated(NamedTuple):
    """Of one sample: every h, sum|delta|, what fired at every step of both streams (x, h), the last c."""

    h: list[Tensor]
    spent: Tensor
    fired_x: list[Tensor]
    fired_h: list[Tensor]
    c: Tensor


def stated_layer(
    cell: str,
    W_x: Tensor,
    W_h: Tensor,
    bias: Tensor,
    xs: list[Tensor],
    theta: tuple[float, float],
    state: tuple[Tensor, Tensor] | None = None,
) -> Stated:
    """Run a layer on one sample, one step after the other, from (h, c) or from zero. Masks are detached."""
    gates, to_x, to_h = STATED[cell]
    width = W_h.shape[1]
    memory = chunks(bias, width)
    x_hat, h_hat = torch.zeros_like(xs[0]), torch.zeros(width, dtype=W_h.dtype)
    h, c = state or (torch.zeros_like(h_hat), torch.zeros_like(h_hat))
    stated = Stated([], torch.zeros((), dtype=W_h.dtype), [], [], c)
    for x in xs:
        fired_x, fired_h = published(x, x_hat, theta[0]), published(h, h_hat, theta[1]) & bool(to_h)
        delta_x = torch.where(fired_x, x - x_hat, torch.zeros_like(x))
        delta_h = torch.where(fired_h, h - h_hat, torch.zeros_like(h))
        x_hat, h_hat = torch.where(fired_x, x, x_hat), torch.where(fired_h, h, h_hat)
        for accumulator, part in zip(to_x, chunks(W_x @ delta_x, width), strict=True):
            memory[accumulator] = memory[accumulator] + part
        for accumulator, part in zip(to_h, chunks(W_h @ delta_h, width), strict=True):
            memory[accumulator] = memory[accumulator] + part
        h, c = gates(memory, h, c)
        stated = stated._replace(spent=stated.spent + delta_x.abs().sum() + delta_h.abs().sum(), c=c)
        for kept, value in ((stated.h, h), (stated.fired_x, fired_x), (stated.fired_h, fired_h)):
            kept.append(value)
    return stated
