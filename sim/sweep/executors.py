"""Simulates points: in this process, in processes on this machine, or on a cluster (`sim.sweep.cluster`).

An executor takes lists of points and returns futures of their answers. It sends the base to each process once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Protocol, Self

from deltatrain.accel.cache_folder import cache_folder
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.own_computer import cores
from deltatrain.sim.sweep.axis import Design
from deltatrain.sim.sweep.point import Answer, Base, Simulator

_NONE_BEGAN = (
    "no process that simulates could begin: a script that sweeps with several workers must have its own code "
    'under `if __name__ == "__main__":`'
)
_TASKS_A_WORKER = 2  # one under way and one waiting


class PointExecutor(Protocol):
    """Simulates points somewhere."""

    @property
    def workers(self) -> int:
        """How many points can be worked on at once; none while a cluster has no worker yet."""

    @property
    def most_tasks(self) -> int:
        """How many lists of points may be submitted before the first is done; more would not be faster."""

    def submit(self, designs: Sequence[Design]) -> Future[Answer]:
        """Return the future answer to `designs`."""

    def lost(self, error: BaseException) -> bool:
        """Tell whether a future's `error` means that its worker died. The executor then has a new worker."""

    def obstacle(self, error: BaseException) -> str | None:
        """Return why a future's `error` is no fault of its points; None if it is not known to be an obstacle."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class InProcess:
    """Simulates at once, in this process."""

    workers = 1
    most_tasks = 1

    def __init__(self, base: Base) -> None:
        self._simulator = Simulator(base)

    def submit(self, designs: Sequence[Design]) -> Future[Answer]:
        """Simulate `designs`."""
        future: Future[Answer] = Future()
        future.set_result(self._simulator.answer(designs))
        return future

    def lost(self, error: BaseException) -> bool:
        """There is no worker to lose."""
        return False

    def obstacle(self, error: BaseException) -> None:
        """There is nothing between this process and its answers."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        return


class Processes:
    """Simulates in processes on this machine, each with one BLAS thread.

    Parameters
    ----------
    base
        Of the sweep.
    workers
        How many processes.
    """

    def __init__(self, base: Base, workers: int) -> None:
        self.workers = workers
        self.most_tasks = _TASKS_A_WORKER * workers + 1
        self._base = base
        self._began, self._begins = multiprocessing.get_context("spawn").Pipe(duplex=False)
        self._pool = self._new()

    def submit(self, designs: Sequence[Design]) -> Future[Answer]:
        """Return the future answer to `designs`."""
        try:
            with _kept_from_children():
                return self._pool.submit(_answer_here, list(designs))
        except BrokenProcessPool as error:
            future: Future[Answer] = Future()
            future.set_exception(error)
            return future

    def lost(self, error: BaseException) -> bool:
        """Tell whether a process died, and if so start new ones."""
        if not isinstance(error, BrokenProcessPool) or not self._began.poll():
            return False
        self._alive.close()
        self._pool.shutdown(cancel_futures=True)
        self._pool = self._new()
        return True

    def obstacle(self, error: BaseException) -> str | None:
        """Return why no process has begun; whatever else one of this machine raises is a fault of the program."""
        return _NONE_BEGAN if isinstance(error, BrokenProcessPool) else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is not None:
            self._alive.close()  # a point may take minutes, and its row would be lost anyway
        self._pool.shutdown(cancel_futures=True)
        self._alive.close()

    def _new(self) -> ProcessPoolExecutor:
        cache_folder()  # a temporary one is then the same for all
        _track_quietly()
        # spawned, not forked: a fork would share the folder's lock, and locks that threads hold
        context = multiprocessing.get_context("spawn")
        parent, self._alive = context.Pipe(duplex=False)
        initial = (self._base, parent, self._begins)
        return ProcessPoolExecutor(self.workers, mp_context=context, initializer=_begin, initargs=initial)


def executor(base: Base, workers: int | None, cluster: str | None) -> PointExecutor:
    """Return the executor for `workers` processes here (None for one on each core), or for the cluster named.

    Raises
    ------
    ConfigError
        If the cluster cannot be used, or the number makes no sense.
    """
    if cluster is not None:
        from deltatrain.sim.sweep.cluster import Cluster  # imports dask, an extra

        return Cluster(base, cluster)
    wanted = workers if workers is not None else cores()
    if wanted < 1:
        raise ConfigError(f"workers must be a positive integer, not {wanted}")
    return InProcess(base) if wanted == 1 else Processes(base, wanted)


@contextmanager
def _kept_from_children() -> Iterator[None]:
    """Keep Ctrl-C and SIGTERM from processes that are started in the block. This process gets them and ends those.

    A child inherits blocked signals. On Windows, which cannot block them, the child ignores them from `_begin` on.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _track_quietly() -> None:
    """Start the process that removes the semaphores of this one if it is killed, without its warning that it does."""
    asked = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [asked, "ignore:resource_tracker:UserWarning"]))
    try:
        resource_tracker.ensure_running()
    finally:
        del os.environ["PYTHONWARNINGS"]
        os.environ.update({"PYTHONWARNINGS": asked} if asked is not None else {})


_simulators: list[Simulator] = []
"""In a process of `Processes`: the one for its base."""


def _begin(base: Base, parent: Connection, begins: Connection) -> None:
    """Prepare a process of `Processes`, and tell that it begins. It ends when the other end of `parent` is closed."""
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    threadpool_limits(1)
    begins.send_bytes(b"")
    _simulators.append(Simulator(base))


def _end_with(parent: Connection) -> None:
    parent.poll(None)  # nothing is ever sent: it returns when the parent closes its end or dies
    os._exit(1)


def _answer_here(designs: list[Design]) -> Answer:
    return _simulators[0].answer(designs)
