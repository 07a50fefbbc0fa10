"""The same sweep on the workers of a dask cluster."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from spaces import tiny

from deltatrain.accel.errors import ConfigError
from deltatrain.sim.sweep import sweep
from deltatrain.sim.sweep.exploration import Progress
from deltatrain.sim.sweep.journal import read

distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # dask's own


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a cluster of two worker processes, which may be slow to answer."""
    monkeypatch.setattr("sim.sweep.executors._CONNECT_SECONDS", 600)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


def test_two_workers_find_the_same_and_one_killed_costs_time_only(cluster: Any, tmp_path: Path) -> None:
    table = tiny(fidelity="cycle", vary__workload__training__seed=[1, 2])
    expected = sweep(table, tmp_path / "here", workers=1)
    killed: list[int] = []

    def kill() -> None:
        journal = tmp_path / "there" / "journal.jsonl"
        while not journal.exists() or journal.read_bytes().count(b"\n") < 20:
            time.sleep(0.01)
        killed.append(next(iter(cluster.workers.values())).pid)
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    found = sweep(table, tmp_path / "there", cluster=cluster.scheduler_address)
    killer.join(600)
    assert killed and found.equals(expected)
    digests = [row["digest"] for row in read(tmp_path / "there" / "journal.jsonl")]
    assert len(digests) == len(set(digests)) == expected.height


def test_a_scheduler_that_does_not_answer_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deltatrain.sim.sweep.executors._CONNECT_SECONDS", 0.5)
    with pytest.raises(ConfigError) as refused:
        sweep(tiny(), tmp_path, cluster="tcp://127.0.0.1:1")
    assert "--cluster tcp://127.0.0.1:1: no dask scheduler answers there" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_address_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--cluster nonsense://x"):
        sweep(tiny(), tmp_path, cluster="nonsense://x")


def test_points_wait_for_the_first_worker(tmp_path: Path) -> None:
    seen: list[int] = []

    def start(progress: Progress) -> None:
        if not seen:
            cluster.scale(1)
        seen.append(progress.workers)

    with distributed.LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=None) as cluster:
        found = sweep(tiny(), tmp_path, cluster=cluster.scheduler_address, on_progress=start)
    assert found.height == 90 and seen[0] == 0 and seen[-1] == 1
