"""Requests to a DRAM, and patterns that peers were measured with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from deltatrain.accel.errors import unknown_name

_CHUNK = 1 << 16
_SPACE_BYTES = 1 << 30  # the address space of the published measurements
PATTERNS = {
    "stream": "sequential reads",
    "stream_bank_group": "sequential reads, a row's in one bank group: address map RoBaRaCoCh",
    "stream_one_group": "sequential reads in the first bank group only: address map BgRoBaRaCoCh",
    "stream_writes": "sequential, every third request a write",
    "random": "reads anywhere in 1 GiB",
    "random_pairs": "two neighbouring bursts of a row anywhere in 1 GiB: address map RoBaRaCoCh",
    "random_writes": "anywhere in 1 GiB, every third request a write",
    "mixed": "two sequential reads, then a write of another sequence 512 MiB above",
}
_MAPS = {"stream_bank_group": "RoBaRaCoCh", "stream_one_group": "BgRoBaRaCoCh", "random_pairs": "RoBaRaCoCh"}
_MIXED = ("mixed", "stream_writes", "random_writes")


class Requests(NamedTuple):
    """A piece of a sequence of requests, one entry each; see `DramChannels.serve`."""

    cycles: npt.NDArray[np.int64]
    addresses: npt.NDArray[np.int64]
    writes: npt.NDArray[np.bool_]


def map_of(pattern: str) -> dict[str, str]:
    """Return the address map that makes a pattern what it is, as a field of the controller; none if any map does."""
    return {"address_map": _MAPS[pattern]} if pattern in _MAPS else {}


def generated(pattern: str, count: int, request_bytes: int, capacity_bytes: int) -> Iterator[Requests]:
    """Yield requests of a pattern, offered back to back.

    Parameters
    ----------
    pattern
        One of `PATTERNS`.
    count, request_bytes
        How many requests of how many bytes.
    capacity_bytes
        Size of the memory; a smaller one than 1 GiB shrinks the pattern's address space.
    """
    if pattern not in PATTERNS:
        raise unknown_name("pattern", pattern, PATTERNS)
    slots = min(_SPACE_BYTES, capacity_bytes) // request_bytes
    random = np.random.default_rng(1)
    for start in range(0, count, _CHUNK):
        number = np.arange(start, min(start + _CHUNK, count))
        writes = number % 3 == 2 if pattern in _MIXED else np.zeros(len(number), np.bool_)
        if pattern in ("random", "random_writes"):
            slot = random.integers(0, slots, len(number))
        elif pattern == "random_pairs":
            slot = 2 * random.integers(0, slots // 2, -(-len(number) // 2)).repeat(2)[: len(number)] + number % 2
        elif pattern == "mixed":
            triple, place = np.divmod(number, 3)
            slot = np.where(writes, slots // 2 + triple % (slots // 2), (2 * triple + place) % (slots // 2))
        else:
            slot = number % slots
        yield Requests(np.zeros(len(number), np.int64), slot * request_bytes, writes)


def packed(cycles: list[int], addresses: list[int], writes: list[bool]) -> Requests:
    """Return requests given one by one."""
    return Requests(np.array(cycles), np.array(addresses), np.array(writes))
