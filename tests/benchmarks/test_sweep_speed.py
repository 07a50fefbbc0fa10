"""Host speed of sweeps in CPU seconds, which do not depend on who else uses the machine.

The workload: one sample of a 56 k LSTM (two layers of 64, 16 inputs, 31 classes), T = 60, a fifth of the deltas fired.
The machines: `edge` with other lanes, ports, memories and placements; 45 % of them are too small and refused.
"""

from __future__ import annotations

import importlib
import os
import re
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from deltatrain.accel.description import with_overrides
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.sweep import sweep
from deltatrain.sim.sweep.axis import Design
from deltatrain.sim.sweep.checks import checked_space
from deltatrain.sim.sweep.executors import InProcess
from deltatrain.sim.sweep.exploration import Exploration, Progress, legs
from deltatrain.sim.sweep.journal import Journal
from deltatrain.sim.sweep.point import Row, Simulator
from deltatrain.sim.sweep.space import Space

MOST_OVERHEAD_SECONDS = 2e-3
MOST_SECONDS_OF_10_000_ANALYTIC = 60
MOST_SECONDS_OF_200_CYCLE = 120
CORES = 2


SPACE: dict[str, Any] = {
    "name": "speed",
    "machine": "edge",
    "workload": "synthetic",
    "fixed": {"workload.training.batch": 1},
    "vary": {
        "machine.engine.lanes": {"low": 1, "high": 48},
        "machine.dma.bytes_per_cycle": [4, 8, 16],
        "machine.local.bytes": {"low": 65_536, "high": 1_048_576, "count": 18, "scale": "log"},
        "machine.placement.weights": ["local", "remote"],
        "machine.placement.gradients": ["local", "remote"],
        "machine.placement.tape": ["local", "remote"],
    },
    "objectives": {"seconds": "minimise", "energy_j": "minimise", "machine.local.bytes": "minimise"},
}
"""20,736 points."""


class Known(InProcess):
    """Answers every point with the row of the first."""

    def __init__(self, space: Space) -> None:
        super().__init__(space.base)
        self._row = self._simulator.row({})
        assert "failure" not in self._row

    def submit(self, designs: Sequence[Design]) -> Future[list[Row]]:
        future: Future[list[Row]] = Future()
        future.set_result([self._row | {"seconds": float(hash(str(d)) % 1000)} for d in designs])
        return future


@pytest.mark.parametrize("kind", ["grid", "random", "qmc"])
def test_overhead_of_a_point(tmp_path: Path, kind: str) -> None:
    """Proposed, sent, written down, told: all but its simulation."""
    assert _overhead_seconds(kind, 2000, tmp_path) < MOST_OVERHEAD_SECONDS


def test_overhead_of_a_point_that_is_proposed_by_learning(tmp_path: Path) -> None:
    """Optuna's time is in it, which grows with the points that it knows, and is once more for each that it repeats."""
    importlib.import_module("optuna")
    assert _overhead_seconds("nsga2", 500, tmp_path) < 3 * MOST_OVERHEAD_SECONDS


def _overhead_seconds(kind: str, points: int, folder: Path) -> float:
    changes: dict[str, Any] = {"search.kind": kind, "search.points": points, "search.random_points": 0}
    if kind == "grid":
        changes["vary"] = SPACE["vary"] | {"machine.engine.lanes": [4, 8, 16, 32, 48]}  # 2,160 points
    space = _space(changes)
    executor = Known(space)
    started = time.process_time()
    simulated = _explore(space, folder, executor)
    assert simulated >= points
    return (time.process_time() - started) / simulated


def test_analytic_points() -> None:
    """A sample of 10,000 points; the whole is a long test."""
    mean = _mean_seconds(_space({"search.kind": "random"}), 150)
    assert mean * 10_000 / CORES < MOST_SECONDS_OF_10_000_ANALYTIC, f"{1e3 * mean:.1f} ms"


def test_cycle_points() -> None:
    """A sample of 200 points; the whole is a long test."""
    mean = _mean_seconds(_space({"search.kind": "random", "fidelity": "cycle"}), 12)
    assert mean * 200 / CORES < MOST_SECONDS_OF_200_CYCLE, f"{1e3 * mean:.0f} ms"


@pytest.mark.long
def test_10_000_analytic_points_in_flat_memory(tmp_path: Path) -> None:
    """Wall time, so on an idle machine; resident bytes of this process grow by less than 1 kB a point."""
    seen: list[tuple[int, int]] = []

    def look(at: Progress) -> None:
        seen.append((at.done, _resident_bytes()))

    started = time.monotonic()
    space = _space({"search.kind": "random", "search.points": 10_000})
    assert sweep(space, tmp_path, workers=CORES, on_progress=look).height == 10_000
    assert time.monotonic() - started < MOST_SECONDS_OF_10_000_ANALYTIC
    early = next(size for done, size in seen if done > 1000)
    assert seen[-1][1] - early < 9000 * 1000


@pytest.mark.long
def test_200_cycle_points(tmp_path: Path) -> None:
    """Wall time, so on an idle machine."""
    space = _space({"search.kind": "random", "search.points": 200, "fidelity": "cycle"})
    started = time.monotonic()
    assert sweep(space, tmp_path, workers=CORES).height == 200
    assert time.monotonic() - started < MOST_SECONDS_OF_200_CYCLE


@pytest.mark.long
def test_two_workers_are_almost_twice_as_fast(tmp_path: Path) -> None:
    """Wall time, so on an idle machine with two cores at least; the rate after the workers have begun."""
    if len(os.sched_getaffinity(0)) < CORES:
        pytest.skip("this needs two cores")

    def rate(workers: int) -> float:
        ended: list[tuple[float, int]] = []
        changes = {"search.kind": "random", "search.points": 150, "fidelity": "cycle"}
        space = _space(changes)
        folder = tmp_path / str(workers)
        sweep(space, folder, workers=workers, on_progress=lambda at: ended.append((time.monotonic(), at.simulated)))
        (begin, first), (end, last) = next(one for one in ended if one[1] >= 10), ended[-1]
        return (last - first) / (end - begin)

    assert rate(2) >= 1.8 * rate(1)


def _space(changes: dict[str, Any]) -> Space:
    return checked_space(with_overrides(SPACE, changes))


def _explore(space: Space, folder: Path, executor: Any) -> int:
    seen: list[Progress] = []
    with Journal(folder, space.base.identity) as journal:
        exploration = Exploration(space, journal, executor, seen.append)
        for kind, points in legs(space):
            exploration.explore(kind, points)
    return seen[-1].simulated


def _mean_seconds(space: Space, points: int) -> float:
    """Return the CPU seconds of one of the first points of a search, those that do not fit included."""
    from deltatrain.sim.sweep.searches import SEARCHES

    search: Any = SEARCHES.load(space.search.kind).start(space, 1, 1)
    simulator = Simulator(space.base)
    simulator.row({})  # what is loaded once is loaded
    started = time.process_time()
    for _ in range(points):
        row = simulator.row(search.ask())
        assert row.get("failure") in (None, "FitError", ConfigError.__name__), row
    return (time.process_time() - started) / points


def _resident_bytes() -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return 1024 * int(found[1])
