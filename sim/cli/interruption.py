"""Ctrl-C and SIGTERM: the exception says where the work done so far is kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StoppedError(Exception):
    """The user stopped the command.

    Attributes
    ----------
    state
        File with the state of the training that was stopped; None if no training was under way.
    advice
        Where another command keeps its work, and how to go on; empty if it keeps nothing.
    """

    def __init__(self, state: Path | None = None, advice: str = "") -> None:
        super().__init__("interrupted")
        self.state = state
        self.advice = advice


@contextmanager
def ended_like_ctrl_c() -> Iterator[list[int]]:
    """Let SIGTERM, with which clusters and containers end a process, end the body as Ctrl-C does.

    Yields a list that then holds the signal's number.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received  # only the main thread may take signals
        return

    def interrupt(number: int, _: object) -> None:
        received.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def interruptible(state: Path | None = None) -> Iterator[None]:
    """Turn Ctrl-C in the body into `StoppedError`."""
    try:
        yield
    except KeyboardInterrupt:
        raise StoppedError(state) from None
