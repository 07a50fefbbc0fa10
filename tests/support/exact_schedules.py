"""The least time of any checkpoint schedule with a blocking port, for sequences of up to twelve steps, by A*.

`exhaustive_schedules` tries every action and is a second statement of this search for up to four steps. Here, actions
that another is never worse than are left out, and what is still to be paid at least leads the search:

- a step whose tape is there is reversed at once: its time is paid in any case, and its room is wanted;
- where there is room for a tape, a step that is run leaves it: it may be freed at any time;
- something is freed only where room for a tape or a state is short;
- what belongs to reversed steps is gone.
"""

from __future__ import annotations

import heapq

import numpy as np
from numba import njit
from numba.core import types
from numba.typed import Dict

MOST_STEPS = 12
MOST_CONFIGURATIONS = 3_000_000
"""About 300 MB and 20 CPU seconds; of longer searches the end is not known."""


def least_blocking_cycles(steps: int, budget, costs, below: int) -> int | None:
    """Return the least cycles of any schedule of up to `MOST_STEPS` steps, or `below` if none takes fewer.

    None if `MOST_CONFIGURATIONS` were seen and nothing was proven. A step's own traffic and latency are not known.
    """
    assert steps <= MOST_STEPS
    sizes = (budget.state_bytes, budget.tape_bytes, budget.local_bytes, budget.remote_bytes)
    found = _search(steps, sizes, tuple(costs[:6]), below)
    return None if found < 0 else found


@njit(cache=True)
def _bits(word):
    count = 0
    while word:
        word &= word - 1
        count += 1
    return count


@njit(cache=True)
def _packed(at, left, states, tapes, far_states, far_tapes):
    """Return a configuration as one number, without what belongs to reversed steps."""
    known = (1 << left) - 1
    word = ((at << 4 | left) << 12 | states & known) << 12 | tapes & known
    return (word << 12 | far_states & known) << 12 | far_tapes & known


@njit(cache=True)
def _to_pay(at, left, states, tapes, far_states, far_tapes, most, durations):
    """Return what is at least still to be paid.

    Every tape is there, or loaded, or made by running its step. And before the next step is reversed it is run from a
    state that is there, or its tape is loaded; no more than `most` tapes are in local memory then, so the others are
    loaded later, after they were sent, or made again.
    """
    forward, backward, _, load_state, save_tape, load_tape = durations
    known = (1 << left) - 1
    far = _bits(far_tapes & ~tapes & known)
    each_far = min(load_tape, forward)
    least = far * each_far + (left - far - _bits(tapes & known)) * forward
    if left and not tapes >> (left - 1) & 1:
        near = at if at < left else 0
        away = left
        for t in range(left):
            if states >> t & 1:
                near = max(near, t)
            if far_states >> t & 1:
                away = left - t
        first = min((left - near) * forward, away * forward + load_state)
        if far_tapes >> (left - 1) & 1:
            first = min(first, load_tape)
        out = max(0, left - most)
        sent = _bits(far_tapes & known)
        later = min(out, sent) * each_far + max(0, out - sent) * min(forward, save_tape + load_tape)
        least = max(least, first + later)
    return left * backward + least


@njit(cache=True)
def _may_follow(after, at, left, states, tapes, far_states, far_tapes, sizes, durations):
    """Write what may be done next into `after`: its time and the configuration then. Return how many there are."""
    state, tape, local, remote = sizes
    forward, backward, save_state, load_state, save_tape, load_tape = durations
    room = local - _bits(states) * state - _bits(tapes) * tape
    far_room = remote - _bits(far_states) * state - _bits(far_tapes) * tape
    if tapes >> (left - 1) & 1:
        after[0] = (backward, at, left - 1, states, tapes, far_states, far_tapes)
        return 1
    count = 0
    if at < left:
        bit = 1 << at
        if not tapes & bit and room >= tape:
            after[count] = (forward, at + 1, left, states, tapes | bit, far_states, far_tapes)
            count += 1
        elif at < left - 1:
            after[count] = (forward, at + 1, left, states, tapes, far_states, far_tapes)
            count += 1
        if at and not states & bit and room >= state:
            after[count] = (0, at, left, states | bit, tapes, far_states, far_tapes)
            count += 1
    short, far_short = room < max(state, tape), far_room < max(state, tape)
    for t in range(left):
        bit = 1 << t
        if at != t and (t == 0 or states & bit):
            after[count] = (0, t, left, states, tapes, far_states, far_tapes)
            count += 1
        if short and states & bit:
            after[count] = (0, at, left, states & ~bit, tapes, far_states, far_tapes)
            count += 1
        if short and tapes & bit:
            after[count] = (0, at, left, states, tapes & ~bit, far_states, far_tapes)
            count += 1
        if far_short and far_states & bit:
            after[count] = (0, at, left, states, tapes, far_states & ~bit, far_tapes)
            count += 1
        if far_short and far_tapes & bit:
            after[count] = (0, at, left, states, tapes, far_states, far_tapes & ~bit)
            count += 1
        if states & bit and not far_states & bit and far_room >= state:
            after[count] = (save_state, at, left, states, tapes, far_states | bit, far_tapes)
            count += 1
        if tapes & bit and not far_tapes & bit and far_room >= tape:
            after[count] = (save_tape, at, left, states, tapes, far_states, far_tapes | bit)
            count += 1
        if far_states & bit and not states & bit and room >= state:
            after[count] = (load_state, at, left, states | bit, tapes, far_states, far_tapes)
            count += 1
        if far_tapes & bit and not tapes & bit and room >= tape:
            after[count] = (load_tape, at, left, states, tapes | bit, far_states, far_tapes)
            count += 1
    return count


@njit(cache=True)
def _search(steps, sizes, durations, below):
    most = sizes[2] // sizes[1]
    best = Dict.empty(types.int64, types.int64)
    done = Dict.empty(types.int64, types.int64)
    start = _packed(0, steps, 0, 0, 0, 0)
    best[start] = 0
    heap = [(_to_pay(0, steps, 0, 0, 0, 0, most, durations), start)]
    after = np.empty((9 * MOST_STEPS + 2, 7), dtype=np.int64)
    while heap:
        _, word = heapq.heappop(heap)
        paid = best[word]
        if word in done and done[word] == paid:
            continue
        done[word] = paid
        left = word >> 48 & 15
        if left == 0:
            return paid
        if len(done) > MOST_CONFIGURATIONS:
            return -1
        places = (word >> 36 & 4095, word >> 24 & 4095, word >> 12 & 4095, word & 4095)
        count = _may_follow(after, word >> 52, left, *places, sizes, durations)
        for k in range(count):
            cycles, at, then, states, tapes, far_states, far_tapes = after[k]
            total = paid + cycles
            new = _packed(at, then, states, tapes, far_states, far_tapes)
            if new not in best or total < best[new]:
                known = (1 << then) - 1
                kept = (states & known, tapes & known, far_states & known, far_tapes & known)
                bound = total + _to_pay(at, then, *kept, most, durations)
                if bound < below:
                    best[new] = total
                    heapq.heappush(heap, (bound, new))
    return below
