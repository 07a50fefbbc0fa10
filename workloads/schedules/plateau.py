"""The learning rate falls whenever the training loss has not fallen for some epochs.

Factor and patience are those of the Delta LSTM's incremental-learning runs (SensorsINI/RENETA: ReduceLROnPlateau,
factor 0.8, patience 4).
"""

from __future__ import annotations

from collections.abc import Sequence

FACTOR = 0.8
PATIENCE = 4


def factor(progress: float, losses: Sequence[float]) -> float:
    """Return the factor after epochs with these training `losses`; the share of updates done does not matter.

    Every time more than `PATIENCE` epochs in a row were no better than the best before them the rate falls by
    `FACTOR` and the count starts anew.
    """
    best, idle, falls = float("inf"), 0, 0
    for loss in losses:
        idle = 0 if loss < best else idle + 1
        best = min(best, loss)
        if idle > PATIENCE:
            falls, idle = falls + 1, 0
    return float(FACTOR**falls)
