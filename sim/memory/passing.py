"""The port, compiled: words pass it in order, one width a cycle, as their bytes come."""

from __future__ import annotations

from typing import NamedTuple

import numba

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


@numba.njit(cache=True)
def pass_on(s: Stretch, p: Passage, done: Integers, tick_ps: int, period_ps: int, width: int, due: Integers) -> Passage:
    """Let further bursts of a request pass the port.

    Parameters
    ----------
    s, p
        The request, and how far it is.
    done
        (N,) Ticks of the memory from which the data of its next N bursts are there.
    tick_ps, period_ps
        A tick of the memory; an engine cycle; both in the same part of a picosecond. What is there at a time can pass
        in the first cycle that begins then or later.
    width
        Bytes that pass in a cycle.
    due
        Room for the cycles in which the words pass that do so now.
    """
    bursts, words, passed, cycle, room, ready, all_come = p
    count, noted = -(-s.size_bytes // s.word_bytes), 0
    for tick in done:
        come = -(-tick * tick_ps // period_ps)
        all_come = max(all_come, come)
        if come > cycle:
            cycle, room = come, width
        end = min(s.size_bytes, (bursts + 1) * s.burst_bytes - s.lead_bytes)
        while passed < end:
            if room == 0:
                cycle, room = cycle + 1, width
            word_end = min(s.size_bytes, (words + 1) * s.word_bytes)
            step = min(room, end - passed, word_end - passed)
            passed, room = passed + step, room - step
            if passed == word_end:
                ready = max(ready, cycle + count - words)
                due[noted] = cycle
                noted, words = noted + 1, words + 1
        bursts += 1
    return Passage(bursts, words, passed, cycle, room, ready, all_come)
