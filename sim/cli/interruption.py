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
    advice
        Where a command other than training has kept what it did, and how to go on; empty if it keeps nothing.
    """

    def __init__(self, state: Path | None = None, advice: str = "") -> None:
        super().__init__("interrupted")
        self.state = state
        self.advice = advice


@contextmanager
def interruptible(state: Path | None = None) -> Iterator[None]:
    """Turn Ctrl-C in the body into `StoppedError`."""
    try:
        yield
    except KeyboardInterrupt:
        raise StoppedError(state) from None
