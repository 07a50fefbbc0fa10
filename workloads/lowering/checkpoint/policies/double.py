"""Two levels: outer states in off-chip memory, inner states in local memory.

After Double Checkpointing (Bencheikh, Finkbeiner, Neftci, arXiv 2412.11810), whose own definition is not at hand: what
is here is our derivation of a scheme with two re-forward passes. An outer segment is k inner ones of c steps. Of all
(k, c) that fit, this takes the longest outer segment, which moves the fewest states: its aim is to depend little on a
slow memory.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from deltatrain.workloads.lowering.checkpoint.policies import segment
from deltatrain.workloads.lowering.checkpoint.schedule import (
    Action,
    Budget,
    CheckpointSchedule,
    Costs,
    Demand,
    Row,
    fit,
    saved_remotely,
)
from deltatrain.workloads.lowering.checkpoint.segments import (
    bounds_of,
    kept_locally,
    one_level,
    outer_again,
    restarted_locally,
)

CLOSED_FORM = True


def demand(steps: int, budget: Budget, costs: Costs) -> Demand:
    """Return the inner states and the tapes of an inner segment, and the outer states in remote memory."""
    number, length = segment_steps(budget)
    if steps <= number * length:
        return segment.demand(steps, budget, costs)
    outer = -(-steps // (number * length))
    first = steps - (outer - 1) * number * length
    again = (outer - 1) * (number - 1) * length + max(0, first - length)
    forward_steps = steps + steps - number * length + again
    in_first = max(0, -(-first // length) - 2) * budget.state_bytes + min(first, length) * budget.tape_bytes
    local_bytes = max((number - 1) * budget.state_bytes + length * budget.tape_bytes, in_first)
    return fit("double", Demand(local_bytes, (outer - 2) * budget.state_bytes, forward_steps), budget)


def schedule(steps: int, budget: Budget, costs: Costs) -> CheckpointSchedule:
    """Return the schedule."""
    demand(steps, budget, costs)
    number, length = segment_steps(budget)
    if steps <= number * length:
        return segment.schedule(steps, budget, costs)
    *earlier, (start, stop) = pairwise(bounds_of(0, steps, number * length))
    rows: list[Row] = []
    for a, b in earlier:
        rows += [*saved_remotely(a), (Action.FORWARD, a, b)]
    rows += one_level(bounds_of(start, stop, length), kept_locally, restarted_locally)
    for a, b in reversed(earlier):
        rows += outer_again(a, b, length)
    return CheckpointSchedule.of(steps, rows)


blocking_schedule = schedule


def segment_steps(budget: Budget) -> tuple[int, int]:
    """Return k and c, of those that leave room to fetch the next outer state the pair with the largest k * c."""
    number = np.arange(2, max(2, budget.local_bytes // budget.state_bytes) + 1)
    length = np.maximum((budget.local_bytes - number * budget.state_bytes) // budget.tape_bytes, 1)
    taken = number * budget.state_bytes + length * budget.tape_bytes
    steps = np.where(taken <= budget.local_bytes, number * length, 0)
    best = int(np.argmax(steps))
    return int(number[best]), int(length[best])
