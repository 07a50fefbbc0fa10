"""A description by name or file: its `base` filled in, the files that it names found from its own folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from deltatrain.accel.description import read_toml
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import AnyPath

BASE = "base"
"""Field of a description that names another one: this is that one, with what else stands here changed."""

JOIN = "+"
"""Between names where a field takes several: ``cacti7_45nm_lop+horowitz_45nm``."""


class Tables(Protocol):
    """Where a name that is no path is looked up, such as a `TableFamily`."""

    def load(self, name: str) -> dict[str, Any]:
        """Return the table called `name`; an unknown name is a `ConfigError`."""


def is_path(name: object) -> bool:
    """Tell whether a text names a TOML file, and not a member of a family."""
    return isinstance(name, str) and name.endswith(".toml")


Prepare = Callable[[dict[str, Any], Path], dict[str, Any]]
"""Returns the table of a file in the folder given, the paths in it made absolute."""


def described(name_or_path: AnyPath, family: Tables, prepare: Prepare | None = None) -> dict[str, Any]:
    """Return the table of a member of `family`, or the one in a TOML file.

    Parameters
    ----------
    name_or_path
        A member's name, or a path that ends in ``.toml``.
    family
        Where names are looked up, that of a `base` too.
    prepare
        What happens to the table of each file first, such as `placing`.

    Raises
    ------
    ConfigError
        If there is no such member or file, or if bases go round in a circle.
    """
    return _described(os.fspath(name_or_path), family, prepare, ())


def placing(*fields: str) -> Prepare:
    """Return what makes paths in dotted fields absolute: a relative one counts from the folder of its file."""

    def place(table: dict[str, Any], folder: Path) -> dict[str, Any]:
        for field in fields:
            _place(table, field.split("."), folder)
        return table

    return place


def _described(name: str, family: Tables, prepare: Prepare | None, behind: tuple[str, ...]) -> dict[str, Any]:
    path, real = Path(name), os.path.realpath(name) if is_path(name) else name
    if real in behind:
        names = " -> ".join(Path(one).name for one in (*behind, real))
        raise ConfigError(f"{name}: base goes round in a circle: {names}")
    table = read_toml(path) if is_path(name) else dict(family.load(name))
    base = table.pop(BASE, None)
    if prepare is not None and is_path(name):
        table = prepare(table, path.parent)
    if base is None:
        return table
    if not isinstance(base, str):
        raise ConfigError(f"{name}: base must be a name or a path that ends in .toml, not {base!r}")
    try:
        under = _described(beside(base, path.parent) if is_path(name) else base, family, prepare, (*behind, real))
    except ConfigError as error:
        raise ConfigError(str(error) if is_path(base) else f"{name}: base: {error}") from None
    return _changed(under, table)


def beside(text: str, folder: Path) -> str:
    """Return names joined by `JOIN` in which the paths among them, relative to `folder`, are absolute."""
    names = [text] if (folder / text).exists() else [name.strip() for name in text.split(JOIN)]
    if not any(map(is_path, names)):
        return text
    return JOIN.join(str((folder / name).resolve()) if is_path(name) else name for name in names)


def _place(table: dict[str, Any], field: list[str], folder: Path) -> None:
    *parents, leaf = field
    node: Any = table
    for parent in parents:
        node = node.get(parent) if isinstance(node, dict) else None
    if isinstance(node, dict) and isinstance(node.get(leaf), str):
        node[leaf] = beside(node[leaf], folder)


def _changed(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return `under` with the values of `over`; tables in both are joined, all else is replaced."""
    joined = dict(under)
    for name, value in over.items():
        both = isinstance(value, dict) and isinstance(under.get(name), dict)
        joined[name] = _changed(under[name], value) if both else value
    return joined
