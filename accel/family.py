"""A family is a folder, its members are its files, and a file's name is the word in the configuration.

Another package adds a module to a family by an entry point: its group is the family's dotted name, its name is the
word, and what it points at is the module, which is called
like it::

    [project.entry-points."deltatrain.workloads.cells"]
    mgu = "my_cells.mgu"
"""

from __future__ import annotations

import importlib
import pkgutil
import tomllib
from functools import cache, cached_property, partial
from importlib import metadata, resources
from importlib.metadata import EntryPoint
from inspect import Parameter, isfunction, signature
from typing import Any, Generic, TypeVar, cast, get_type_hints

from deltatrain.accel.errors import ConfigError, refuse, unknown_name

Member = TypeVar("Member")


class ModuleFamily(Generic[Member]):
    """The modules of one package, found by their files and imported only when asked for.

    The folder is looked into once: that costs more than a small simulation.

    Parameters
    ----------
    package
        Dotted name of the package, for example ``workloads.cells``.
    what
        What a member is called in an error message, for example ``cell``.
    protocol
        What every member has, the same as `Member`.
    """

    def __init__(self, package: str, what: str, protocol: type[Any]) -> None:
        self._package = package
        self.what = what
        self.protocol = protocol
        self._loaded: dict[str, Member] = {}

    def names(self) -> tuple[str, ...]:
        """Return the members' names in alphabetical order, without importing any of them."""
        own, added = self._own_names, _added_members().get(self._package, {})
        for name in sorted(own & added.keys()):
            raise ConfigError(f"{_whose(added[name])} adds {self.what} {name!r}, which is there already: uninstall it")
        return tuple(sorted(own | added.keys()))

    def load(self, name: str) -> Member:
        """Return the member called `name`; an unknown name is a `ConfigError` with a suggestion."""
        if not isinstance(name, str) or name not in self._loaded:
            if name not in self.names():
                raise unknown_name(self.what, name, self.names())
            added = _added_members().get(self._package, {}).get(name)
            self._loaded[name] = cast(Member, self._load_added(added) if added else self._load_own(name))
        return self._loaded[name]

    def _load_own(self, name: str) -> Any:
        """Return a module of the folder. It may be a file that somebody put there, so it is asked for what all have."""
        module = importlib.import_module(f"{self._package}.{name}")
        missing = [promise for promise in self._promised if not hasattr(module, promise)]
        refuse(f"{self.what} {name!r}: {promise} is missing in {module.__file__}" for promise in missing)
        return module

    @cached_property
    def _own_names(self) -> frozenset[str]:
        folder = importlib.import_module(self._package).__path__
        return frozenset(m.name for m in pkgutil.iter_modules(folder) if not m.name.startswith("_"))

    @cached_property
    def _promised(self) -> list[str]:
        attributes = {name for base in self.protocol.__mro__ for name in getattr(base, "__annotations__", {})}
        functions = {name for name in dir(self.protocol) if callable(getattr(self.protocol, name))}
        return sorted(name for name in attributes | functions if not name.startswith("_"))

    def _load_added(self, added: EntryPoint) -> Any:
        """Return a module of another package, which has been checked against the family's protocol."""
        whose = f"{self.what} {added.name!r} of {_whose(added)}"
        try:
            module = added.load()
        except Exception as error:
            raise ConfigError(f"{whose} cannot be imported: {error}") from error
        if module.__name__.rpartition(".")[2] != added.name:  # whoever has the module asks it for its word
            raise ConfigError(f"{whose} must be in a module called {added.name}, not {module.__name__}")
        broken = broken_promises(module, self.protocol)
        if broken:
            raise ConfigError("\n".join(f"{whose}: {line}" for line in broken))
        return module


