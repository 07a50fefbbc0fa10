"""Host speed of the command line's help, which is what a user waits for first."""

from __future__ import annotations

import resource
import subprocess
import sys

from host_speed import Figures


def _seconds(code: str) -> float:
    """Return the CPU seconds of a Python process of its own, the least of three."""
    found = []
    for _ in range(3):
        start = _spent_by_children()
        subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
        found.append(_spent_by_children() - start)
    return min(found)


def _spent_by_children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def test_help_beside_an_import_of_numpy(figures: Figures) -> None:
    def ratio() -> float:
        own = _seconds("from deltatrain.sim.cli import main; main(['--help'])")
        figures.tell("--help", own, "CPU s")
        return own / _seconds("import numpy")

    figures.at_most(4, "--help, beside an import of NumPy", ratio)
