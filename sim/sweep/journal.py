"""The journal of a sweep: one JSON line for each finished point. One process appends lines, each whole or not at all.

A line counts once its line feed is written. A signal, a full disk or a power failure can tear the last line only. A
torn line is dropped when the journal is opened again, and its point is simulated again.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from deltatrain.accel.documents import json_text, json_value
from deltatrain.accel.errors import ConfigError, HostError
from deltatrain.accel.files import make_folder
from deltatrain.sim.sweep.identity import Identity
from deltatrain.sim.sweep.point import Row

NAME, LOCK = "journal.jsonl", "sweep.lock"

_KIND, _VERSION = "deltatrain sweep", 1
_SYNC_EVERY_SECONDS = 1.0  # the most that a power failure loses; a signal loses nothing that was written


class Journal:
    """The journal of the sweep in one folder, open for appending; use it in a ``with`` statement.

    Parameters
    ----------
    folder
        Of the sweep; made if it is not there.
    base
        Identity of what all points share.

    Raises
    ------
    ConfigError
        If the folder cannot be written to, another process writes to it, or it holds another sweep.
    """

    def __init__(self, folder: Path, base: Identity) -> None:
        make_folder(folder)
        self.path = folder / NAME
        self._lock = _locked(folder / LOCK)
        try:
            self._file = self.path.open("ab", buffering=0)
        except OSError as error:
            self._lock.release()
            raise HostError(f"{self.path} cannot be written: {error.strerror}") from None
        self._synced = time.monotonic()
        try:
            self._end = whole_bytes(self.path)
            self._file.truncate(self._end)
            self.count = 0
            if self._end == 0:
                self._write([{"journal": _KIND, "version": _VERSION, "base": base._asdict()}])
            else:
                _check_header(self.path, base)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self.close()

    def rows(self) -> Iterator[Row]:
        """Yield the rows that are there, in the order in which they were finished."""
        for row in read(self.path):
            self.count += 1
            yield row

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows, all or none.

        Raises
        ------
        ConfigError
            If they cannot be written; the journal is then as it was before.
        """
        self._write(rows)
        self.count += len(rows)

    def kept(self) -> str:
        """Return the words for a user whose sweep ends early."""
        return f"the {self.count} finished points in {self.path} are safe, and the same command goes on from there"

    def close(self) -> None:
        """Leave the folder to others."""
        with suppress(OSError):
            os.fsync(self._file.fileno())
        self._file.close()
        _let_go(self._lock)

    def _write(self, rows: Sequence[Row]) -> None:
        lines = "".join(json_text(row, separators=(",", ":")) + "\n" for row in rows).encode()
        try:
            written = 0
            while written < len(lines):
                written += self._file.write(lines[written:])
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._end)
            raise HostError(f"{self.path} cannot be written: {error.strerror}; {self.kept()}") from None
        self._end += len(lines)
        if time.monotonic() - self._synced > _SYNC_EVERY_SECONDS:
            with suppress(OSError):
                os.fsync(self._file.fileno())
            self._synced = time.monotonic()


def read(path: Path) -> Iterator[Row]:
    """Yield the rows of the journal at `path`, without a torn last line.

    Raises
    ------
    ConfigError
        If it cannot be read, or is damaged elsewhere than at its end.
    """
    lines = _lines(path)
    header = next(lines, {})
    if header.get("journal") != _KIND or header.get("version") != _VERSION:
        raise ConfigError(f"{path} is not the journal of a sweep of this version")
    yield from lines


def whole_bytes(path: Path) -> int:
    """Return the bytes of `path` up to the end of its last whole line."""
    end = 0
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if _parsed(line, number) is None:
                if file.read(1):
                    raise _damaged(path, number)
                break
            end += len(line)
    return end


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file):
                row = _parsed(line, number)
                if row is not None:
                    yield row
                elif file.read(1):
                    raise _damaged(path, number)
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror}") from None


def _parsed(line: bytes, number: int) -> dict[str, Any] | None:
    """Return what line `number` says, the header if it is 0; None if it is torn."""
    if not line.endswith(b"\n"):
        return None
    try:
        row = json_value(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and (number == 0 or _is_row(row)) else None


def _is_row(row: dict[str, Any]) -> bool:
    """Tell whether a line is about a point: a number, a digest, and values of fields and columns."""
    kinds = {"point": int, "failure": str, "reason": str}
    typed = all(type(row[name]) is kind for name, kind in kinds.items() if name in row)
    return typed and isinstance(row.get("digest"), str) and not any(isinstance(value, dict) for value in row.values())


def _damaged(path: Path, number: int) -> ConfigError:
    if number == 0:
        return ConfigError(
            f"{path} is damaged in line 1, which says whose points follow: name another folder with --out"
        )
    return ConfigError(f"{path} is damaged in line {number + 1}: remove that line, its point is then simulated again")


def _check_header(path: Path, base: Identity) -> None:
    header = next(_lines(path), {})
    if header.get("journal") != _KIND or header.get("version") != _VERSION:
        raise ConfigError(f"{path} is not the journal of a sweep of this version: name another folder with --out")
    if different := base.differences(header.get("base")):
        raise ConfigError(
            f"{path.parent} holds points of {different}: to start anew, name another folder with --out, or remove it"
        )


def _locked(path: Path) -> FileLock:
    """Return the lock file, locked. The system lets go of it when the process ends, however it ends.

    Raises
    ------
    ConfigError
        If another process has it.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(
            f"another sweep writes to {path.parent} ({_holder(path)}): wait for it, or name another folder with --out"
        ) from None
    except OSError as error:
        raise HostError(f"{path} cannot be locked: {error.strerror}") from None
    with suppress(OSError):  # the lock holds even if the name of its holder cannot be written
        path.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
    return lock


def _holder(path: Path) -> str:
    """Return who has the lock, as far as its file can be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or "a process that has just begun"
    except OSError:
        return "another process"


def _let_go(lock: FileLock) -> None:
    """Unlock the file and empty it. It stays in the folder."""
    with suppress(OSError):
        Path(lock.lock_file).write_bytes(b"")
    lock.release()
