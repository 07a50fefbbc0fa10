"""The rings of `sim.machine.column_words`: their records, and what leaves the buffer, in the order of time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from deltatrain.sim.dram.rules import Integers
from deltatrain.sim.machine import column_words as w
from deltatrain.workloads.compiling import compiled

_Function = TypeVar("_Function", bound=Callable[..., Any])


def inner(function: _Function) -> _Function:
    """Compile a function at its first call from compiled code, without counting references: nothing is made here."""
    return compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy", _nrt=False)


@inner
def record(s: Integers, begin: int, number: int) -> int:
    """Return the place of a record of the ring that begins at a place."""
    place: int = begin + (number & s[w.MASK]) * w.RECORD_WORDS
    return place


@inner
def next_cycle(s: Integers, ring: int, word: int) -> int:
    """Return the cycle that is a word of the first record of a ring."""
    if s[ring + 1] == s[ring + 2]:
        return w.NEVER
    cycle: int = s[record(s, s[ring], s[ring + 1]) + word]
    return cycle


@inner
def leave(s: Integers, cycle: int, size: int) -> None:
    """Let as many bytes as stand at a place leave the buffer in a cycle."""
    at = s[w.NEXT_LEAVE]
    place = record(s, s[w.LEAVES], at)
    while at > s[w.FIRST_LEAVE]:
        before = record(s, s[w.LEAVES], at - 1)
        if s[before + w.LEAVES_AT] <= cycle:
            break
        s[place + w.LEAVES_AT], s[place + w.LEFT_BYTES] = s[before + w.LEAVES_AT], s[before + w.LEFT_BYTES]
        at, place = at - 1, before
    s[place + w.LEAVES_AT], s[place + w.LEFT_BYTES] = cycle, s[size]
    s[w.NEXT_LEAVE] += 1
