"""Bulk transfer from local SRAM into remote memory; `count` is its bytes and the memory decides how long it takes."""

from __future__ import annotations

from accel.engine import Engine
from accel.modes import load
from accel.work import Counts, Work

UNIT = "store"

issue_cycles = load.issue_cycles


def drain_cycles(engine: Engine) -> int:
    """Return 0: the memory has taken the last byte, which ends the op."""
    return 0


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions: every byte is read from local SRAM."""
    return Work(local_read_bytes=count)
