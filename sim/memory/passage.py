"""How far a request has passed the port, and the law of one whose bytes all come at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltatrain.sim.dram.rules import Integers


class Stretch(NamedTuple):
    """A request's bytes, and which bursts of the memory they lie in.

    Attributes
    ----------
    lead_bytes
        Bytes of the first burst that lie before the request's.
    burst_bytes, size_bytes, word_bytes
        Sizes of a burst, of the request, of one word; the last word may be less than whole.
    """

    lead_bytes: int
    burst_bytes: int
    size_bytes: int
    word_bytes: int


class Passage(NamedTuple):
    """How far a request has passed the port.

    Attributes
    ----------
    bursts, words, bytes
        Bursts and whole words of it that have passed; bytes.
    cycle, room
        The cycle in which the last byte passed, and how many more can in that cycle.
    ready
        The cycle after the last word, if lanes that take one word a cycle had been free from the beginning.
    come
        The cycle from which all those bursts had come from memory.
    """

    bursts: int
    words: int
    bytes: int
    cycle: int
    room: int
    ready: int
    come: int


def pass_at_once(s: Stretch, p: Passage, come: int, width: int, due: Integers) -> Passage:
    """Let a whole request pass the port, of which nothing has passed: it is one burst, there from cycle `come` on.

    Parameters
    ----------
    s, p
        The request, and what passed last.
    come
        The cycle from which its bytes are there.
    width
        Bytes that pass in a cycle.
    due
        (words,) Room for the cycles in which its words pass.
    """
    cycle, used = (come, 0) if come > p.cycle else (p.cycle, width - p.room)
    count = len(due)
    ends = np.minimum(np.arange(1, count + 1) * s.word_bytes, s.size_bytes)
    due[:] = cycle + (used + ends - 1) // width
    last = cycle + (used + s.size_bytes - 1) // width
    left = -(used + s.size_bytes) % width
    ready = int((due + np.arange(count, 0, -1)).max())
    return Passage(1, count, s.size_bytes, last, left, ready, come)
