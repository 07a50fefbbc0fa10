"""Writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

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


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends, and vanishes when the block raises.

    A reader, or a crash, sees the old file or the new one and nothing between.

    Raises
    ------
    HostError
        If the folder cannot be written to or the disk is full; nothing is left behind then.
    """
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
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


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all; errors as for `replacing`."""
    with replacing(path) as file:
        file.write(content)
