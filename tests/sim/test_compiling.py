"""Numba is there for those who need it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
from deltatrain.workloads.compiling import compiled

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
