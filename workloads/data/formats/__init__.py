"""Family: how recordings lie on a user's disk, a file for each; `DataFormat` says what a member has."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.family import ModuleFamily
from deltatrain.workloads.data.columns import Columns
from deltatrain.workloads.data.found import Found, Tokens
from deltatrain.workloads.tasks import Wanted


class DataFormat(Protocol):
    """A layout of files.

    Attributes
    ----------
    LAYOUT
        What lies where, in words, as a message says what is accepted.
    FRONT_END
        The member of `workloads.data.front_ends` that is taken where none is named.
    WANTS
        What it can say is wanted of sequences.
    """

    LAYOUT: str
    FRONT_END: str
    WANTS: tuple[Wanted, ...]

    def fits(self, path: Path) -> bool:
        """Tell whether what is at `path` looks like this layout, and like no other. Its content is not read."""

    def collect(self, path: Path, columns: Columns, wants: Wanted = "classes") -> Found | Tokens:
        """Return what is at `path`.

        Parameters
        ----------
        path
            A file or a folder, which is there.
        columns
            What the columns of a table are.
        wants
            What is wanted of the sequences, one of `WANTS`.

        Raises
        ------
        ConfigError
            In one line that names the file, the place in it, what was found and what is accepted.
        """


FORMATS = ModuleFamily[DataFormat]("deltatrain.workloads.data.formats", "data format", DataFormat)


def format_of(path: Path) -> str:
    """Return the name of the format that what is at `path` looks like.

    Raises
    ------
    ConfigError
        If there is nothing, or no format fits.
    """
    if not path.exists():
        raise ConfigError(f"{path}: there is no such file or folder, and the data set should be there")
    fitting = [name for name in FORMATS.names() if FORMATS.load(name).fits(path)]
    if len(fitting) != 1:
        accepted = "; ".join(f"{name}: {FORMATS.load(name).LAYOUT}" for name in FORMATS.names())
        found = f"looks like {' and '.join(fitting)}" if fitting else "looks like no data set that is known"
        raise ConfigError(f"{path} {found}; dataset.format says which one it is ({accepted})")
    return fitting[0]
