"""Bulk transfer from local SRAM into remote memory; `count` is its bytes and the memory decides how long it takes."""

from __future__ import annotations

from deltatrain.accel.engine import Engine
from deltatrain.accel.modes import SOON_CYCLES, load
from deltatrain.accel.tiles import ONE_TILE, Tiles
from deltatrain.accel.work import Counts, Work

UNIT = "store"
WRITES_BACK = False
RETURN_CYCLES: tuple[int, ...] = ()

issue_cycles = load.issue_cycles


def drain_cycles(engine: Engine, tiles: Tiles = ONE_TILE) -> int:
    """Return `SOON_CYCLES`: what the memory has taken need not be kept, which the others are told like all else."""
    return SOON_CYCLES


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions: every byte is read from local SRAM."""
    return Work(local_read_bytes=count)
