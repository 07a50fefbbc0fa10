"""One process at a time, wherever it runs on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from deltatrain.accel.errors import HostError

__all__ = ["alone"]


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Wait until no other process has the lock, and hold it in the block. The system frees it when the process ends."""
    try:
        held = FileLock(lock).acquire()
    except OSError as error:
        raise HostError(f"{lock} cannot be locked: {error.strerror}") from None
    with held:
        yield
