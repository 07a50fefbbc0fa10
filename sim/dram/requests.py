"""Requests to a DRAM: patterns that peers were measured with, and trace files as they read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from deltatrain.accel.errors import ConfigError, unknown_name

_CHUNK = 1 << 16
_MOST_CYCLES = 1 << 40  # a quarter of an hour of the slowest DRAM: refreshes of an idle memory are simulated, too
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
_KINDS = {"READ": False, "WRITE": True, "LD": False, "ST": True}
_FORMS = "'0xADDR READ|WRITE [cycle]' or 'LD|ST addr'"


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


def recorded(path: Path, capacity_bytes: int) -> Iterator[Requests]:
    """Yield the requests of a trace file: lines ``0xADDR READ|WRITE [cycle]`` (DRAMsim3) or ``LD|ST addr`` (Ramulator).

    Empty lines and those that start with # are passed over. A request without a cycle is offered as soon as those
    before it are taken. Memory does not grow with the file.

    Raises
    ------
    ConfigError
        If the file cannot be read, or naming the line that has another form or lies beyond the memory.
    """
    cycles: list[int] = []
    addresses: list[int] = []
    writes: list[bool] = []
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                words = line.split()
                if not words or words[0].startswith("#"):
                    continue
                try:
                    cycle, address, write = _parsed(words)
                except ValueError:
                    raise ConfigError(f"{path}, line {number}: expected {_FORMS}, not {line.strip()!r}") from None
                if not 0 <= address < capacity_bytes:
                    beyond = f"address {words[0] if words[0] not in _KINDS else words[1]} lies beyond the memory's"
                    raise ConfigError(f"{path}, line {number}: {beyond} {capacity_bytes:#x} bytes")
                cycles.append(cycle)
                addresses.append(address)
                writes.append(write)
                if len(cycles) == _CHUNK:
                    yield _packed(cycles, addresses, writes)
                    cycles, addresses, writes = [], [], []
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path} cannot be read: {reason}") from None
    if cycles:
        yield _packed(cycles, addresses, writes)


def _parsed(words: list[str]) -> tuple[int, int, bool]:
    """Return (cycle, address, write) of a line's words; a `ValueError` if they have neither form."""
    first = words[0].upper()
    if first in ("LD", "ST"):
        (address,) = words[1:]
        return 0, int(address, 0), _KINDS[first]
    if not 2 <= len(words) <= 3 or words[1].upper() not in ("READ", "WRITE"):
        raise ValueError
    cycle = int(words[2]) if len(words) == 3 else 0
    if not 0 <= cycle < _MOST_CYCLES:
        raise ValueError
    return cycle, int(words[0], 16), _KINDS[words[1].upper()]


def _packed(cycles: list[int], addresses: list[int], writes: list[bool]) -> Requests:
    return Requests(np.array(cycles), np.array(addresses), np.array(writes))
