"""The loop of a sweep beside an executor that answers late, in another order, and loses its workers."""

from __future__ import annotations

import errno
import random
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest
from spaces import tiny

from deltatrain.accel.errors import HostError, NetworkError
from deltatrain.accel.pricing.run_energy import energy_j
from deltatrain.sim.sweep.axis import Design
from deltatrain.sim.sweep.checks import checked_space
from deltatrain.sim.sweep.executors import InProcess
from deltatrain.sim.sweep.exploration import Exploration, Progress, legs
from deltatrain.sim.sweep.journal import Journal, read
from deltatrain.sim.sweep.point import Answer, Base, Row, in_words
from deltatrain.sim.sweep.space import Space


class LostError(Exception):
    """A worker died."""


class Awkward(InProcess):
    """Answers from another thread, in random order.

    A point of `deadly`, and each of the first `unlucky` answers, ends the workers and loses all that they were given.
    """

    workers = 3
    most_tasks = 7

    def __init__(self, base: Base, seed: int, deadly: tuple[Design, ...] = (), unlucky: int = 0) -> None:
        super().__init__(base)
        self._random, self._deadly, self._unlucky = random.Random(seed), deadly, unlucky
        self._pending: list[tuple[Future[Answer], list[Design]]] = []
        self._changed = threading.Condition()
        self.simulated: list[Design] = []
        threading.Thread(target=self._answer, daemon=True).start()

    def submit(self, designs: Sequence[Design]) -> Future[Answer]:
        future: Future[Answer] = Future()
        with self._changed:
            self._pending.append((future, list(designs)))
            self._changed.notify()
        return future

    def lost(self, error: BaseException) -> bool:
        return isinstance(error, LostError)

    def _answer(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending)
                future, designs = self._pending.pop(self._random.randrange(len(self._pending)))
                if self._unlucky > 0 or any(design in self._deadly for design in designs):
                    self._unlucky -= 1
                    for one, _ in [(future, designs), *self._pending]:
                        one.set_exception(LostError())
                    self._pending = []
                    continue
            self.simulated += designs
            future.set_result(self._simulator.answer(designs))


def explore(space: Space, folder: Path, executor: Any, seen: list[Progress] | None = None) -> list[Row]:
    """Return the rows of a sweep in the order of their numbers, without what differs from run to run."""
    with Journal(folder, space.base.identity) as journal:
        exploration = Exploration(space, journal, executor, seen.append if seen is not None else None)
        for kind, points in legs(space):
            exploration.explore(kind, points)
    rows = sorted(read(folder / "journal.jsonl"), key=lambda row: row["point"])
    return [{name: value for name, value in row.items() if name != "host_cpu_s"} for row in rows]


@pytest.mark.parametrize("kind", ["grid", "random", "qmc", "nsga2", "tpe"])
def test_the_rows_do_not_depend_on_who_simulates_and_when(tmp_path: Path, kind: str) -> None:
    space = checked_space(tiny(search__kind=kind, search__points=30, search__batch=10))
    expected = explore(space, tmp_path / "here", InProcess(space.base))
    for seed in range(2):
        executor = Awkward(space.base, seed)
        assert explore(space, tmp_path / str(seed), executor) == expected
        assert len(executor.simulated) == len(expected)
    assert [row["point"] for row in expected] == sorted({row["point"] for row in expected})


def test_every_point_of_a_grid_is_simulated_once(tmp_path: Path) -> None:
    space = checked_space(tiny())
    executor = Awkward(space.base, 1)
    rows = explore(space, tmp_path, executor)
    assert len(rows) == len({row["digest"] for row in rows}) == space.size == len(executor.simulated)
    wanted = [space.base.digest(design) for design in space.designs()]
    assert [row["digest"] for row in rows] == wanted


def test_points_that_do_not_fit_are_rows_with_their_reason(tmp_path: Path) -> None:
    space = checked_space(tiny())
    failed = [row for row in explore(space, tmp_path, InProcess(space.base)) if "failure" in row]
    assert failed and {row["failure"] for row in failed} == {"FitError"}
    assert all("bytes are missing" in row["reason"] for row in failed)
    assert {row["machine.local.bytes"] for row in failed} >= {1000}


def test_what_is_known_is_not_simulated_again(tmp_path: Path) -> None:
    space = checked_space(tiny())
    first = explore(space, tmp_path, InProcess(space.base))
    again = Awkward(space.base, 1)
    assert explore(space, tmp_path, again) == first and again.simulated == []
    wider = checked_space(tiny(vary__machine__engine__lanes={"low": 1, "high": 32, "factor": 2}))
    added = Awkward(space.base, 1)
    rows = explore(wider, tmp_path, added)
    assert len(rows) == wider.size and {d["machine.engine.lanes"] for d in added.simulated} == {32}


