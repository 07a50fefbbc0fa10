"""Numba is there for those who need it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deltatrain.accel.compiling import would_be_kept

_LOADED = """
import sys
from deltatrain.sim.cli import main
assert main(sys.argv[1:]) == 0
print(*sys.modules, sep="\\n", file=sys.stderr)
"""


@pytest.mark.parametrize(
    "words",
    [
        "simulate -w tiny --on tiny -f analytic",
        "simulate -w tiny --on tiny --set machine.remote.device=streaming_memory",
        "describe edge",
        "data",
    ],
)
def test_what_needs_no_dram_kernel_loads_neither_it_nor_numba(words: str) -> None:
    ran = subprocess.run([sys.executable, "-c", _LOADED, *words.split()], capture_output=True, text=True)
    loaded = set(ran.stderr.splitlines())
    assert ran.returncode == 0 and "deltatrain.sim.cli" in loaded
    assert not loaded & {"numba", "deltatrain.sim.dram.kernel"}


_COMPILES = """
from deltatrain.accel.compiling import compiled

def twice(x):
    return 2 * x

def thrice(x):
    return 3 * x

for function in (compiled(twice, name="a model"), compiled(thrice, name="a model")):
    assert function(function(2)) in (8, 18)
"""


@pytest.mark.parametrize("keeps", [True, False])
def test_what_takes_long_is_told_before_it_is_compiled_and_not_when_it_was_kept(tmp_path: Path, keeps: bool) -> None:
    script = tmp_path / "script.py"
    script.write_text(_COMPILES)
    environment = os.environ | {"NUMBA_CACHE_DIR": "", "DELTATRAIN_CACHE": str(tmp_path / "cache")}
    if not keeps:
        (tmp_path / "cache").write_text("a file, where the folder should be")
        (tmp_path / "__pycache__").write_text("likewise")
    said = [
        subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment).stderr
        for _ in range(2)
    ]
    if keeps:
        assert said == ["compiling a model, once for this machine\n", ""]
    else:
        assert said == 2 * ["compiling a model, which this user may keep nowhere\n"]


_BESIDE = """
import os, subprocess, sys
from deltatrain.accel.compiling import announce, compiled, would_be_kept

def twice(x):
    return 2 * x

function = compiled(twice, name="a model")
before = would_be_kept(function)
announce(function)
announce(function)
assert function(4) == 8
print(before, would_be_kept(function))
"""


def test_what_is_not_on_disk_is_known_and_told_once(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_BESIDE)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    ran = [subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment) for _ in range(2)]
    assert [one.stdout for one in ran] == ["True False\n", "False False\n"]
    assert [one.stderr for one in ran] == 2 * ["compiling a model, once for this machine\n"]
    assert not would_be_kept(len)  # as all is where numba compiles nothing


def test_quiet_commands_do_not_tell(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    quiet = "from deltatrain.sim.cli.progress import Stages\nwith Stages(silent=True):\n    "
    script.write_text(
        _COMPILES.replace("for function in", f"{quiet}for function in").replace("\n    assert", "\n        assert")
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": "", "DELTATRAIN_CACHE": str(tmp_path / "cache")}
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_where_numba_compiles_nothing_the_memory_model_says_so_and_the_rest_runs() -> None:
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    words = [sys.executable, "-m", "deltatrain", "simulate", "-w", "tiny", "--no-dense", "--on"]
    refused = subprocess.run([*words, "tiny"], env=environment, capture_output=True, text=True)
    assert refused.returncode == 2
    assert refused.stderr.startswith("deltatrain: NUMBA_DISABLE_JIT is set, ") and refused.stderr.count("\n") == 1
    both = [subprocess.run([*words, "ipu_mk2", "--json"], env=env, capture_output=True) for env in (environment, None)]
    found = [json.loads(ran.stdout)["counters"] for ran in both]
    assert found[0] == found[1]
