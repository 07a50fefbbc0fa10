"""HDF5 files from outside: a process of its own reads one before anybody else does.

The HDF5 library may run for ever on a damaged file, or end the process. Neither can be caught where it happens.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from deltatrain.accel.documents import shown
from deltatrain.accel.errors import ConfigError, HostError
from deltatrain.accel.host_memory import check_room

_PATIENCE_S, _SECONDS_OF_MEGABYTE = 20.0, 1.0
_STANDARD_INPUT = "-"
_TOO_LARGE = 3


def check_hdf5(source: Path | bytes, name: str) -> None:
    """Raise unless the HDF5 library reads the whole of a file, in time.

    Parameters
    ----------
    source
        The file, or what it holds.
    name
        What messages call it.

    Raises
    ------
    ConfigError
        In one line, if the file is damaged. A `HostError` if no process can be started.
    MemoryError
        If what it says that it holds is larger than this machine has room for.
    """
    content, size = (source, len(source)) if isinstance(source, bytes) else (None, source.stat().st_size)
    argument = _STANDARD_INPUT if isinstance(source, bytes) else str(source)
    patience_s = _PATIENCE_S + _SECONDS_OF_MEGABYTE * size / 1e6
    try:
        done = subprocess.run(
            [sys.executable or "", "-P", "-m", __name__, argument],
            input=content,
            capture_output=True,
            env=os.environ | {"PYTHONPATH": _places_of_modules()},
            timeout=patience_s,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(f"{name} is damaged: the HDF5 library has not read it in {patience_s:.0f} s") from None
    except OSError as error:
        raise HostError(f"{name} cannot be read: Python cannot be started for it ({error.strerror})") from None
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode == _TOO_LARGE:
        raise MemoryError(f"{name}: {said}")
    if done.returncode:
        raise ConfigError(f"{name} is no HDF5 file, or it is damaged{f': {said}' if said else ''}")


def _places_of_modules() -> str:
    """Return where this process finds modules; what is no text in that list, Python passes over, too."""
    return os.pathsep.join(place for place in sys.path if isinstance(place, str) and place)


def _read_all(group: Any, room: list[int]) -> None:
    """Read every data set below `group`; `room` adds up their bytes."""
    import h5py

    for item in group.values():
        if isinstance(item, h5py.Group):
            _read_all(item, room)
        elif isinstance(item, h5py.Dataset):
            room[0] += item.nbytes
            check_room(room[0], "it")
            item[()]


def _main(argument: str) -> int:
    import h5py

    try:
        with h5py.File(io.BytesIO(sys.stdin.buffer.read()) if argument == _STANDARD_INPUT else argument) as file:
            _read_all(file, [0])
    except MemoryError as error:
        sys.stderr.write(str(error))
        return _TOO_LARGE
    except Exception as error:  # what the HDF5 library raises for a damaged file is listed nowhere
        sys.stderr.write(shown(str(error), quoted=False))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
