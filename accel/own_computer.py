"""The user's own computer: what it is, and what a simulated step takes on it, measured."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from deltatrain.accel.description import Description, PositiveFloat, PositiveInt

_CPUINFO = Path("/proc/cpuinfo")


class OwnComputer(Description):
    """The same step of the ordinary network in another library on one device of this computer.

    Attributes
    ----------
    device
        What computed it.
    library
        With which library, and its version.
    threads
        Of the processor; 1 of another device.
    seconds
        Wall time of the fastest step.
    steps
        How many were measured.
    """

    device: str
    library: str
    threads: PositiveInt
    seconds: PositiveFloat
    steps: PositiveInt

    @property
    def words(self) -> str:
        """Device, library and threads, as one name."""
        return f"{self.device}, {self.library}, {self.threads} thread{'s' * (self.threads > 1)}"


def processor() -> str:
    """Return what the processor is called; its architecture where the system does not tell."""
    try:
        lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model")))
    return next(filter(None, names), "") or platform.processor() or platform.machine()


def cores() -> int:
    """Return the cores that this process may use; where the system does not tell, all there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def computer() -> str:
    """Return processor, cores, system and Python in one line."""
    python = f"Python {platform.python_version()}"
    return f"{processor()}, {cores()} cores, {platform.system()} {platform.machine()}, {python}"
