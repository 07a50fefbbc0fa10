"""Family: the kinds of files that networks come from and go to, one file each; `Format` says what a member has."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.family import ModuleFamily
from deltatrain.workloads.interchange.choice import NOTHING, Choice
from deltatrain.workloads.interchange.stored_network import StoredNetwork


class Format(Protocol):
    """A kind of file that holds the weights of a network.

    Attributes
    ----------
    SUFFIXES
        How its files' names end.
    WRITES
        Whether networks can be written to it; otherwise `write` raises a `ConfigError`.
    TELLS
        The fields of `Choice` that mean something for such a file.
    """

    SUFFIXES: tuple[str, ...]
    WRITES: bool
    TELLS: tuple[str, ...]

    def read(self, path: Path, choice: Choice) -> StoredNetwork:
        """Return the network in a file; a `ConfigError` names what is wrong, or what is not computed here."""

    def write(self, network: StoredNetwork, path: Path) -> None:
        """Write a network to `path`, whole or not at all; a `ConfigError` names what the format has no word for."""


FORMATS = ModuleFamily[Format]("deltatrain.workloads.interchange.formats", "kind of network file", Format)


def format_of(path: Path, *, writes: bool = False) -> Format:
    """Return the format that a file's name tells; a name that tells none is a `ConfigError`."""
    members = [FORMATS.load(name) for name in FORMATS.names()]
    able = [member for member in members if member.WRITES or not writes]
    for member in able:
        if path.name.endswith(member.SUFFIXES):
            return member
    known = ", ".join(suffix for member in able for suffix in member.SUFFIXES)
    raise ConfigError(f"{path}: the name must end in one of {known}")


def read_network(path: Path, choice: Choice = NOTHING) -> StoredNetwork:
    """Return the network in a file of any of the formats; every `ConfigError` begins with the file's name."""
    member = format_of(path)
    for name in Choice._fields:
        if name not in member.TELLS and getattr(choice, name) != getattr(NOTHING, name):
            raise ConfigError(f"{path}: --{name.replace('_', '-')} has no meaning for such a file: leave it out")
    try:
        return member.read(path, choice)
    except ConfigError as error:
        text = str(error)
        raise type(error)(text if text.startswith(str(path)) else f"{path}: {text}") from None
