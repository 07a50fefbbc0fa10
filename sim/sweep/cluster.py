"""Simulates points on the workers of a dask cluster.

Workers may come and go; points wait for the first. Each worker must hold the code that this process holds: it is asked
when it is first seen, and compares the code again whenever it is given points. Who can reach a scheduler can run any
code on its workers, and what workers send is unpickled here: a cluster is to be trusted.
"""

from __future__ import annotations

import importlib
import logging
import math
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from types import TracebackType
from typing import Any, Self

from threadpoolctl import threadpool_limits

from deltatrain.accel.errors import HostError
from deltatrain.sim.code import CODE, Code
from deltatrain.sim.sweep.axis import Design
from deltatrain.sim.sweep.identity import Identity
from deltatrain.sim.sweep.point import Answer, Base, Simulator

_CONNECT_SECONDS = 10
_COUNT_EVERY_SECONDS = 1.0
_TASKS_A_WORKER = 2  # one under way and one waiting

_ASK_FOR_CODE = "tuple(__import__('deltatrain.sim.code', fromlist=['CODE']).CODE)"
"""What a worker evaluates to tell its code. It is text, because a worker without the package can load no function."""


class Cluster:
    """Simulates on the workers of a dask cluster.

    Parameters
    ----------
    base
        Of the sweep. It is the result of a task: workers copy it from each other, and the cluster runs the task again
        if the last worker that has it dies.
    address
        Of the scheduler, such as ``tcp://host:8786``.

    Raises
    ------
    HostError
        If the address is none, nobody answers, or a worker has other code.
    """

    def __init__(self, base: Base, address: str) -> None:
        self._shared, self._address = base, address
        self._compared: set[str] = set()
        self._counted, self._workers = -math.inf, 0
        self._held: list[tuple[Future[Answer], Sequence[Design]]] = []
        _check_address(address)
        with ExitStack() as opened:
            opened.enter_context(_logging_nothing())
            try:
                self._client = _dask().Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
                opened.callback(self._client.close)
                self._count()
            except (OSError, ValueError, TimeoutError) as error:
                raise HostError(f"--cluster {address}: no dask scheduler answers there ({error})") from None
            self._executor = self._client.get_executor(pure=False)
            self._opened = opened.pop_all()

    @property
    def workers(self) -> int:
        """Threads of all workers there are now."""
        if time.monotonic() - self._counted > _COUNT_EVERY_SECONDS:
            self._count()
        return self._workers

    @property
    def most_tasks(self) -> int:
        """Two for each of them, and one."""
        return _TASKS_A_WORKER * self.workers + 1

    def submit(self, designs: Sequence[Design]) -> Future[Answer]:
        """Return the future answer to `designs`; the cluster gives those of a worker that dies to another.

        Before there is a worker nothing is sent: one without the package would die of it, and could not be asked why.
        """
        if self.workers:
            return self._sent(designs)
        future: Future[Answer] = Future()
        self._held.append((future, designs))
        return future

    def lost(self, error: BaseException) -> bool:
        """Tell whether the cluster gave up on points because their workers died repeatedly."""
        return isinstance(error, _dask().scheduler.KilledWorker)

    def obstacle(self, error: BaseException) -> str:
        """Return why the cluster gave no answer to a task."""
        if isinstance(error, CancelledError) or self._client.status != "running":
            return f"--cluster {self._address}: the scheduler does not answer any more"
        return f"--cluster {self._address}: a worker cannot simulate ({_in_a_line(error)})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._executor.shutdown(wait=kind is None)
        self._opened.close()

    @cached_property
    def _base(self) -> Any:
        """The base on the cluster."""
        return self._client.submit(_base_there, self._shared, pure=False)

    def _sent(self, designs: Sequence[Design]) -> Future[Answer]:
        answer: Future[Answer] = self._executor.submit(_answer_there, self._base, list(designs), CODE)
        return answer

    def _count(self) -> None:
        """Count the workers there are, and compare the code of those that are new."""
        known = self._client.scheduler_info(n_workers=-1)["workers"]
        self._counted, self._workers = time.monotonic(), sum(worker["nthreads"] for worker in known.values())
        new = sorted(set(known) - self._compared)
        if new:
            for worker, code in self._client.run(eval, _ASK_FOR_CODE, workers=new, on_error="return").items():
                self._compare(worker, code)
        self._compared |= set(new)
        while self._workers and self._held:
            future, designs = self._held.pop()
            self._sent(designs).add_done_callback(partial(_pass_on, future))

    def _compare(self, worker: str, code: Any) -> None:
        if isinstance(code, OSError):
            return  # it is gone again
        if isinstance(code, BaseException):
            raise HostError(f"--cluster {self._address}: {worker} cannot run deltatrain ({_in_a_line(code)})")
        if code != CODE:
            raise HostError(f"--cluster {self._address}: {_other_code(worker, Code(*code), CODE)}")


def _dask() -> Any:
    """Return dask's library, an extra, which is loaded for a cluster only."""
    return importlib.import_module("distributed")


def _pass_on(future: Future[Answer], ended: Future[Answer]) -> None:
    """Let `future` end as `ended` did."""
    try:
        future.set_result(ended.result())
    except BaseException as error:
        future.set_exception(error)


def _check_address(address: str) -> None:
    """Raise unless `address` names a scheme, a host that is known, and a port."""
    try:
        comm = _dask().comm
        scheme, place = comm.addressing.parse_address(address)
        comm.registry.get_backend(scheme)
        host, port = comm.addressing.parse_host_port(place)
        if not 0 < port < 2**16:
            raise ValueError(f"a port is a number from 1 to 65535, not {port}")
        socket.getaddrinfo(host, port)
    except (OSError, ValueError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise HostError(f"--cluster {address}: no address of a scheduler, such as tcp://host:8786 ({reason})") from None


def _other_code(worker: str, found: Code, wanted: Code) -> str:
    return f"{worker} has deltatrain {found}, not {wanted} as this process: install the same on all machines"


def _in_a_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _logging_nothing() -> Iterator[None]:
    """Keep dask from logging what is raised here too, with its traceback."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


_simulators: dict[Identity, Simulator] = {}
"""In a worker: one for each base that it was given."""


def _base_there(base: Base) -> Base:
    return base


def _answer_there(base: Base, designs: list[Design], wanted: Code) -> Answer:
    """Simulate in a worker, which may have come after others were asked for their code."""
    worker = _dask().get_worker().address
    if wanted != CODE:
        return Answer([], _other_code(worker, CODE, wanted))
    if base.identity not in _simulators:
        threadpool_limits(1)
        _simulators[base.identity] = Simulator(base)
    answer = _simulators[base.identity].answer(designs)
    return Answer(answer.rows, answer.obstacle and f"worker {worker}: {answer.obstacle}")
