"""Functions that numba compiles at their first call, and keeps on disk where this user may write.

That is beside their source, as numba does it; or else in the cache folder (`accel.cache_folder`); or else nowhere.
What takes long is told on standard error before it is compiled.
"""

from __future__ import annotations

import inspect
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

# Numba colours the reasons against every overload that it tries, which nobody reads: a twentieth of compilation.
os.environ.setdefault("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")

import numba
from numba.core.event import Listener, register

from deltatrain.accel.cache_folder import cache_folder, may_write, own_folder
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.imported_sources import sources_number

_settings: Any = numba.config  # its names are made at run time
_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Announcement(Listener):
    """Tells what is compiled, once a process, and not in those that a process has made."""

    def __init__(self) -> None:
        self.lines: dict[Any, str] = {}
        self.silent = False
        self._told: set[str] = set()

    def on_start(self, event: Any) -> None:
        self.tell(event.data["dispatcher"].py_func)

    def tell(self, function: Any) -> None:
        """Tell that `function` is compiled, if it has a name, and if that was not told."""
        line = self.lines.get(function)
        if line and not self.silent and line not in self._told and multiprocessing.parent_process() is None:
            self._told.add(line)
            sys.stderr.write(line + "\n")

    def on_end(self, event: Any) -> None:
        """Do nothing."""


_announcement = _Announcement()
cast(Any, register)("numba:compile", _announcement)


@contextmanager
def unannounced() -> Iterator[None]:
    """Let nothing be told of what is compiled while the block runs."""
    _announcement.silent = True
    try:
        yield
    finally:
        _announcement.silent = False


def compiled(function: _Function, name: str = "", **options: Any) -> _Function:
    """Return `function`, compiled at its first call; `options` are numba's.

    If a `name` is given, it is told when something of that name is compiled first.
    """
    if _settings.DISABLE_JIT:
        return function  # as numba does it, for those who step through it
    if name:
        _announcement.lines[function] = f"compiling {name}, once for this machine"
    source = Path(inspect.getfile(function)).parent
    if _settings.CACHE_DIR or _writable(source):
        return _kept(function, options)
    try:
        _settings.CACHE_DIR = str(own_folder(cache_folder() / "numba"))
        return _kept(function, options)
    except (ConfigError, OSError, RuntimeError):  # of numba, if it finds no folder
        if name:
            _announcement.lines[function] = f"compiling {name}, which this user may keep nowhere"
        return cast(_Function, numba.njit(**options)(function))
    finally:
        _settings.CACHE_DIR = ""


def would_be_kept(function: Any) -> bool:
    """Return whether what `compiled` returned is not on disk yet, and will be once it is compiled."""
    file = getattr(getattr(function, "_cache", None), "_cache_file", None)  # none where numba keeps nothing
    return file is not None and not file._load_index()


def announce(function: Any) -> None:
    """Tell now that what `compiled` returned is compiled, because another process does it."""
    _announcement.tell(function.py_func)


def _kept(function: _Function, options: dict[str, Any]) -> _Function:
    """Return the function, kept on disk for as long as nothing changes that it is compiled from.

    numba looks at the time of the function's own file, and at no other file.
    """
    made: Any = numba.njit(cache=True, **options)(function)
    made._cache._cache_file._source_stamp = sources_number(Path(inspect.getfile(function)))
    return cast(_Function, made)


def _writable(source: Path) -> bool:
    """Tell whether numba can keep what it compiles beside its source."""
    kept = source / "__pycache__"
    return may_write(kept if kept.exists() else source)
