"""A schedule as a file: compressed JSON, a list of cycles, op, ops and stalls for each stretch of each unit."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from deltatrain.accel.documents import json_text, json_value
from deltatrain.accel.files import replace_file
from deltatrain.reports.timeline.schedule import Schedule, Stretch


def save(schedule: Schedule, path: Path) -> None:
    """Write a schedule, the same bytes for the same one."""
    rows = {
        name: [[one.cycles, one.what, one.ops, dict(one.stalls)] for one in stretches]
        for name, stretches in schedule.items()
    }
    replace_file(path, gzip.compress(json_text(rows, separators=(",", ":")).encode(), compresslevel=6, mtime=0))


def load(path: Path) -> dict[str, list[Stretch]]:
    """Return the schedule in a file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds no schedule.
    """
    try:
        units = json_value(gzip.decompress(path.read_bytes()))
        return {
            name: [
                Stretch(int(cycles), {why: int(lost) for why, lost in stalls.items()}, str(what), int(ops))
                for cycles, what, ops, stalls in rows
            ]
            for name, rows in units.items()
        }
    except (EOFError, zlib.error, AttributeError, TypeError) as error:
        raise ValueError(f"{path} holds no schedule: {error}") from None
