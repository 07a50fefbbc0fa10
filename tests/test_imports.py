"""What importing deltatrain needs, and what it takes from the folder that it is imported in: nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("accel", "rtl", "sim", "workloads", "reports")

EVERY_MODULE = """
import importlib, pkgutil, sys
import deltatrain
for module in pkgutil.walk_packages(deltatrain.__path__, "deltatrain."):
    if not module.name.endswith("__main__") and "workloads.torch." not in module.name:  # an extra, and POSIX's
        importlib.import_module(module.name)
"""

# What CPython has on Linux and not on Windows, as far as a library could be tempted by it.
WITHOUT_POSIX = """
import os, signal, sys
for name in ("fcntl", "resource", "pwd", "grp", "termios", "pty", "syslog"):
    sys.modules[name] = None
for name in ("fork", "forkpty", "sched_getaffinity", "killpg", "setsid", "mkfifo"):
    delattr(os, name)
for name in ("pthread_sigmask", "SIGKILL", "SIGHUP", "SIGALRM", "setitimer"):
    delattr(signal, name)
"""


def python(*words: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=cwd, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Somebody's own hardware project, whose packages are called as the rooms are."""
    for name in (*ROOMS, "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise RuntimeError('{name} of somebody else')\n")
    return tmp_path


def test_it_works_beside_folders_of_the_same_names(project: Path) -> None:
    python("-c", EVERY_MODULE, cwd=project)
    assert "deltatrain run" in python("-m", "deltatrain", "--help", cwd=project)
    words = ["simulate", "--workload", "tiny", "--on", "tiny", "--fidelity", "analytic", "--json"]
    found = json.loads(python("-m", "deltatrain", *words, cwd=project))
    assert found["counters"]["cycles"] > 0


def test_in_the_clone_no_room_is_imported_by_its_bare_name() -> None:
    found = python("-c", EVERY_MODULE + f"print([room for room in {ROOMS} if room in sys.modules])", cwd=ROOT)
    assert found == "[]\n"


def test_simulation_and_sweep_run_without_what_only_posix_has(tmp_path: Path) -> None:
    work = """
from deltatrain.accel.architecture import Architecture
from deltatrain.sim.run import simulate
from deltatrain.sim.sweep import sweep
from deltatrain.workloads.workload import Workload
assert simulate(Architecture.named("tiny"), Workload.named("tiny")).counters.cycles > 0
space = {"name": "two", "machine": "tiny", "workload": "tiny", "vary": {"machine.engine.clock_hz": [10**8, 2 * 10**8]},
         "objectives": {"seconds": "minimise"}}
print(sweep(space, sys.argv[1], workers=1).height)
"""
    assert python("-c", WITHOUT_POSIX + EVERY_MODULE + work, str(tmp_path / "sweep"), cwd=tmp_path) == "2\n"
