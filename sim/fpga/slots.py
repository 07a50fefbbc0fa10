"""How many tools run at once on this machine, whichever of its processes started them."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from deltatrain.accel.errors import HostError
from deltatrain.accel.files import make_folder

__all__ = ["Slots"]


class Slots:
    """Places for tools that run. All processes that name the same folder share them.

    So a sweep whose workers all place and route several seeds has no more tools at work than one command.

    Parameters
    ----------
    folder
        Where their locks are, made if it is not there. The system frees the locks of a process that ends.
    count
        How many there are.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._locks = [folder / f"slot_{number}.lock" for number in range(count)]
        make_folder(folder)

    def take(self) -> FileLock | None:
        """Return a place that is held until it is released; None if all are taken."""
        for path in self._locks:
            lock = FileLock(path)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            except OSError as error:
                raise HostError(f"{path} cannot be locked: {error.strerror}") from None
            return lock
        return None
