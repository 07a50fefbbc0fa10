"""One level, local: a state is kept at the beginning of each segment, and a segment's tape is made when it is needed.

n segments of c steps keep n - 2 states (state 0 is known, the last segment runs once) and c tapes, and run T + (T - c)
steps, so the largest c that fits is the fastest; c = sqrt(T S / A) for states of S and tapes of A bytes takes the least
memory, about 2 sqrt(T S A) (Chen et al. 2016, arXiv 1604.06174).
"""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.lowering.checkpoint.schedule import Budget, CheckpointSchedule, Costs, Demand, fit
from deltatrain.workloads.lowering.checkpoint.segments import bounds_of, kept_locally, one_level, restarted_locally

CLOSED_FORM = True


def demand(steps: int, budget: Budget, costs: Costs) -> Demand:
    """Return the states and the tapes of one segment."""
    length = segment_steps(steps, budget)
    states = max(0, -(-steps // length) - 2)
    taken = Demand(states * budget.state_bytes + length * budget.tape_bytes, 0, 2 * steps - length)
    return fit("segment", taken, budget)


def schedule(steps: int, budget: Budget, costs: Costs) -> CheckpointSchedule:
    """Return the schedule."""
    demand(steps, budget, costs)
    bounds = bounds_of(0, steps, segment_steps(steps, budget))
    return CheckpointSchedule.of(steps, one_level(bounds, kept_locally, restarted_locally))


blocking_schedule = schedule


def segment_steps(steps: int, budget: Budget) -> int:
    """Return the longest segment that fits, or the one that takes the least memory if none does."""
    state, tape, room = budget.state_bytes, budget.tape_bytes, budget.local_bytes
    fewest = max(1, -(-steps // max(1, room // tape)))
    most = min(steps, room // state + 2)
    number = np.arange(fewest, max(fewest, most) + 1)
    longest = np.minimum((room - np.maximum(number - 2, 0) * state) // tape, -(-steps // np.maximum(number - 1, 1)) - 1)
    longest[number == 1] = steps
    fits = (longest >= -(-steps // number)) & ((number > 1) | (steps * tape <= room))
    if fits.any():
        return int(longest[np.argmax(fits)])
    return int(np.clip(round((steps * state / tape) ** 0.5), 1, steps))
