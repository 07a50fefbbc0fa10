"""Standard output and standard error, which may be closed, or write fewer characters than Unicode has."""

from __future__ import annotations

import io
import os
import sys


def ready_streams() -> None:
    """Open the null device for a stream that is closed, and have characters that one cannot write shown as escapes."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or stream.closed:  # closed by whoever started the process, as with `>&-` in a shell
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def forget_stdout() -> None:
    """Discard what is still buffered, so that the interpreter does not try to write it at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # standard output is no file, as under a test's capture
        return
