"""The command line; `main` is what the command `deltatrain` runs."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    Parameters
    ----------
    arguments
        Without the program's name; None takes the process's own.

    Notes
    -----
    Importing takes a good part of a second, in which Ctrl-C could surface in any library's import. Nothing is begun
    then, so the process ends at once.
    """
    before = signal.getsignal(signal.SIGINT)
    alone = threading.current_thread() is threading.main_thread()  # only that one may set what a signal does
    asked = alone and before is signal.default_int_handler and "deltatrain.sim.cli.application" not in sys.modules
    if asked:
        signal.signal(signal.SIGINT, _end)
    try:
        from deltatrain.sim.cli.application import main as run
    finally:
        if asked:
            signal.signal(signal.SIGINT, before)
    return run(arguments)


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"deltatrain: interrupted; nothing was changed\n")
    os._exit(130)
