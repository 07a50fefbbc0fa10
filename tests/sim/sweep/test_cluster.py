"""The same sweep on the workers of a dask cluster."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from spaces import tiny

import deltatrain
from deltatrain.accel.errors import ConfigError, HostError
from deltatrain.accel.version import VERSION
from deltatrain.sim.code import CODE, Code
from deltatrain.sim.sweep import sweep
from deltatrain.sim.sweep.checks import checked_space
from deltatrain.sim.sweep.exploration import Progress
from deltatrain.sim.sweep.journal import read

distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # dask's own


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a cluster of two worker processes, which may be slow to answer."""
    monkeypatch.setattr("deltatrain.sim.sweep.cluster._CONNECT_SECONDS", 600)
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
    monkeypatch.setattr("deltatrain.sim.sweep.cluster._CONNECT_SECONDS", 0.5)
    with pytest.raises(ConfigError) as refused:
        sweep(tiny(), tmp_path, cluster="tcp://127.0.0.1:1")
    assert "--cluster tcp://127.0.0.1:1: no dask scheduler answers there" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    ["nonsense://x", "nonsense://x:1", "tcp://x", "tcp://127.0.0.1:99999", "tcp://[::1:8786", "tcp://a b:1", "", "x:y"],
)
def test_an_address_that_is_none_is_one_line_at_once(tmp_path: Path, address: str) -> None:
    began = time.monotonic()
    with pytest.raises(HostError) as refused:
        sweep(tiny(), tmp_path, cluster=address)
    assert str(refused.value).startswith(f"--cluster {address}: no address of a scheduler")
    assert "\n" not in str(refused.value) and time.monotonic() - began < 5


@contextmanager
def _worker(address: str, package: Path) -> Iterator[None]:
    """Run a worker that finds the package deltatrain in the folder `package`."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
    environment = os.environ | {"PYTHONPATH": str(package.parent)}
    process = subprocess.Popen([*command, "--no-nanny"], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def scheduler() -> Iterator[Any]:
    """Return a cluster without workers."""
    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        yield cluster


def _refused(scheduler: Any, folder: Path, package: Path) -> str:
    """Return the one line in which a sweep refuses a worker with another `package`; no point is simulated."""
    with _worker(scheduler.scheduler_address, package), pytest.raises(HostError) as refused:
        sweep(tiny(), folder, cluster=scheduler.scheduler_address)
    assert list(read(folder / "journal.jsonl")) == []
    assert "\n" not in str(refused.value) and "tcp://127.0.0.1:" in str(refused.value)
    return str(refused.value)


def test_a_worker_of_another_code_is_refused_before_the_first_point(scheduler: Any, tmp_path: Path) -> None:
    copy = tmp_path / "other" / "deltatrain"
    shutil.copytree(deltatrain.__path__[0], copy, ignore=shutil.ignore_patterns("__pycache__"))
    point = copy / "sim" / "sweep" / "point.py"
    doubled = point.read_text().replace('"seconds": run.seconds,', '"seconds": 2 * run.seconds,')
    assert doubled != point.read_text()
    point.write_text(doubled)
    line = _refused(scheduler, tmp_path / "out", copy)
    assert f"has deltatrain {VERSION} (code " in line and f"not {CODE} as this process" in line


def test_a_worker_without_the_package_is_refused(scheduler: Any, tmp_path: Path) -> None:
    package = tmp_path / "none" / "deltatrain"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'deltatrain'\")")
    line = _refused(scheduler, tmp_path / "out", package)
    assert line.endswith("cannot run deltatrain (No module named 'deltatrain')")


def test_a_worker_that_comes_late_compares_the_code_itself(tmp_path: Path) -> None:
    from deltatrain.sim.sweep.cluster import _answer_there  # imports dask

    space = checked_space(tiny())
    with distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster:
        client = cluster.get_client()
        answer = client.submit(_answer_there, space.base, [next(space.designs())], Code("0.0", "0" * 16)).result()
        client.close()
    assert answer.rows == [] and f"has deltatrain {CODE}, not 0.0 (code {'0' * 16})" in answer.obstacle


def test_a_scheduler_that_dies_is_one_line_and_costs_no_point(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table = tiny(fidelity="cycle", vary__workload__training__seed=[1, 2])
    journal, dead = tmp_path / "journal.jsonl", threading.Event()
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--no-dashboard"]
    place = tmp_path / "scheduler.json"
    process = subprocess.Popen(
        [*command, "--port", "0", "--scheduler-file", str(place)], stderr=subprocess.DEVNULL, cwd=tmp_path
    )

    def kill() -> None:
        while not journal.exists() or journal.read_bytes().count(b"\n") < 20:
            time.sleep(0.01)
        process.kill()
        dead.set()

    try:
        while not place.exists():
            time.sleep(0.05)
        address = json.loads(place.read_text())["address"]
        threading.Thread(target=kill, daemon=True).start()
        with _worker(address, Path(deltatrain.__path__[0])), pytest.raises(HostError) as stopped:
            sweep(table, tmp_path, cluster=address)
    finally:
        process.kill()
        process.wait()
    assert dead.is_set() and str(stopped.value).startswith(f"--cluster {address}: ")
    kept = list(read(journal))
    assert f"the {len(kept)} finished points in {journal} are safe" in str(stopped.value)
    assert "\n" not in str(stopped.value) and "Traceback" not in capfd.readouterr().err
    found = sweep(table, tmp_path, workers=1)
    assert found.height == len(list(read(journal))) and found.height > len(kept) >= 19


def test_points_wait_for_the_first_worker(tmp_path: Path) -> None:
    seen: list[int] = []

    def start(progress: Progress) -> None:
        if not seen:
            cluster.scale(1)
        seen.append(progress.workers)

    with distributed.LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=None) as cluster:
        found = sweep(tiny(), tmp_path, cluster=cluster.scheduler_address, on_progress=start)
    assert found.height == 90 and seen[0] == 0 and seen[-1] == 1
