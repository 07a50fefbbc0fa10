"""Ctrl-C in the middle: what was kept travels with the exception."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StoppedError(Exception):
    """The user stopped the command.

    Attributes
    ----------
    state
        Where training that was under way has kept its state; None if there was nothing to keep.
    """

    def __init__(self, state: Path | None = None) -> None:
        super().__init__("interrupted")
        self.state = state


@contextmanager
def interruptible(state: Path | None = None) -> Iterator[None]:
    """Turn Ctrl-C in the body into `StoppedError`."""
    try:
        yield
    except KeyboardInterrupt:
        raise StoppedError(state) from None
