"""What a front end makes of many sound files, kept in the cache folder: made once for files, front end and code.

Files are known by their names, sizes and times of change, as build tools know them: reading a hundred thousand sounds
to see whether they are the same takes longer than it should. The digest of recordings is of the values themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.cache_folder import cache_folder
from deltatrain.accel.errors import HostError
from deltatrain.accel.files import make_folder, replacing
from deltatrain.workloads.arrays.archive import read_arrays
from deltatrain.workloads.data.front_ends import FrontEnd

WORTH_KEEPING = 500
"""Files; fewer are read in a second."""


def place_of(files: Sequence[Path], front_end: FrontEnd) -> Path:
    """Return where the features of some files are kept, or would be."""
    digest = hashlib.sha256(f"{np.__version__} {_code_digest()} {front_end.model_dump_json()}".encode())
    for file in files:
        about = file.stat()
        digest.update(f"{file.absolute()}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
    return cache_folder() / f"features-{digest.hexdigest()[:24]}.npz"


def read(place: Path) -> list[NDArray[np.float32]] | None:
    """Return the features of each file, or None if they are not there or damaged."""
    try:
        with place.open("rb") as file:
            arrays = read_arrays(file, str(place))
        values, lengths = arrays["values"], arrays["lengths"]
    except MemoryError:
        raise
    except Exception:  # what NumPy, zipfile and zlib raise for a damaged file is listed nowhere
        return None
    return np.split(values, np.cumsum(lengths)[:-1])


def keep(place: Path, features: Sequence[NDArray[np.float32]]) -> None:
    """Write the features of each file to `place`, whole or not at all; where nothing can be written nothing is kept."""
    with suppress(HostError):
        make_folder(place.parent)
        with replacing(place) as file:
            np.savez(file, values=np.concatenate(features), lengths=[len(one) for one in features])


@cache
def _code_digest() -> str:
    digest = hashlib.sha256()
    package = Path(str(resources.files("deltatrain.workloads.data")))
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
