"""When a reader of a memory takes its requests, and when its words go: the cycles that the gates must equal."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from streams import always


class Reading(NamedTuple):
    """Cycles of a reader.

    Attributes
    ----------
    first
        When each request is first at the port.
    taken
        When each request is taken.
    words
        When each word is taken.
    """

    first: list[int]
    taken: list[int]
    words: list[int]


def first_of(pattern, cycle):
    """Return the first cycle of `pattern` from `cycle` on."""
    return next(later for later in itertools.count(cycle) if pattern(later))


def reading(lengths, *, not_before=None, may_offer=always, is_ready=always, latency=1) -> Reading:
    """Return the cycles for requests of `lengths` words, offered and taken as `streams` does it.

    A request is at the port for max(1, n) cycles. A word is asked for if fewer than `latency` + 1 are on their way or
    waiting, is there `latency` cycles later, and goes when the one before it has gone.
    """
    found, free = Reading([], [], []), 0
    for length, earliest in zip(lengths, not_before or itertools.repeat(0), strict=False):
        free = first_of(may_offer, max(free, earliest))
        found.first.append(free)
        for _ in range(length):
            goes = found.words
            asked = max(free, goes[-latency - 1] + 1 if len(goes) > latency else 0)
            goes.append(first_of(is_ready, max(asked + latency, goes[-1] + 1 if goes else 0)))
            free = asked + 1
        free += length == 0
        found.taken.append(free - 1)
    return found
