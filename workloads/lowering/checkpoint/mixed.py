"""Long sequences: segments that are run again, with blocks between them whose tapes go to off-chip memory instead.

Moving a tape out and back spares one forward step. Where the port would otherwise idle that is for nothing, so the best
share of sent steps keeps compute and port equally busy, and the blocks lie evenly between the segments so that neither
waits for the other.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from deltatrain.workloads.lowering.checkpoint.schedule import (
    Action,
    Budget,
    CheckpointSchedule,
    Costs,
    Row,
    saved_remotely,
)
from deltatrain.workloads.lowering.checkpoint.segments import (
    bounds_of,
    kept_locally,
    one_level,
    outer_again,
    restarted_locally,
)

_SHARES = (0.8, 0.92, 1.0, 1.04)
"""Of a balanced share of sent steps: start and end of a sequence, and waiting, move the best away from balance."""


class Pattern(NamedTuple):
    """What repeats.

    Attributes
    ----------
    inner, length
        Segments of `inner` times `length` steps are run again; within one, inner states are kept locally.
    block
        Steps whose tapes are sent together.
    share
        Which share of the steps before the last segment is sent.
    """

    inner: int
    length: int
    block: int
    share: float


def schedule(steps: int, pattern: Pattern) -> CheckpointSchedule:
    """Return the schedule of `pattern`; steps left over make the first segment shorter."""
    whole = pattern.inner * pattern.length
    last = max(0, steps - whole)
    bounds, sent = _parts(last, pattern)
    parts = list(zip(pairwise(bounds), sent, strict=True))
    rows: list[Row] = []
    for (a, b), is_sent in parts:
        if is_sent:
            rows += [(Action.FORWARD_TAPE, a, b), (Action.SAVE_TAPE_REMOTE, a, b), (Action.FREE_TAPE_LOCAL, a, b)]
        else:
            rows += [*saved_remotely(a), (Action.FORWARD, a, b)]
    rows += one_level(bounds_of(last, steps, pattern.length), kept_locally, restarted_locally)
    for (a, b), is_sent in reversed(parts):
        if is_sent:
            rows += [(Action.LOAD_TAPE_REMOTE, a, b), (Action.REVERSE, a, b), (Action.FREE_TAPE_REMOTE, a, b)]
        else:
            rows += outer_again(a, b, pattern.length)
    return CheckpointSchedule.of(steps, rows)


def patterns(steps: int, budget: Budget, costs: Costs) -> list[Pattern]:
    """Return patterns that fit, those that could be fastest first (`least_rate`)."""
    state, tape, room = budget.state_bytes, budget.tape_bytes, budget.local_bytes
    found: set[Pattern] = set()
    for inner in _inner_numbers(room // state):
        longest = (room - (inner - 1) * state) // tape
        for block in {max(1, longest // 16), max(1, longest // 4)}:
            for beside in {0, state, state + block * tape, state + 2 * block * tape}:
                length = (room - (inner - 1) * state - beside) // tape
                if length >= 1 and inner * length <= 2 * steps:
                    unsent = Pattern(inner, length, block, 0.0)
                    found.add(unsent)
                    most = _most_sent(steps, unsent, budget)
                    balanced = _balanced_shares(unsent, costs)
                    shares = (min(most, share * of) for of in balanced for share in _SHARES)
                    found.update(unsent._replace(share=share) for share in (*shares, most))
    return sorted(found, key=lambda pattern: (least_rate(pattern, costs), pattern))


def least_rate(pattern: Pattern, costs: Costs) -> float:
    """Return the cycles that a step takes at least in a long sequence, each way those of the busier resource."""
    return sum(
        max(way.compute + pattern.share * way.spared, way.port + pattern.share * way.added)
        for way in _ways(pattern, costs)
    )


def rows_per_step(pattern: Pattern) -> float:
    """Return the rows that a step takes in a long sequence."""
    return 6 * pattern.share / pattern.block + (6 + 4 * pattern.inner) * (1 - pattern.share) / (
        pattern.inner * pattern.length
    )


class _Way(NamedTuple):
    """Cycles a step takes one way, with none sent, and what a sent step changes about them (`spared` is negative)."""

    compute: float
    port: float
    spared: float
    added: float


def _ways(pattern: Pattern, costs: Costs) -> tuple[_Way, _Way]:
    """Return the way forward and the way back."""
    whole, runs = pattern.inner * pattern.length, 2 - 1 / pattern.inner
    save, load = costs.save_state_cycles / whole, costs.load_state_cycles / whole
    again, own = costs.forward_cycles * runs, costs.forward_port_cycles * runs
    return (
        _Way(costs.forward_cycles, costs.forward_port_cycles + save, 0, costs.save_tape_cycles - save),
        _Way(
            costs.backward_cycles + again,
            costs.backward_port_cycles + own + load,
            -again,
            costs.load_tape_cycles - own - load,
        ),
    )


def _inner_numbers(states: int) -> list[int]:
    """Return numbers of inner segments worth trying: small ones, and half the room for states (`policies.double`)."""
    return sorted({1, 2, 4, max(1, (states + 1) // 2)} & set(range(1, states + 2)))


def _parts(stop: int, pattern: Pattern) -> tuple[list[int], list[bool]]:
    """Return where parts of 0..stop begin, with `stop` last, and which of them are sent."""
    blocks = round(pattern.share * stop / pattern.block)
    again = max(0, stop - blocks * pattern.block)
    blocks_steps = [pattern.block] * blocks
    if blocks:
        blocks_steps[0] -= max(0, blocks * pattern.block - stop)
    whole = pattern.inner * pattern.length
    segments = [again % whole] * (again % whole > 0) + [whole] * (again // whole)
    number, many = len(blocks_steps) + len(segments), len(segments)
    bounds, sent = [0], []
    for place in range(number):
        placed = many - len(segments)
        is_segment = placed < many and placed * number <= place * many  # evenly, the first part a segment
        bounds.append(bounds[-1] + (segments if is_segment else blocks_steps).pop(0))
        sent.append(not is_segment)
    return bounds, sent


def _balanced_shares(pattern: Pattern, costs: Costs) -> list[float]:
    """Return the shares of sent steps at which compute and port have equally much to do forward, and back; 0..1."""
    shares = []
    for way in _ways(pattern, costs):
        slope = way.added - way.spared
        shares.append(min(1.0, max(0.0, (way.compute - way.port) / slope)) if slope > 0 else 1.0)
    return shares


def _most_sent(steps: int, pattern: Pattern, budget: Budget) -> float:
    """Return the largest share of sent steps that remote memory holds beside the states."""
    states = budget.state_bytes / (pattern.inner * pattern.length)
    before_last = max(1, steps - pattern.inner * pattern.length)
    if budget.tape_bytes <= states:
        return 1.0
    share = (budget.remote_bytes / before_last - states) / (budget.tape_bytes - states)
    return min(1.0, max(0.0, share))
