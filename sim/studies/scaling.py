"""How the cost of a simulation grows with steps, neurons, tiles, points and the length of a trace."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from deltatrain.accel.documents import json_text, json_value
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import replace_file
from deltatrain.sim.code import CODE
from deltatrain.sim.studies._table import Progress, Row

ABOUT = (
    "Does time grow in proportion to the work, and memory not beyond what is given? Each size in a process of its own: "
    "CPU seconds of one core, microseconds for a piece of work (a step, a weight, a tile, a point, a byte), and the "
    "peak of memory, of which 175 MB are Python and its libraries. Order: the power of the amount of work with which "
    "time grew since the row above, 1 where it is linear."
)


class Settings(NamedTuple):
    """The sizes along each axis, growing."""

    sizes: dict[str, tuple[int, ...]]


SETTINGS = Settings(
    {
        "steps, analytic": (10_000, 100_000, 1_000_000),
        "steps, cycle, all in SRAM": (1_000, 10_000, 100_000),
        "steps, cycle, all in DRAM": (200, 2_000, 20_000),
        "neurons, analytic": (256, 1_024, 4_096),
        "neurons, cycle": (256, 1_024, 4_096),
        "tiles, cycle": (46, 368, 1_472),
        "points of a sweep": (1_000, 10_000, 100_000),
        "bytes of a DRAM trace": (10**7, 10**8, 10**9),
    }
)
SMALL_SETTINGS = Settings(
    {
        "steps, analytic": (1_000, 10_000),
        "steps, cycle, all in SRAM": (100, 400),
        "steps, cycle, all in DRAM": (20, 80),
        "neurons, analytic": (64, 128),
        "neurons, cycle": (64, 128),
        "tiles, cycle": (46, 92),
        "points of a sweep": (20, 80),
        "bytes of a DRAM trace": (10**5, 10**6),
    }
)


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Return a row for each size; what was measured with this code is kept in `folder`.

    Columns: ``axis`` and ``size``; ``CPU_s``; ``us_each``, microseconds for a piece of work; ``order`` of growth since
    the row above, empty in an axis's first; ``peak_MB`` and ``given_MB``, of which the work is made; ``reason`` why it
    could not be done.
    """
    cases = [(axis, size) for axis, sizes in settings.sizes.items() for size in sizes]
    found = {}
    for done, (axis, size) in enumerate(cases):
        progress("sizes", done / len(cases), f"{size:,} {axis}")
        found[axis, size] = _measured(axis, size, folder)
    progress("sizes", 1.0, f"{len(cases)} of them")
    before: dict[tuple[str, int], dict[str, Any]] = {}
    for axis, sizes in settings.sizes.items():
        before |= {(axis, size): found[axis, smaller] for smaller, size in pairwise(sizes)}
    return [_row(axis, size, one, before.get((axis, size))) for (axis, size), one in found.items()]


def order(smaller: dict[str, Any], larger: dict[str, Any]) -> float | None:
    """Return the power of the amount with which CPU seconds grew between two sizes; None if one was not measured."""
    if not smaller["cpu_s"] or not larger["cpu_s"]:
        return None
    return math.log(larger["cpu_s"] / smaller["cpu_s"]) / math.log(larger["amount"] / smaller["amount"])


def _measured(axis: str, size: int, folder: Path) -> dict[str, Any]:
    """Return what a size takes, measured in a process of its own or kept from before."""
    kept = folder / f"{axis.replace(', ', '-').replace(' ', '_')}-{size}.json"
    if kept.exists():
        found: dict[str, Any] = json_value(kept.read_bytes())
        if found["code"] == CODE.digest:
            return found
    command = [sys.executable, "-m", "deltatrain.sim.studies._scaling_work", axis, str(size)]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or [f"ended with {ran.returncode}"])[-1]
        raise ConfigError(f"{axis}, {size:,}: the process that measured it failed: {last}")
    found = json_value(ran.stdout.encode()) | {"code": CODE.digest}
    replace_file(kept, json_text(found).encode())
    return found


def _row(axis: str, size: int, found: dict[str, Any], smaller: dict[str, Any] | None) -> Row:
    growth = None if smaller is None else order(smaller, found)
    done = not found["reason"]
    return {
        "axis": axis,
        "size": size,
        "CPU_s": float(f"{found['cpu_s']:.3g}") if done else "",
        "us_each": float(f"{1e6 * found['cpu_s'] / found['amount']:.3g}") if done else "",
        "order": "" if growth is None else round(growth, 2),
        "peak_MB": round(found["peak_bytes"] / 1e6) if done else "",
        "given_MB": round(found["given_bytes"] / 1e6, 1),
        "reason": found["reason"],
    }
