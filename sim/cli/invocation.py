"""The command line that was typed, which results record."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

_LINE: ContextVar[str] = ContextVar("_LINE", default="")


@contextmanager
def said(arguments: Sequence[str]) -> Iterator[None]:
    """Make `command_line` return the command with these arguments while the block runs."""
    token = _LINE.set(shlex.join(["deltatrain", *arguments]))
    try:
        yield
    finally:
        _LINE.reset(token)


def command_line() -> str:
    """Return the command line that is being executed, quoted for a shell; empty if there is none."""
    return _LINE.get()
