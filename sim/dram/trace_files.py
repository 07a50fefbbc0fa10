"""Trace files as people have them: DRAMsim3's, Ramulator's, DRAMSys's, compressed or not, with comments."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from deltatrain.accel.errors import ConfigError
from deltatrain.sim.dram.requests import Requests, packed

MOST_CYCLES = 1 << 40  # a quarter of an hour of the slowest DRAM: refreshes of an idle memory are simulated, too
FORMS = "'ADDR READ|WRITE|R|W [cycle]', 'LD|ST|R|W ADDR ...' or 'CYCLE: read|write ADDR'"
_CHUNK = 1 << 16
_GZIP = b"\x1f\x8b"
_MOST_SHOWN = 80  # characters of a line in a message
_WRITES = {"READ": False, "WRITE": True, "R": False, "W": True, "LD": False, "ST": True}


class _Line(NamedTuple):
    """What a line asks for: from which cycle on, None where it does not say; which addresses; whether it writes."""

    cycle: int | None
    addresses: list[int]
    write: bool


def recorded(path: Path, capacity_bytes: int, wrap: bool = False) -> Iterator[Requests]:
    """Yield the requests of a trace file, piece by piece: memory does not grow with the file.

    Lines are DRAMsim3's and Ramulator's ``0xADDR READ|WRITE|R|W [cycle]``, Ramulator's ``LD|ST addr ...``, a request
    for each address, and DRAMSys's ``cycle: read|write 0xADDR`` (.stl). Numbers behind 0x are hexadecimal, others
    decimal. What follows a ``#`` is a comment. The file may be compressed with gzip, and may begin with a byte order
    mark. A request without a cycle is offered as soon as those before it are taken.

    Parameters
    ----------
    path
        The file.
    capacity_bytes
        Size of the memory.
    wrap
        Whether addresses beyond the memory count on from its beginning; otherwise they are refused.

    Raises
    ------
    ConfigError
        If the file cannot be read or has no requests, or naming the line that has another form, comes earlier than the
        one before, or lies beyond the memory.
    """
    cycles: list[int] = []
    addresses: list[int] = []
    writes: list[bool] = []
    latest, empty = 0, True
    for number, text in _lines(path):
        try:
            line = _parsed(text.split())
        except ValueError:
            raise ConfigError(f"{path}, line {number}: expected {FORMS}, not {_shown(text)}") from None
        if line.cycle is not None and line.cycle < latest:
            raise ConfigError(f"{path}, line {number}: cycle {line.cycle} lies before the {latest} of a line above")
        latest = latest if line.cycle is None else line.cycle
        for address in line.addresses:
            if address >= capacity_bytes and not wrap:
                beyond = f"address {address:#x} lies beyond the memory's {capacity_bytes:#x} bytes"
                raise ConfigError(f"{path}, line {number}: {beyond}; --wrap counts on from its beginning")
            cycles.append(line.cycle or 0)
            addresses.append(address % capacity_bytes)
            writes.append(line.write)
        empty = False
        if len(cycles) >= _CHUNK:
            yield packed(cycles, addresses, writes)
            cycles, addresses, writes = [], [], []
    if empty:
        raise ConfigError(f"{path} has no requests: expected lines {FORMS}")
    if cycles:
        yield packed(cycles, addresses, writes)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line that has more than a comment."""
    try:
        with _opened(path) as file:
            for number, line in enumerate(file, 1):
                if text := line.partition("#")[0].strip():
                    yield number, text
    except UnicodeDecodeError:
        raise ConfigError(f"{path} cannot be read: it is not UTF-8 text") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise ConfigError(f"{path} cannot be read: its compressed content is cut off or damaged") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def _opened(path: Path) -> TextIO:
    with path.open("rb") as file:
        compressed = file.read(len(_GZIP)) == _GZIP
    return gzip.open(path, "rt", encoding="utf-8-sig") if compressed else path.open(encoding="utf-8-sig")


def _parsed(words: list[str]) -> _Line:
    """Return what a line's words ask for; a `ValueError` if they have no known form."""
    first, *rest = words
    if first.endswith(":"):
        if rest and rest[0].startswith("(") and rest[0].endswith(")"):  # how many bytes: a request is one burst
            rest = rest[1:]
        kind, address, *content = rest
        if len(content) > 1:
            raise ValueError
        return _Line(_cycle(first[:-1]), [_number(address)], _write(kind))
    if first.upper() in _WRITES:
        if not rest:
            raise ValueError
        return _Line(None, [_number(word) for word in rest], _write(first))
    kind, *cycle = rest
    if len(cycle) > 1:
        raise ValueError
    return _Line(_cycle(cycle[0]) if cycle else None, [_number(first)], _write(kind))


def _write(kind: str) -> bool:
    if kind.upper() not in _WRITES:
        raise ValueError
    return _WRITES[kind.upper()]


def _cycle(word: str) -> int:
    cycle = _number(word)
    if cycle >= MOST_CYCLES:
        raise ValueError
    return cycle


def _number(word: str) -> int:
    """Return a number that is hexadecimal behind 0x, and decimal without."""
    if word[:2] in ("0x", "0X") and word[2:].isalnum():
        return int(word[2:], 16)
    if not (word.isascii() and word.isdigit()):
        raise ValueError
    return int(word)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}...")
