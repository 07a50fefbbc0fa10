"""Functions that numba compiles at their first call, and keeps on disk where this user may write.

That is beside their source, as numba does it; or else in the cache folder (`workloads.data.cache`); or else nowhere.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.cache import cache_folder, may_write, own_folder

_settings: Any = numba.config  # its names are made at run time
_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function, **options: Any) -> _Function:
    """Return `function`, compiled at its first call. `options` are numba's."""
    source = Path(inspect.getfile(function)).parent
    if _settings.CACHE_DIR or _writable(source):
        return cast(_Function, numba.njit(cache=True, **options)(function))
    try:
        _settings.CACHE_DIR = str(own_folder(cache_folder() / "numba"))
        return cast(_Function, numba.njit(cache=True, **options)(function))
    except (ConfigError, OSError, RuntimeError):  # of numba, if it finds no folder
        return cast(_Function, numba.njit(**options)(function))
    finally:
        _settings.CACHE_DIR = ""


def _writable(source: Path) -> bool:
    """Tell whether numba can keep what it compiles beside its source."""
    kept = source / "__pycache__"
    return may_write(kept if kept.exists() else source)
