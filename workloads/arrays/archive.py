"""NumPy archives from outside: read only as far as what they claim is there."""

from __future__ import annotations

import math
import zipfile
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from deltatrain.accel.host_memory import check_room

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_arrays(file: BinaryIO, what: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of the ``.npz`` archive in `file`, by name; nothing is unpickled.

    Parameters
    ----------
    file
        The archive.
    what
        What it is, for the message that it is too large.

    Raises
    ------
    MemoryError
        If the arrays take more bytes than this machine has free.
    Exception
        What zipfile, zlib and NumPy raise for a damaged archive, or a `ValueError` if an array has not the bytes that
        its shape takes.
    """
    with zipfile.ZipFile(file) as archive:
        total = 0
        for entry in archive.infolist():
            with archive.open(entry) as member:
                claimed = _claimed_bytes(member)
                if claimed != entry.file_size - member.tell():
                    raise ValueError(f"{entry.filename} has not the bytes that its shape takes")
            total += claimed
        check_room(total, what)
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _claimed_bytes(member: IO[bytes]) -> int:
    """Return the bytes that the array has by its header, which is read."""
    shape, _, dtype = _HEADERS[npy.read_magic(member)](member)
    return math.prod(shape) * dtype.itemsize
