"""Reading files, writing them whole or not at all, and scratch folders; what killed processes left is removed."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed
    fcntl = None  # type: ignore[assignment]

from deltatrain.accel.errors import HostError

_TOKEN = 8
"""Characters that make the name of something temporary its own."""

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
    temporary = path.with_name(f".{path.name}.{_token()}")  # named before it is there: Ctrl-C may come any time
    try:
        with temporary.open("xb") as file:
            _locked(file.fileno())
            _remove_left(path, temporary)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise HostError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def _remove_left(path: Path, own: Path) -> None:
    """Remove the temporary files of `path`, but for `own`, whose process has ended: the system has unlocked them."""
    name = re.compile(rf"\.{re.escape(path.name)}\.[a-z0-9_]{{{_TOKEN}}}")
    with suppress(OSError):
        for left in [file for file in path.parent.iterdir() if file != own and name.fullmatch(file.name)]:
            with left.open("rb") as file:
                ended = _locked(file.fileno())
            if ended:
                left.unlink()


@contextmanager
def scratch_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Make a folder that is removed when the block ends.

    Those of the same prefix that killed processes left beside it are removed first: the system has unlocked them. On
    Windows, where a folder cannot be locked, they stay.

    Parameters
    ----------
    prefix
        How its name begins: a word of this project that says what it is for, and a hyphen.
    parent
        The folder to make it in; None for the system's folder for temporary files.

    Raises
    ------
    OSError
        If the folder cannot be made.
    """
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    _remove_left_folders(prefix, parent)
    with ExitStack() as held:
        while True:
            folder = parent / f"{prefix}{_token()}"
            held.callback(shutil.rmtree, folder, ignore_errors=True)  # before it is there: Ctrl-C may come any time
            folder.mkdir(mode=0o700)
            if _held(folder, held):
                break
        yield folder


def _held(folder: Path, held: ExitStack) -> bool:
    """Lock a new folder until `held` is closed; tell whether no other process took it for one left behind before."""
    if fcntl is None:
        return True
    try:
        lock = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return False
    held.callback(os.close, lock)
    return _locked(lock) and folder.exists()


def _token() -> str:
    return secrets.token_hex(_TOKEN // 2)


def _remove_left_folders(prefix: str, parent: Path) -> None:
    """Remove this user's folders of that prefix in `parent` that nobody has locked."""
    name = re.compile(rf"{re.escape(prefix)}[a-z0-9_]{{{_TOKEN}}}")
    with suppress(OSError):
        for left in [path for path in parent.iterdir() if fcntl is not None and name.fullmatch(path.name)]:
            with suppress(OSError):  # another user's, a link, or removed meanwhile
                folder = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    if os.fstat(folder).st_uid == os.geteuid() and _locked(folder):
                        shutil.rmtree(left, ignore_errors=True)
                finally:
                    os.close(folder)


def _locked(file: int) -> bool:
    """Lock an open file or folder until it is closed, or its process ends. Tell whether nobody else has it."""
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
