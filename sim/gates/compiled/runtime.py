"""What a tool compiles for every design alike: kept beside the libraries, and put back where the next one is built."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from deltatrain.accel.files import replace_file

__all__ = ["keep_runtime", "put_runtime_back"]


def put_runtime_back(kept: Path, files: Iterable[str], folder: Path) -> None:
    """Copy those of `files` that were kept into a folder to build in.

    Parameters
    ----------
    kept
        How the paths of the kept files begin; the name of each follows.
    files
        Where the tool looks for them in `folder`, and does not make them if they are there.
    folder
        The folder to build in.
    """
    for file in files:
        if (there := _place(kept, file)).exists():
            (folder / file).parent.mkdir(exist_ok=True)
            shutil.copyfile(there, folder / file)


def keep_runtime(kept: Path, files: Iterable[str], folder: Path) -> None:
    """Keep those of `files` that were made in `folder` and not kept yet; arguments as for `put_runtime_back`."""
    for file in files:
        if (folder / file).exists() and not _place(kept, file).exists():
            replace_file(_place(kept, file), (folder / file).read_bytes())


def _place(kept: Path, file: str) -> Path:
    return kept.with_name(f"{kept.name}-{Path(file).name}")