class _Given:
    """A member whose functions have been given arguments; it has what the member has."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.__dict__.update(names)


def given(member: Member, **arguments: Any) -> Member:
    """Return `member` whose functions take these arguments where they have them, and which tells them in capitals."""
    names = {name: value for name, value in vars(member).items() if name == "__name__" or not name.startswith("_")}
    for name, value in names.items():
        if isfunction(value):
            taken = {key: argument for key, argument in arguments.items() if key in signature(value).parameters}
            names[name] = partial(value, **taken) if taken else value
    told = {name.upper(): argument for name, argument in arguments.items()}
    return cast(Member, _Given(names | told))


def broken_promises(member: object, protocol: type[Any]) -> list[str]:
    """Return a line for each attribute or function of `protocol` that `member` lacks or has otherwise.

    A function must take the arguments that the protocol's takes, by the same names and in the same order, and may take
    more that have defaults. Of a protocol ``**kwargs`` stand for such arguments, ``*args`` for any.
    """
    lines = []
    for name, hint in get_type_hints(protocol).items():
        if not hasattr(member, name):
            lines.append(f"{name} is missing")
        elif getattr(hint, "_is_protocol", False):
            lines += [f"{name}.{line}" for line in broken_promises(getattr(member, name), hint)]
        elif not _is_a(getattr(member, name), hint):
            lines.append(f"{name} must be {hint}, not {getattr(member, name)!r}")
    for name in dir(protocol):
        promised = getattr(protocol, name)
        if name.startswith("_") or not callable(promised):
            continue
        if not hasattr(member, name):
            lines.append(f"{name} is missing")
        elif not _takes_arguments_of(getattr(member, name), promised):
            lines.append(f"{name} must take ({', '.join(map(str, _promised_parameters(promised)))})")
    return lines


def _is_a(value: object, hint: Any) -> bool:
    """Tell whether `value` has the type `hint`."""
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    try:
        config = None if hint is Any else ConfigDict(arbitrary_types_allowed=True)
        TypeAdapter(tuple[hint], config=config).validate_python((value,), strict=True)
    except ValidationError:
        return False
    return True


def _takes_arguments_of(function: Any, promised: Any) -> bool:
    if not callable(function):
        return False
    found, wanted = list(signature(function).parameters.values()), _promised_parameters(promised)
    if any(one.kind is Parameter.VAR_POSITIONAL for one in wanted):
        return True
    shared, more = found[: len(wanted)], found[len(wanted) :]
    return [(one.name, one.kind, _optional(one)) for one in shared] == [
        (one.name, one.kind, _optional(one)) for one in wanted
    ] and all(map(_optional, more))


def _promised_parameters(promised: Any) -> list[Parameter]:
    _self, *parameters = signature(promised).parameters.values()
    return [one for one in parameters if one.kind is not Parameter.VAR_KEYWORD]


def _optional(parameter: Parameter) -> bool:
    return parameter.default is not Parameter.empty


@cache
def _added_members() -> dict[str, dict[str, EntryPoint]]:
    """Return the modules that other packages add to families, by the family's package and the member's name."""
    installed = metadata.entry_points()
    groups = [group for group in installed.groups if group.startswith("deltatrain")]
    return {group: {entry.name: entry for entry in installed.select(group=group)} for group in groups}


def others_add_members() -> bool:
    """Tell whether other packages add modules to any family."""
    return any(_added_members().values())


def _whose(entry: EntryPoint) -> str:
    """Return how an error message names the distribution that an entry point comes from."""
    return f"the package {entry.dist.name}" if entry.dist else f"the module {entry.module}"


class TableFamily:
    """The TOML files of one package folder, which is looked into once.

    Parameters
    ----------
    package
        Dotted name of the package that holds the files, for example ``accel.presets``.
    what
        What a member is called in an error message, for example ``machine``.
    """

    def __init__(self, package: str, what: str) -> None:
        self._package = package
        self.what = what

    def names(self) -> tuple[str, ...]:
        """Return the members' names in alphabetical order."""
        return self._names

    @cached_property
    def _names(self) -> tuple[str, ...]:
        files = resources.files(self._package).iterdir()
        return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")))

    def load(self, name: str) -> dict[str, Any]:
        """Return the table called `name`; an unknown name is a `ConfigError` with a suggestion."""
        return tomllib.loads(self.text(name))

    def text(self, name: str) -> str:
        """Return the member's text as it stands, comments and sources included."""
        if name not in self.names():
            raise unknown_name(self.what, name, self.names())
        return resources.files(self._package).joinpath(f"{name}.toml").read_text(encoding="utf-8")
