"""Host speed of sweeps, in CPU seconds where one process works and in wall time where several do.

The workload: one sample of a 56 k LSTM (two layers of 64, 16 inputs, 31 classes), T = 60, a fifth of the deltas fired.
The machines: `edge` with other lanes, ports, memories and placements; 45 % of them are too small and refused.
"""

from __future__ import annotations

import importlib
import itertools
import os
import re
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from host_speed import Figures

from deltatrain.accel.description import with_overrides
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.sweep import sweep
from deltatrain.sim.sweep.axis import Design
from deltatrain.sim.sweep.checks import checked_space
from deltatrain.sim.sweep.executors import InProcess
from deltatrain.sim.sweep.exploration import Exploration, Progress, legs
from deltatrain.sim.sweep.journal import Journal
from deltatrain.sim.sweep.point import Answer, Simulator
from deltatrain.sim.sweep.space import Space

CORES = 2

SPACE: dict[str, Any] = {
    "name": "speed",
    "machine": "edge",
    "workload": "synthetic",
    "fixed": {"workload.training.batch": 1, "machine.cache.bytes": 0},
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

    def submit(self, designs: Sequence[Design]) -> Future[Answer]:
        future: Future[Answer] = Future()
        future.set_result(Answer([self._row | {"seconds": float(hash(str(d)) % 1000)} for d in designs]))
        return future


class Crowd(Known):
    """A thousand workers, each with two tasks, that answer in the order of asking once all of them have work."""

    most_tasks = 2001

    def __init__(self, space: Space) -> None:
        super().__init__(space)
        self._row["host_cpu_s"] = 0.001
        self._waiting: deque[tuple[Future[Answer], Sequence[Design]]] = deque()

    @property
    def workers(self) -> int:  # type: ignore[override]
        """A thousand. Who looks finds that some are done."""
        for _ in range(min(20, len(self._waiting))):
            self._end()
        return 1000

    def submit(self, designs: Sequence[Design]) -> Future[Answer]:
        future: Future[Answer] = Future()
        self._waiting.append((future, designs))
        if len(self._waiting) > 2000:
            self._end()
        return future

    def _end(self) -> None:
        future, designs = self._waiting.popleft()
        future.set_result(super().submit(designs).result())


MANY: dict[str, Any] = {
    "search.kind": "random",
    "vary": SPACE["vary"] | {"machine.dma.request_cycles": {"low": 0, "high": 100_000}},
}
"""A space of two thousand million points."""


def test_overhead_of_a_point_on_a_thousand_workers(tmp_path: Path, figures: Figures) -> None:
    """The one who asks and tells has 0.2 ms a point, or the workers wait for it."""
    points, tries = 10_000, itertools.count()

    def seconds() -> float:
        space = _space(MANY | {"search.points": points})
        executor = Crowd(space)
        started = time.process_time()
        assert _explore(space, tmp_path / str(next(tries)), executor) == points
        own = (time.process_time() - started) / points
        figures.tell("overhead of a point", 1e3 * own, "CPU ms")
        return 1000 * own

    figures.at_most_references(8, "a thousand points", seconds)


@pytest.mark.long
def test_who_asks_for_200_000_points_keeps_100_bytes_of_each(tmp_path: Path) -> None:
    """Of those that are known; tasks under way are as many at the begin as at the end."""
    seen: list[tuple[int, int]] = []
    space = _space(MANY | {"search.points": 200_000})
    with Journal(tmp_path, space.base.identity) as journal:
        exploration = Exploration(space, journal, Crowd(space), lambda at: seen.append((at.done, _resident_bytes())))
        exploration.explore("random", 200_000)
    (begin, early), (end, late) = next(one for one in seen if one[0] > 20_000), seen[-1]
    assert late - early < 100 * (end - begin)


@pytest.mark.parametrize("kind", ["grid", "random", "qmc"])
def test_overhead_of_a_point(tmp_path: Path, kind: str, figures: Figures) -> None:
    """Proposed, sent, written down, told: all but its simulation, beside the shortest simulation there is."""
    _hold_overhead(0.2, kind, 2000, tmp_path, figures)


def test_overhead_of_a_point_that_is_proposed_by_learning(tmp_path: Path, figures: Figures) -> None:
    """Optuna's time is in it, which grows with the points that it knows, and is once more for each that it repeats."""
    importlib.import_module("optuna")
    _hold_overhead(1.5, "nsga2", 500, tmp_path, figures)


def _hold_overhead(most: float, kind: str, points: int, folder: Path, figures: Figures) -> None:
    tries = itertools.count()

    def ratio() -> float:
        own = _overhead_seconds(kind, points, folder / str(next(tries)))
        simulation = _mean_seconds(_space({"search.kind": "random"}), 50)
        figures.tell("overhead of a point", 1e3 * own, "CPU ms")
        return own / simulation

    figures.at_most(most, f"overhead of a point, {kind}, beside its analytic simulation", ratio)


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


@pytest.mark.parametrize(("fidelity", "points", "most"), [("analytic", 150, 0.2), ("cycle", 12, 15)])
def test_points(fidelity: str, points: int, most: float, figures: Figures) -> None:
    space = _space({"search.kind": "random", "fidelity": fidelity})
    figures.at_most_references(most, f"a point, {fidelity}", lambda: _mean_seconds(space, points))


@pytest.mark.long
def test_10_000_analytic_points_in_flat_memory(tmp_path: Path, figures: Figures) -> None:
    """Resident bytes of this process grow by less than 1 kB a point."""
    seen: list[tuple[int, int]] = []

    def look(at: Progress) -> None:
        seen.append((at.done, _resident_bytes()))

    started = time.monotonic()
    space = _space({"search.kind": "random", "search.points": 10_000})
    assert sweep(space, tmp_path, workers=CORES, on_progress=look).height == 10_000
    figures.tell(f"10,000 analytic points on {CORES} cores", time.monotonic() - started, "s")
    early = next(size for done, size in seen if done > 1000)
    assert seen[-1][1] - early < 9000 * 1000


@pytest.mark.long
def test_200_cycle_points(tmp_path: Path, figures: Figures) -> None:
    space = _space({"search.kind": "random", "search.points": 200, "fidelity": "cycle"})
    started = time.monotonic()
    assert sweep(space, tmp_path, workers=CORES).height == 200
    figures.tell(f"200 cycle points on {CORES} cores", time.monotonic() - started, "s")


@pytest.mark.long
def test_two_workers_are_almost_twice_as_fast(tmp_path: Path, figures: Figures) -> None:
    """On an idle machine with two cores at least; the rate after the workers have begun."""
    if len(os.sched_getaffinity(0)) < CORES:
        pytest.skip("this needs two cores")
    tries = itertools.count()

    def rate(workers: int) -> float:
        ended: list[tuple[float, int]] = []
        changes = {"search.kind": "random", "search.points": 150, "fidelity": "cycle"}
        space = _space(changes)
        folder = tmp_path / str(next(tries))
        sweep(space, folder, workers=workers, on_progress=lambda at: ended.append((time.monotonic(), at.simulated)))
        (begin, first), (end, last) = next(one for one in ended if one[1] >= 10), ended[-1]
        return (last - first) / (end - begin)

    figures.at_most(1 / 1.8, "time of two workers, beside one", lambda: rate(1) / rate(2))


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
