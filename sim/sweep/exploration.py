"""The loop of a sweep: ask a search for points, simulate the new ones, write them to the journal, tell the search."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple, NoReturn

from deltatrain.accel.errors import HostError
from deltatrain.sim.sweep.axis import Design
from deltatrain.sim.sweep.executors import PointExecutor
from deltatrain.sim.sweep.journal import Journal
from deltatrain.sim.sweep.known_points import Found, KnownPoints
from deltatrain.sim.sweep.outcome import Outcome, is_number
from deltatrain.sim.sweep.pareto import Front
from deltatrain.sim.sweep.point import Answer, Row, in_words
from deltatrain.sim.sweep.searches import SEARCHES, Search
from deltatrain.sim.sweep.space import Space

_TASK_SECONDS = 0.1  # of work for each task, so that sending it costs below 1 %
_MOST_IN_A_TASK = 64
_TOLD_EVERY_SECONDS = 0.1


class Progress(NamedTuple):
    """How far a sweep is.

    Attributes
    ----------
    search
        The search that is under way.
    done, points
        Different points that the search has been told of, and how many it will be told of in all.
    simulated, failed
        Points simulated in this run, and of them failed. The others were in the journal.
    points_per_second
        Simulated in this run.
    seconds_left
        At that rate; None before the first point.
    best
        The best feasible value of each objective, by name.
    front
        Points on the front.
    workers
        How many points are worked on at once.
    """

    search: str
    done: int
    points: int
    simulated: int
    failed: int
    points_per_second: float
    seconds_left: float | None
    best: dict[str, float]
    front: int
    workers: int


class Exploration:
    """A sweep under way.

    Parameters
    ----------
    space
        What is swept.
    journal
        Holds the rows of earlier runs, and takes new ones.
    executor
        Who simulates.
    on_progress
        Told now and then.
    """

    def __init__(
        self, space: Space, journal: Journal, executor: PointExecutor, on_progress: Callable[[Progress], None] | None
    ) -> None:
        self._space, self._journal, self._executor = space, journal, executor
        self._tell_progress = on_progress or (lambda progress: None)
        self._known = KnownPoints(len(space.objectives), len(space.constraints))
        self._front = Front()
        self._best: dict[str, float] = {}
        self._running: dict[Future[Answer], list[tuple[int, str, Design]]] = {}
        self._ended: SimpleQueue[Future[Answer]] = SimpleQueue()
        self._base_values = {path: space.base.value(path) for path in space.vary}
        self._numbered = 0
        self._simulated, self._failed, self._mean_seconds = 0, 0, _TASK_SECONDS
        self._began = self._last_told = time.monotonic()
        for row in journal.rows():
            self._know(row)

    def explore(self, kind: str, points: int) -> Found:
        """Simulate `points` different points that the search `kind` chooses. Return what was found."""
        member, settings = SEARCHES.load(kind), self._space.search
        search = member.start(self._space, settings.seed, settings.batch)
        found = Found(self._known)
        untold: deque[tuple[int, Design]] = deque()
        vain = 0
        while True:
            new: list[tuple[int, str, Design]] = []
            room = self._room()
            while len(found) < points and vain < member.PATIENCE and len(new) < room:
                design = search.ask()
                if design is None:
                    break
                digest = self._space.base.digest(design)
                number = self._known.number(digest)
                untold.append((number, design))
                is_new = found.add(number)
                vain = 0 if is_new else vain + 1
                if is_new and number not in self._known:
                    new.append((self._numbered + len(found) - 1, digest, design))
                if len(untold) >= settings.batch and not new and not self._running:
                    break  # all are known, as when a sweep is resumed: nothing to wait for
            self._submit(new)
            if not self._told(search, found, untold) and not self._running:
                break
            self._collect(kind, found.told, points)
        self._numbered += points
        self._report(kind, len(found), len(found))
        return found

    def _room(self) -> int:
        """Return how many more points may be sent out now."""
        return max(0, (self._executor.most_tasks - len(self._running)) * self._task_size())

    def _task_size(self) -> int:
        return max(1, min(_MOST_IN_A_TASK, round(_TASK_SECONDS / self._mean_seconds)))

    def _submit(self, points: list[tuple[int, str, Design]]) -> None:
        size = max(1, min(self._task_size(), -(-len(points) // max(1, self._executor.workers))))
        for begin in range(0, len(points), size):
            task = points[begin : begin + size]
            future = self._executor.submit([design for _, _, design in task])
            self._running[future] = task
            future.add_done_callback(self._ended.put)

    def _told(self, search: Search, found: Found, untold: deque[tuple[int, Design]]) -> int:
        """Tell the search the outcomes that are known, in the order of asking. Return how many were told."""
        told = 0
        while untold and untold[0][0] in self._known:
            number, design = untold.popleft()
            search.tell(design, self._known.outcome(number))
            found.tell(number)
            told += 1
        return told

    def _collect(self, kind: str, done: int, points: int) -> None:
        """Wait for a task that is running, and write down those that have ended."""
        if self._running:
            with suppress(Empty):
                self._end(self._ended.get(timeout=_TOLD_EVERY_SECONDS))
                while True:
                    self._end(self._ended.get_nowait())
        if time.monotonic() - self._last_told > _TOLD_EVERY_SECONDS:
            self._report(kind, done, points)

    def _end(self, future: Future[Answer]) -> None:
        """Write down a task that has ended, unless that is done."""
        if future in self._running:
            self._finish(self._running.pop(future), future)

    def _finish(self, task: list[tuple[int, str, Design]], future: Future[Answer]) -> None:
        error = _error_of(future)
        if error is None:
            self._take(task, future.result())
        elif self._executor.lost(error):
            # One of the points of a dead worker may be what killed it, so each now runs alone.
            suspects = list(task)
            for other in [other for other in self._running if other.done()]:
                points = self._running.pop(other)
                if _error_of(other) is None:
                    self._take(points, other.result())
                else:
                    suspects += points
            for point in suspects:
                self._take([point], self._alone(point[2]))
        else:
            self._fail(error)

    def _alone(self, design: Design) -> Answer:
        future = self._executor.submit([design])
        error = _error_of(future)
        if error is None:
            return future.result()
        if not self._executor.lost(error):
            self._fail(error)
        return Answer([], f"the process that simulated {in_words(design)} died, perhaps of too little memory")

    def _take(self, task: list[tuple[int, str, Design]], answer: Answer) -> None:
        """Write down what was found. An obstacle ends the sweep."""
        self._write(task, answer.rows)
        if answer.obstacle:
            self._stop(answer.obstacle)

    def _fail(self, error: BaseException) -> NoReturn:
        obstacle = self._executor.obstacle(error)
        if obstacle is None:
            raise error
        self._stop(obstacle)

    def _stop(self, obstacle: str) -> NoReturn:
        """End the sweep, once all that other tasks found is written."""
        for other in [other for other in self._running if other.done()]:
            points = self._running.pop(other)
            if _error_of(other) is None:
                self._write(points, other.result().rows)
        raise HostError(f"{obstacle}; {self._journal.kept()}")

    def _write(self, task: list[tuple[int, str, Design]], found: list[Row]) -> None:
        rows = [
            {"point": number, "digest": digest, **design, **row}
            for (number, digest, design), row in zip(task[: len(found)], found, strict=True)
        ]
        self._journal.append(rows)
        for row in rows:
            self._know(row)
            self._simulated += 1
            self._failed += "failure" in row
            self._mean_seconds += 0.1 * (row.get("host_cpu_s", 0.0) - self._mean_seconds)

    def _know(self, row: Row) -> None:
        values = self._base_values | row  # a field that is not varied at this point has its base's value
        looked_at = (*self._space.objectives, *self._space.constraints)
        if "failure" in row or not all(is_number(values.get(name)) for name in looked_at):
            self._known.learn(self._known.number(row["digest"]), Outcome(None))
            return
        outcome = Outcome(self._space.losses(values), self._space.excesses(values))
        self._known.learn(self._known.number(row["digest"]), outcome)
        if outcome.feasible and outcome.losses is not None:
            self._front.add(outcome.losses)
            for name, way in self._space.objectives.items():
                better = min if way == "minimise" else max
                self._best[name] = better(values[name], self._best.get(name, values[name]))

    def _report(self, kind: str, done: int, points: int) -> None:
        self._last_told = time.monotonic()
        rate = self._simulated / (self._last_told - self._began) if self._simulated else 0.0
        left = (points - done) / rate if rate else None
        simulated, failed, front = self._simulated, self._failed, len(self._front)
        workers = self._executor.workers
        self._tell_progress(
            Progress(kind, done, points, simulated, failed, rate, left, dict(self._best), front, workers)
        )


def _error_of(future: Future[Answer]) -> BaseException | None:
    """Return what went wrong with a task, once it has ended."""
    try:
        return future.exception()
    except CancelledError as error:
        return error


def legs(space: Space) -> Iterator[tuple[str, int]]:
    """Yield each search of a sweep and how many points it looks at: its own, and random ones beside one that learns."""
    settings, size = space.search, space.size
    if settings.kind == "grid":
        assert size is not None, "a grid over a continuous field is refused"
        yield settings.kind, size
        return
    points = settings.points if size is None else min(settings.points, size)
    yield settings.kind, points
    if SEARCHES.load(settings.kind).LEARNS:
        beside = points if settings.random_points is None else settings.random_points
        if beside:
            yield "random", beside if size is None else min(beside, size)
