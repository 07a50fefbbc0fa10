"""A family is a folder, its members are its files, and a file's name is the word in the configuration."""

from __future__ import annotations

import importlib
import pkgutil
import tomllib
from importlib import resources
from types import ModuleType
from typing import Any

from deltatrain.accel.errors import unknown_name


class ModuleFamily:
    """The modules of one package, found by their files and imported only when asked for.

    Parameters
    ----------
    package
        Dotted name of the package, for example ``workloads.cells``.
    what
        What a member is called in an error message, for example ``cell``.
    """

    def __init__(self, package: str, what: str) -> None:
        self._package = package
        self._what = what
        self._loaded: dict[str, ModuleType] = {}  # looking into the folder costs more than a small simulation

    def names(self) -> tuple[str, ...]:
        """Return the members' names in alphabetical order, without importing any of them."""
        folder = importlib.import_module(self._package).__path__
        return tuple(sorted(m.name for m in pkgutil.iter_modules(folder) if not m.name.startswith("_")))

    def load(self, name: str) -> ModuleType:
        """Return the member called `name`; an unknown name is a `ConfigError` with a suggestion."""
        if name not in self._loaded:
            if name not in self.names():
                raise unknown_name(self._what, name, self.names())
            self._loaded[name] = importlib.import_module(f"{self._package}.{name}")
        return self._loaded[name]


class TableFamily:
    """The TOML files of one package folder.

    Parameters
    ----------
    package
        Dotted name of the package that holds the files, for example ``accel.presets``.
    what
        What a member is called in an error message, for example ``machine``.
    """

    def __init__(self, package: str, what: str) -> None:
        self._package = package
        self._what = what

    def names(self) -> tuple[str, ...]:
        """Return the members' names in alphabetical order."""
        files = resources.files(self._package).iterdir()
        return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")))

    def load(self, name: str) -> dict[str, Any]:
        """Return the table called `name`; an unknown name is a `ConfigError` with a suggestion."""
        return tomllib.loads(self.text(name))

    def text(self, name: str) -> str:
        """Return the member's text as it stands, comments and sources included."""
        if name not in self.names():
            raise unknown_name(self._what, name, self.names())
        return resources.files(self._package).joinpath(f"{name}.toml").read_text(encoding="utf-8")