def test_a_search_that_learns_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    space = checked_space(tiny(search__kind="nsga2", search__points=40, search__batch=10, search__random_points=0))
    whole = explore(space, tmp_path / "whole", InProcess(space.base))
    lines = (tmp_path / "whole" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for kept in (1, 17, 25):
        folder = tmp_path / str(kept)
        folder.mkdir()
        (folder / "journal.jsonl").write_bytes(b"".join(lines[:kept]))
        executor = Awkward(space.base, kept)
        assert explore(space, folder, executor) == whole
        assert len(executor.simulated) == len(whole) - (kept - 1)


def test_dying_workers_cost_time_only(tmp_path: Path) -> None:
    space = checked_space(tiny())
    expected = explore(space, tmp_path / "here", InProcess(space.base))
    assert explore(space, tmp_path / "unlucky", Awkward(space.base, 1, unlucky=1)) == expected


def test_a_point_that_kills_its_worker_stops_the_sweep_and_is_tried_again(tmp_path: Path) -> None:
    space = checked_space(tiny())
    deadly = list(space.designs())[17]
    with pytest.raises(HostError) as stopped:
        explore(space, tmp_path, Awkward(space.base, 2, (deadly,)))
    kept = list(read(tmp_path / "journal.jsonl"))
    assert f"the process that simulated {in_words(deadly)} died" in str(stopped.value)
    assert f"the {len(kept)} finished points in {tmp_path / 'journal.jsonl'} are safe" in str(stopped.value)
    assert "\n" not in str(stopped.value) and space.base.digest(deadly) not in {row["digest"] for row in kept}
    resumed = Awkward(space.base, 2)
    assert explore(space, tmp_path, resumed) == explore(space, tmp_path / "here", InProcess(space.base))
    assert deadly in resumed.simulated and len(resumed.simulated) == (space.size or 0) - len(kept)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (MemoryError(), "this machine's memory is too small for the point machine.engine.lanes = "),
        (OSError(errno.ENOSPC, "No space left on device", "/cache/x"), "/cache/x cannot be used: No space left"),
        (HostError("folder /cache cannot be made: denied"), "folder /cache cannot be made: denied; the "),
        (NetworkError("x==1 cannot be fetched"), "x==1 cannot be fetched; the "),
        (ModuleNotFoundError("No module named 'gone'"), "No module named 'gone'; the "),
    ],
)
@pytest.mark.parametrize("workers", [1, 3])
def test_what_is_wrong_with_the_machine_is_no_row_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException, said: str, workers: int
) -> None:
    space = checked_space(tiny())
    simulated = count(1)

    def in_the_way(*args: Any) -> Any:
        if next(simulated) == 10:
            raise fault
        return energy_j(*args)

    def executor() -> InProcess:
        return InProcess(space.base) if workers == 1 else Awkward(space.base, 1)

    with monkeypatch.context() as patched:
        patched.setattr("deltatrain.sim.sweep.point.energy_j", in_the_way)
        with pytest.raises(HostError) as stopped:
            explore(space, tmp_path, executor())
    rows = list(read(tmp_path / "journal.jsonl"))
    assert str(stopped.value).startswith(said) and "\n" not in str(stopped.value)
    assert sum("failure" not in row for row in rows) >= 9, "what was finished is kept"
    assert {row["failure"] for row in rows if "failure" in row} <= {"FitError"}
    assert explore(space, tmp_path, executor()) == explore(space, tmp_path / "here", InProcess(space.base))


def test_whatever_goes_wrong_inside_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = checked_space(tiny())
    executor = InProcess(space.base)
    monkeypatch.setattr("deltatrain.sim.sweep.point.energy_j", lambda run, machine, modes: 1 / 0)
    rows = explore(space, tmp_path, executor)
    assert {row["failure"] for row in rows} == {"FitError", "ZeroDivisionError"}
    assert {row["reason"] for row in rows if row["failure"] != "FitError"} == {"internal error: division by zero"}


def test_progress_counts_up_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deltatrain.sim.sweep.exploration._TOLD_EVERY_SECONDS", 0.0)
    space = checked_space(tiny())
    seen: list[Progress] = []
    rows = explore(space, tmp_path, InProcess(space.base), seen)
    assert all(a.done <= b.done and a.front >= 0 for a, b in pairwise(seen))
    last = seen[-1]
    feasible = [row for row in rows if "failure" not in row]
    assert (last.done, last.points, last.simulated) == (len(rows),) * 3
    assert last.failed == len(rows) - len(feasible)
    assert last.best == {name: min(row[name] for row in feasible) for name in ("seconds", "local_bytes")}
    assert last.seconds_left == 0 and last.points_per_second > 0


def test_a_search_ends_when_it_has_nothing_new_to_propose(tmp_path: Path) -> None:
    vary = {"machine.engine.lanes": [1, 2, 4]}
    for kind in ("random", "qmc", "nsga2"):
        space = checked_space(tiny(search__kind=kind, search__points=500) | {"vary": vary})
        assert len(explore(space, tmp_path / kind, InProcess(space.base))) == 3


def test_points_outside_a_constraint_are_kept_and_never_best(tmp_path: Path) -> None:
    space = checked_space(tiny(constraints={"local_bytes": {"most": 3400}}, search__kind="nsga2", search__points=30))
    seen: list[Progress] = []
    rows = explore(space, tmp_path, InProcess(space.base), seen)
    inside = [row for row in rows if row.get("local_bytes", 1e9) <= 3400]
    outside = [row for row in rows if row.get("local_bytes", 0) > 3400]
    assert inside and outside
    assert seen[-1].best["seconds"] == min(row["seconds"] for row in inside)
