"""The memory model compiled in a second process beside a training, which does not need it yet.

numba compiles it once for a machine, in about as long as the main job trains. `python -m` this module is that process:
it simulates something small, and numba keeps on disk what that took.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.dram import DramPart
from deltatrain.accel.own_computer import cores
from deltatrain.sim.run import simulate
from deltatrain.workloads.workload import Workload

__all__ = ["compile_memory_model", "memory_model_compiled_beside"]

_COMMAND = (sys.executable, "-P", "-m", __name__)


def compile_memory_model() -> None:
    """Simulate a small workload on a machine with DRAM: all that any simulation compiles is kept then."""
    simulate(Architecture.named("edge"), Workload.named("tiny"))


@contextmanager
def memory_model_compiled_beside(architecture: Architecture, fidelity: str) -> Iterator[None]:
    """Compile the memory model beside the body if the machine needs it and it is not on disk; have it when both end.

    Where there is one core, or nowhere to keep it, nothing is done. Nor does it matter if the process fails: the
    simulation then compiles for itself. An exception of the body ends the process.
    """
    process = None
    if fidelity == "cycle" and isinstance(architecture.device, DramPart) and cores() > 1:
        process = _begun()
    if process is None:
        yield
        return
    with process:  # which waits for it
        try:
            yield
        except BaseException:
            process.kill()
            raise


def _begun() -> subprocess.Popen[bytes] | None:
    """Return the process that compiles, if one is needed and can be had."""
    from deltatrain.accel.compiling import announce, would_be_kept
    from deltatrain.sim.dram.kernel import control

    if not would_be_kept(control) or not sys.executable:
        return None
    silent = subprocess.DEVNULL
    with suppress(OSError):
        process = subprocess.Popen(_COMMAND, stdin=silent, stdout=silent, stderr=silent)
        announce(control)  # by this process, which then does not tell it again
        return process
    return None


if __name__ == "__main__":
    compile_memory_model()
