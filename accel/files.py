"""Reading files, and writing them whole or not at all."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed
    fcntl = None  # type: ignore[assignment]

from deltatrain.accel.errors import HostError

AnyPath = str | os.PathLike[str]
"""What a public function takes where it takes a path."""


def make_folder(path: Path) -> None:
    """Make the folder `path`, and those above it, if they are not there; a `HostError` says why it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise HostError(f"folder {path} cannot be made: there is a file of that name") from None
    except OSError as error:
        raise HostError(f"folder {path} cannot be made: {error.strerror}") from None


def read_bytes(path: Path) -> bytes:
    """Return what the file `path` holds; a `HostError` says why it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror}") from None


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends, and vanishes when the block raises.

    A reader, or a crash, sees the old file or the new one and nothing between. What a process that was killed in the
    block left beside it is removed by the next.

    Raises
    ------
    HostError
        If the folder cannot be written to or the disk is full; nothing is left behind then.
    """
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            _locked(file.fileno())
            _remove_left(path, temporary)
            yield cast("BinaryIO", file)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise HostError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _remove_left(path: Path, own: Path) -> None:
    """Remove the temporary files of `path`, but for `own`, whose process has ended: the system has unlocked them."""
    name = re.compile(rf"\.{re.escape(path.name)}\.[a-z0-9_]{{8}}")
    with suppress(OSError):
        for left in [file for file in path.parent.iterdir() if file != own and name.fullmatch(file.name)]:
            with left.open("rb") as file:
                ended = _locked(file.fileno())
            if ended:
                left.unlink()


def _locked(file: int) -> bool:
    """Lock an open file until it is closed, or its process ends. Tell whether nobody else has it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all; errors as for `replacing`."""
    with replacing(path) as file:
        file.write(content)
