"""Killed at any moment, a sweep loses no finished point, repeats none, and leaves no process behind."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from spaces import tiny

from deltatrain.sim.sweep import load_results, sweep
from deltatrain.sim.sweep.checks import checked_space
from deltatrain.sim.sweep.journal import read

ROOT = Path(__file__).parents[3]

_SWEEP = """
import json, sys, time
from pathlib import Path
from deltatrain.sim.sweep import sweep
from deltatrain.sim.sweep.journal import Journal

append = Journal.append

def slow(*words):
    append(*words)
    time.sleep(0.03)  # so that it is under way for some time, however busy the machine is

Journal.append = slow
sweep(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2], workers=int(sys.argv[3]))
"""


@pytest.mark.parametrize(("kind", "workers", "kills"), [("nsga2", 1, 1), ("random", 2, 1)])
def test_killed_at_random_moments(tmp_path: Path, kind: str, workers: int, kills: int) -> None:
    _kill_and_resume(tmp_path, kind, workers, kills, points=100)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["random", "nsga2"])
def test_killed_at_50_random_moments(tmp_path: Path, kind: str) -> None:
    _kill_and_resume(tmp_path, kind, workers=2, kills=50, points=3000 if kind == "random" else 600)


def _kill_and_resume(tmp_path: Path, kind: str, workers: int, kills: int, points: int) -> None:
    """Kill a sweep `kills` times, each time after some more points are in its journal, then let it end."""
    table = tiny(
        fidelity="cycle",
        search__kind=kind,
        search__batch=20,
        search__points=points,
        search__random_points=10,
        vary__workload__training__seed={"low": 1, "high": 60},
    )
    whole = sweep(table, tmp_path / "whole", workers=1)
    space, folder = tmp_path / "space.json", tmp_path / "killed"
    space.write_text(json.dumps(table))
    moments, journal, told = random.Random(kills), folder / "journal.jsonl", tmp_path / "stderr"
    finished: list[bytes] = []
    for _ in range(kills):
        with told.open("w") as stderr:
            command = [sys.executable, "-c", _SWEEP, str(space), str(folder), str(workers)]
            process = subprocess.Popen(command, stderr=stderr, start_new_session=True)
        _wait(_more_lines(journal, _lines(journal) + moments.randrange(3), process))
        time.sleep(moments.uniform(0, 0.05))
        assert process.poll() is None, "nothing is left to be killed: the space is too small"
        children = _children(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        content = journal.read_bytes()
        lines = content.splitlines(keepends=True)
        assert lines[: len(finished)] == finished, "a finished point is lost, or was written again"
        finished = [line for line in lines if line.endswith(b"\n")]
        assert len(list(read(journal))) == len(finished) - 1
        _wait(_all_gone(children))
        said = told.read_text()
        half_begun = len(finished) <= 1 and said.endswith("EOFError: Ran out of input\n")  # Python's, of a worker
        assert said == "" or half_begun, "what outlives the sweep has nothing to say"
    resumed = sweep(table, folder, workers=1)
    assert journal.read_bytes().startswith(b"".join(finished))
    digests = [row["digest"] for row in read(journal)]
    assert len(digests) == len(set(digests)) == whole.height
    assert resumed.equals(whole) and load_results(folder).equals(whole)


def test_the_space_of_these_tests_is_large_enough() -> None:
    assert (checked_space(tiny()).size or 0) >= 80


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _more_lines(path: Path, than: int, process: subprocess.Popen[bytes]) -> Callable[[], bool]:
    return lambda: _lines(path) > than or process.poll() is not None


def _wait(condition: Callable[[], bool], seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _all_gone(pids: list[int]) -> Callable[[], bool]:
    return lambda: not any(_alive(pid) for pid in pids)


def _alive(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
