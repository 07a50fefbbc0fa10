"""The cache folder: where fetched, generated and compiled things are kept between runs."""

from __future__ import annotations

import atexit
import logging
import os
import stat
from contextlib import ExitStack, suppress
from pathlib import Path

import platformdirs

from deltatrain.accel.errors import ConfigError, HostError
from deltatrain.accel.files import make_folder, scratch_folder

_VARIABLE = "DELTATRAIN_CACHE"


def cache_folder() -> Path:
    """Return where fetched and generated recordings are kept.

    That is ``$DELTATRAIN_CACHE``, or else the folder that the platform has for it: ``~/.cache/deltatrain`` on Linux
    (``$XDG_CACHE_HOME`` moves it), ``~/Library/Caches/deltatrain`` on macOS, and the local application
    folder on Windows. The folder may not exist yet.

    Where this user may not write there, it is a temporary folder that shows the files of that one. It lasts as long as
    this process, and the processes that this one starts have it too. A log entry says so once.

    Raises
    ------
    ConfigError
        If ``$DELTATRAIN_CACHE`` begins with ``~``, and this user has no home.
    """
    chosen = _chosen()
    if _writable(chosen):
        return chosen
    try:
        until_exit = ExitStack()
        temporary = until_exit.enter_context(scratch_folder("deltatrain-cache-"))
    except OSError:  # a machine that can be written nowhere: what must be kept says that it cannot be
        return chosen
    atexit.register(until_exit.close)
    with suppress(OSError):
        for file in chosen.iterdir():
            if file.is_file():
                (temporary / file.name).symlink_to(file.absolute())
    os.environ[_VARIABLE] = str(temporary)
    logging.getLogger("deltatrain").warning(
        "deltatrain: the cache folder %s cannot be written, so this run keeps nothing for the next and is slower; "
        "%s names another folder",
        chosen,
        _VARIABLE,
    )
    return temporary


def own_folder(path: Path) -> Path:
    """Return the folder `path`, which no other user can write to; made if it is not there.

    What is loaded from it is run as code. On systems without owners, such as Windows, nothing is checked.

    Raises
    ------
    HostError
        If it cannot be made, or belongs to another user than this one or root, or others can write to it.
    """
    if not path.exists():
        make_folder(path.parent)
        with suppress(OSError):  # made by another process by now, or `make_folder` says why not
            path.mkdir(mode=0o700)
    make_folder(path)
    if hasattr(os, "geteuid"):
        about = path.stat()
        if about.st_uid not in (os.geteuid(), 0):
            raise HostError(f"{path} belongs to another user: code is not loaded from there; {_VARIABLE} moves it")
        if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise HostError(f"{path} can be written by others: code is not loaded from there; chmod go-w {path}")
    return path


def _chosen() -> Path:
    if chosen := os.environ.get(_VARIABLE):
        try:
            return Path(chosen).expanduser().absolute()
        except RuntimeError:
            raise ConfigError(f"{_VARIABLE}={chosen}: this user has no home; give a whole path") from None
    try:
        return platformdirs.user_cache_path("deltatrain", appauthor=False)
    except RuntimeError:  # this user has no home
        return Path("~", ".cache", "deltatrain")


def _writable(folder: Path) -> bool:
    """Tell whether this user may write to `folder`, or make it. A file in its place is another matter."""
    if not folder.is_absolute():
        return False  # the home is not known
    place = next(place for place in (folder, *folder.parents) if _there(place))
    return may_write(place) or (_there(folder) and not folder.is_dir())


def may_write(folder: Path) -> bool:
    """Tell whether this user may make files in `folder`."""
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder that may not be searched
        return False
