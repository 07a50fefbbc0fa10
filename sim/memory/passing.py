"""The port, compiled: words pass it in order, one width a cycle, as their bytes come."""

from __future__ import annotations

from deltatrain.accel.compiling import compiled
from deltatrain.sim.dram.rules import Integers
from deltatrain.sim.memory.passage import Passage, Stretch

LARGEST = (1 << 63) - 1
"""What fits in 64 bits."""


@compiled
def first_cycle(tick: int, cycles: int, ticks: int) -> int:
    """Return the first engine cycle that begins with a tick or later, where `cycles` last as long as `ticks`.

    The product of tick (below 2**48) and cycles (below 2**63) may not fit in 64 bits. So it is divided by `ticks`
    (at most 10**15) as on paper, twelve bits of the tick at a time.
    """
    whole, part = cycles // ticks, cycles % ticks
    quotient, left = 0, 0
    for shift in range(36, -1, -12):
        left = left * 4096 + (tick >> shift & 4095) * part
        quotient = quotient * 4096 + left // ticks
        left %= ticks
    return tick * whole + quotient + (left > 0)


@compiled
def scaled(value: int, by: int, over: int) -> int:
    """Return value * by / over, rounded up: in one division where the product fits, else as `first_cycle`."""
    return -(-value * by // over) if value < LARGEST // by else first_cycle(value, by, over)


@compiled
def pass_on(s: Stretch, p: Passage, done: Integers, cycles: int, ticks: int, width: int, due: Integers) -> Passage:
    """Let further bursts of a request pass the port.

    Parameters
    ----------
    s, p
        The request, and how far it is.
    done
        (N,) Ticks of the memory from which the data of its next N bursts are there.
    cycles, ticks
        How many engine cycles last as long as how many ticks of the memory, in lowest terms. What is there at a time
        can pass in the first cycle that begins then or later.
    width
        Bytes that pass in a cycle.
    due
        Room for the cycles in which the words pass that do so now.
    """
    bursts, words, passed, cycle, room, ready, all_come = p
    count, noted, last = -(-s.size_bytes // s.word_bytes), 0, 0
    plain_below, plain_cycle_below = LARGEST // cycles, LARGEST // ticks
    for tick in done:
        last = max(last, tick)
        # Where the port is the limit, what has come waits for its turn; two products tell that without a division.
        if tick >= plain_below or cycle >= plain_cycle_below or tick * cycles > cycle * ticks:
            come = scaled(tick, cycles, ticks)
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
    all_come = max(all_come, scaled(last, cycles, ticks))
    return Passage(bursts, words, passed, cycle, room, ready, all_come)
