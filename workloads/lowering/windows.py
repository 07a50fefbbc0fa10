"""Windows of steps through which gradients go back: to a machine each is a sample, which goes on from the one before.

The windows of a sample follow each other, and no step of the next sample comes between them. So the working state is
what the next window goes on from, and a tape of one window is all that is kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.recorded_step import RecordedStep


def window_lengths(lengths: NDArray[np.int64], steps: int | None) -> NDArray[np.int64]:
    """Return the steps of all windows, sample after sample, shape (V,); `lengths`, shape (B,), if `steps` is None."""
    if steps is None:
        return lengths
    start = steps * np.arange(-(-int(lengths.max(initial=0)) // steps))
    within = np.clip(lengths[:, None] - start, 0, steps).ravel()
    found: NDArray[np.int64] = within[within > 0]
    return found


def in_windows(recorded: RecordedStep, steps: int | None) -> RecordedStep:
    """Return a recorded step with its windows as samples; as it is if `steps` is None.

    All are said to go on from a state: into the first of a sample nothing fires, which costs its recurrent lists a scan
    each.
    """
    if steps is None:
        return recorded
    lengths, longest = recorded.lengths, int(recorded.lengths.max(initial=0))
    count = -(-longest // steps)
    there = (lengths[:, None] > steps * np.arange(count)).ravel()

    def cut(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        padded = np.zeros((count * steps, *mask.shape[1:]), np.bool_)
        padded[: len(mask)] = mask
        by_window = padded.reshape(count, steps, *mask.shape[1:]).transpose(1, 2, 0, 3)
        return by_window.reshape(steps, -1, mask.shape[2])[: min(steps, longest), there]

    masks: dict[str, Any] = {
        name: tuple(cut(mask) for mask in getattr(recorded, name))
        for name in ("fired_x", "fired_h", "asked_x", "asked_h")
    }
    return RecordedStep(
        recorded.epoch,
        recorded.update,
        window_lengths(lengths, steps),
        **masks,
        weights=recorded.weights,
        carried=True,
    )
