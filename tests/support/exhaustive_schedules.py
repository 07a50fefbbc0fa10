"""Every schedule there is, for very short sequences: the least time that any sequence of actions takes.

A second statement of what the actions mean, as a search over what is where. Nothing is assumed about order, nesting or
how long something is kept.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count

Config = tuple[int, int, int, int, int, int]
"""Working state, local states, local tapes, remote states, remote tapes (bit sets), and how many steps to reverse."""


def _moves(config: Config, steps: int) -> Iterator[tuple[str, int, Config]]:
    """Yield what can be done, to which step, and what is where then."""
    at, states, tapes, far_states, far_tapes, left = config
    if at < steps:
        bit = 1 << at
        yield "forward", at, (at + 1, states, tapes, far_states, far_tapes, left)
        if not tapes & bit:
            yield "forward", at, (at + 1, states, tapes | bit, far_states, far_tapes, left)
        if at and not states & bit:
            yield "keep", at, (at, states | bit, tapes, far_states, far_tapes, left)
    if tapes >> (left - 1) & 1:
        yield "reverse", left - 1, (at, states, tapes & ~(1 << (left - 1)), far_states, far_tapes, left - 1)
    yield "restart", 0, (0, states, tapes, far_states, far_tapes, left)
    for t in range(left):
        bit = 1 << t
        if states & bit:
            yield "restart", t, (t, states, tapes, far_states, far_tapes, left)
            yield "free state", t, (at, states & ~bit, tapes, far_states, far_tapes, left)
            if not far_states & bit:
                yield "save state", t, (at, states, tapes, far_states | bit, far_tapes, left)
        if tapes & bit:
            yield "free tape", t, (at, states, tapes & ~bit, far_states, far_tapes, left)
            if not far_tapes & bit:
                yield "save tape", t, (at, states, tapes, far_states, far_tapes | bit, left)
        if far_states & bit:
            yield "forget", t, (at, states, tapes, far_states & ~bit, far_tapes, left)
            if not states & bit:
                yield "load state", t, (at, states | bit, tapes, far_states, far_tapes, left)
        if far_tapes & bit:
            yield "forget", t, (at, states, tapes, far_states, far_tapes & ~bit, left)
            if not tapes & bit:
                yield "load tape", t, (at, states, tapes | bit, far_states, far_tapes, left)


def _fits(config: Config, budget) -> bool:
    _, states, tapes, far_states, far_tapes, _ = config
    local = states.bit_count() * budget.state_bytes + tapes.bit_count() * budget.tape_bytes
    remote = far_states.bit_count() * budget.state_bytes + far_tapes.bit_count() * budget.tape_bytes
    return local <= budget.local_bytes and remote <= budget.remote_bytes


def _durations(costs) -> dict[str, int]:
    return {
        "forward": costs.forward_cycles,
        "reverse": costs.backward_cycles,
        "save state": costs.save_state_cycles,
        "load state": costs.load_state_cycles,
        "save tape": costs.save_tape_cycles,
        "load tape": costs.load_tape_cycles,
    }


def least_blocking_cycles(steps: int, budget, costs) -> float:
    """Return the least cycles of any schedule with a blocking port; infinite if none fits. Own traffic is not known."""
    durations = _durations(costs)
    start: Config = (0, 0, 0, 0, 0, steps)
    best, heap = {start: 0}, [(0, start)]
    while heap:
        cycles, config = heapq.heappop(heap)
        if best[config] < cycles:
            continue
        if config[5] == 0:
            return cycles
        for action, _, after in _moves(config, config[5]):
            total = cycles + durations.get(action, 0)
            if total < best.get(after, float("inf")) and _fits(after, budget):
                best[after] = total
                heapq.heappush(heap, (total, after))
    return float("inf")


def least_overlapped_cycles(steps: int, budget, costs, below: float) -> float:
    """Return the least cycles of any schedule with transfers beside compute, or `below` if none takes fewer.

    A label is when compute is free, when the port is, and until when each local copy is on its way in or out. Of two
    labels with the same things in the same places, one that is nowhere later makes the other needless.
    """
    durations = _durations(costs)
    start: Config = (0, 0, 0, 0, 0, steps)
    labels: dict[Config, list[tuple[int, ...]]] = {}
    order = count()
    heap = [(0, next(order), start, (0, 0, *[0] * (2 * steps)))]
    while heap:
        free, _, config, label = heapq.heappop(heap)
        if config[5] == 0:
            return free
        for action, t, after in _moves(config, config[5]):
            if not _fits(after, budget):
                continue
            times = list(_after(action, t, label, durations, steps))
            rest = after[5] * costs.backward_cycles
            if times[0] + rest >= below:
                continue
            new = tuple(
                max(time, times[0]) if place < 2 else (time if time > times[0] else 0)
                for place, time in enumerate(times)
            )
            known = labels.setdefault(after, [])
            if any(all(a <= b for a, b in zip(one, new, strict=True)) for one in known):
                continue
            known[:] = [one for one in known if not all(a <= b for a, b in zip(new, one, strict=True))]
            known.append(new)
            heapq.heappush(heap, (new[0], next(order), after, new))
    return below


def _after(action: str, t: int, label: tuple[int, ...], durations: dict[str, int], steps: int) -> tuple[int, ...]:
    """Return the times after an action: of compute, of the port, of each local state, of each local tape."""
    free, port, *there = label
    place = t + (steps if "tape" in action or action == "reverse" else 0)
    if action in ("save state", "load state", "save tape", "load tape"):
        port = max(free, port) + durations[action]
        there[place] = port
    elif action in ("reverse", "restart", "free state", "free tape"):
        free = max(free, there[place]) + durations.get(action, 0)
        there[place] = 0
    else:
        free += durations.get(action, 0)
    return (free, port, *there)
