"""Results whose sums close, drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from deltatrain.accel.counters import Counters
from deltatrain.accel.program import PHASES, UNITS
from deltatrain.accel.result import Result
from deltatrain.reports.table import CAUSES

Builder = Callable[..., Result]


def _split(total: int, parts: int, rng: np.random.Generator) -> list[int]:
    """Return `parts` non-negative integers that add up to `total`."""
    cuts = np.sort(rng.integers(0, total + 1, parts - 1))
    return [int(part) for part in np.diff(np.concatenate(([0], cuts, [total])))]


def _stretches(cycles: int, rng: np.random.Generator) -> dict[str, Any]:
    busy, *stalls = _split(cycles, 1 + len(CAUSES), rng)
    return {"busy_cycles": busy, "stall_cycles": dict(zip(CAUSES, stalls, strict=True))}


def _counters(cycles: int, rng: np.random.Generator) -> Counters:
    lanes = int(rng.integers(1, 33))
    phases = {}
    for name, own in zip(PHASES, _split(cycles, len(PHASES), rng), strict=True):
        stretch = _stretches(own, rng)
        elements = int(rng.integers(1, 10**6))
        phases[name] = stretch | {
            "macs": int(stretch["busy_cycles"] * lanes * rng.random()),
            "skipped_macs": int(rng.integers(0, 10**9)),
            "fired": int(rng.integers(0, elements + 1)),
            "elements": elements,
            "remote_bytes": int(rng.integers(0, 10**8)),
            "local_bytes": int(rng.integers(0, 10**9)),
        }
    moved = sum(phase["remote_bytes"] for phase in phases.values())
    read, write = _split(moved, 2, rng)
    rows = dict(zip(("row_hits", "row_misses", "row_conflicts"), _split(moved // 64, 3, rng), strict=True))
    remote = {"asked_bytes": moved, "read_bytes": read, "write_bytes": write, **rows, "activates": 5, "refreshes": 1}
    return Counters.from_table(
        {
            "cycles": cycles,
            "clock_hz": 125_000_000,
            "lanes": lanes,
            "units": {unit: _stretches(cycles, rng) for unit in UNITS},
            "phases": phases,
            "remote": remote | {"busy_cycles": int(rng.integers(0, cycles + 1))},
            "work": {"macs": sum(phase["macs"] for phase in phases.values())},
        }
    )


def _random_result(seed: int, cycles: int = 10**7, dense_cycles: int = 4 * 10**7) -> Result:
    rng = np.random.default_rng(seed)
    return Result(
        workload={"name": "digits", "hidden": [96, 64], "theta_x": 0.1, "synthetic": None},
        architecture={"name": "edge", "engine": {"lanes": 8}},
        fidelity="cycle",
        counters=_counters(cycles, rng),
        dense=_counters(dense_cycles, rng),
        energy_j={"multiply": float(rng.random()), "remote": float(rng.random())},
        dense_energy_j={"multiply": 1 + float(rng.random()), "remote": 1 + float(rng.random())},
        area_mm2={"local memory": float(rng.random()), "lane adders": float(rng.random())},
        not_priced={"energy": ("clock tree",), "area": ("clock tree", "second port of the local memory")},
        training={"accuracy": 0.98},
        provenance={"seed": seed},
    )


@pytest.fixture(scope="session")
def random_result() -> Builder:
    """Return the function (seed, cycles, dense_cycles) -> Result."""
    return _random_result
