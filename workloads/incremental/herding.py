"""Which recordings of a class are kept: those whose mean, however few are taken, is nearest to that of all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.packing import Array


def herded(features: Array, count: int) -> NDArray[np.int64]:
    """Return up to `count` recordings of a class, the most telling first (iCaRL, algorithm 4).

    Each is the one with which the mean of those chosen so far comes nearest to the mean of all; of equals the first.
    So fewer of them are a beginning of the same list.

    Parameters
    ----------
    features
        What the network sees of each recording, shape (N, D).
    count
        How many are kept; all if there are fewer.
    """
    features = features.astype(np.float64)
    mean, total = features.mean(axis=0), np.zeros(features.shape[1])
    taken, chosen = np.zeros(len(features), bool), list[int]()
    for number in range(1, min(count, len(features)) + 1):
        off = np.linalg.norm(mean - (total + features) / number, axis=1)
        off[taken] = np.inf
        chosen.append(int(off.argmin()))
        taken[chosen[-1]] = True
        total += features[chosen[-1]]
    return np.array(chosen, np.int64)
