"""Bulk transfer from remote memory into local SRAM; `count` is its bytes and the memory decides how long it takes."""

from __future__ import annotations

from deltatrain.accel.engine import Engine
from deltatrain.accel.modes import SOON_CYCLES
from deltatrain.accel.tiles import ONE_TILE, Tiles
from deltatrain.accel.work import Counts, Work

UNIT = "load"
WRITES_BACK = False
RETURN_CYCLES: tuple[int, ...] = ()


def issue_cycles(count: Counts, words: Counts) -> Counts:
    """Return `words`, the beats at the port: a lower bound, because the memory's own time comes on top."""
    return words


def drain_cycles(engine: Engine, tiles: Tiles = ONE_TILE) -> int:
    """Return `SOON_CYCLES`: the unit is free when the last byte has come, which is in SRAM then."""
    return SOON_CYCLES


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions: every byte is written to local SRAM."""
    return Work(local_write_bytes=count)
