"""Numba is there for those who need it."""

from __future__ import annotations

import subprocess
import sys

import pytest

_LOADED = """
import sys
from deltatrain.sim.cli import main
assert main(sys.argv[1:]) == 0
print(*sys.modules, sep="\\n", file=sys.stderr)
"""


@pytest.mark.parametrize("words", ["simulate -w tiny --on tiny -f analytic", "describe edge", "data"])
def test_what_needs_no_dram_kernel_loads_neither_it_nor_numba(words: str) -> None:
    ran = subprocess.run([sys.executable, "-c", _LOADED, *words.split()], capture_output=True, text=True)
    loaded = set(ran.stderr.splitlines())
    assert ran.returncode == 0 and "deltatrain.sim.cli" in loaded
    assert not loaded & {"numba", "deltatrain.sim.dram.kernel"}
