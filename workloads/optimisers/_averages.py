"""Averages of weights over the steps of gradient descent, and when they begin.

Polyak and Juditsky, SIAM Journal on Control and Optimization 1992. As in torch.optim.ASGD with lambd = 0 and t0 = 0,
the learning rate stays, and the average leaves out the first iterate: after n >= 2 steps it is the mean of
w_2, ..., w_n.
"""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array

PATIENCE = 5
"""Epochs that the loss may wait for a new low: "nonmono" of AWD-LSTM and of Selfish-RNN."""

AVERAGE, COUNT, LOSSES, BEGUN = "average", "averaged", "losses", "begun"
"""Arrays of a state: the average, of how many steps, the losses that `watched` needs, and whether averages began."""


def averaged(average: Array, count: Array, parameters: Array) -> tuple[Array, Array]:
    """Return average and count with one step more; `count` is of all, shape (1,), or of each weight, shape (n,)."""
    more = count + 1
    share = (1 / np.maximum(1, more - 1)).astype(parameters.dtype)
    return average + share * (parameters - average), more


def first_losses() -> dict[str, Array]:
    """Return what `watched` knows before the first epoch: no loss, in place of which stand the largest numbers."""
    return {LOSSES: np.full(1 + PATIENCE, np.finfo(np.float64).max), BEGUN: np.zeros(1, np.int64)}


def watched(state: dict[str, Array], loss: float) -> dict[str, Array]:
    """Return the state with `loss` noted, and averages begun if it is no new low.

    They begin once for all after an epoch whose loss is above the lowest of those more than `PATIENCE` epochs before it
    (non-monotonic trigger: Merity et al., AWD-LSTM, ICLR 2018, arXiv 1708.02182, algorithm 1, as its repository and
    that of Selfish-RNN have it, which look once an epoch). The first of `losses` is that lowest one, then come the last
    ones, the newest at the end.
    """
    lowest, recent = state[LOSSES][0], state[LOSSES][1:]
    begun = state[BEGUN] | int(loss > lowest)
    return state | {LOSSES: np.array([min(lowest, recent[0]), *recent[1:], loss]), BEGUN: begun}
