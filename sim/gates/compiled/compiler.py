"""The C++ compiler that all tools use."""

from __future__ import annotations

import subprocess
from functools import cache

__all__ = ["COMPILER", "compiler_version"]

COMPILER = "g++"


@cache
def compiler_version() -> str:
    """Return the version that this machine has."""
    done = subprocess.run([COMPILER, "-dumpfullversion", "-dumpversion"], capture_output=True, text=True, check=True)
    return f"{COMPILER} {done.stdout.strip()}"
