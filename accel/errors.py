"""What a user can get wrong, each said in one line that names the field, the value and what would be accepted."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ConfigError(Exception):
    """A user's mistake or a user's machine in the way: the command line prints the message and exits with status 2."""


class FitError(ConfigError):
    """Something does not fit: tensors a memory, with the missing bytes in the message, or a tile an FPGA."""


class DivergedError(ConfigError):
    """A training whose numbers are no longer finite: what it did and saved would mean nothing."""


class HostError(ConfigError):
    """A machine is in the way: a full disk, a folder that cannot be used, too little memory, a library not installed.

    What was described may be right, and the same command may succeed later or elsewhere.
    """


class NetworkError(HostError):
    """A file must be fetched and cannot be; the message says how to go on without a network."""


def refuse(reasons: Iterable[str]) -> None:
    """Raise one `ConfigError` with a line for each of `reasons`; nothing happens where there are none."""
    lines = list(dict.fromkeys(reasons))
    if lines:
        raise ConfigError("\n".join(lines))


def wrong_kind(what: str, accepted: str, given: object) -> ConfigError:
    """Return the error for something that is of another kind than `what` takes, such as a number for a machine."""
    return ConfigError(f"{what} must be {accepted}, not {type(given).__name__} {given!r:.60}")


def unknown_name(what: str, name: object, known: Iterable[str]) -> ConfigError:
    """Return the error for an unknown name, with the nearest known one if there is one.

    Parameters
    ----------
    what
        What the name should have named, as in a sentence: "data set", "preset".
    name
        What was given.
    known
        What would have been accepted.
    """
    names = sorted(known)
    if not isinstance(name, str):
        return wrong_kind(what, f"one of {', '.join(names)}", name)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f", did you mean {near[0]!r}?" if near else ""
    return ConfigError(f"{what} {name!r} is not known{hint} (there are: {', '.join(names)})")
