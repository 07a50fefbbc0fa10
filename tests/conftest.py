"""What tests of several folders share lies in `tests/support`."""

from __future__ import annotations

import gc
import os
import sys
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.append(str(Path(__file__).parent / "support"))

# Products so small are not worth sharing: two threads of each of two workers wait for each other, busily. A test that
# trains beside PyTorch took 10.5 s of processor time, with one 2.6. It is read when NumPy or PyTorch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

os.environ.pop("COLUMNS", None)  # a test's worker has it: tables would be as narrow as its terminal

# A deadline, and the check for slow examples, would measure how fast the machine is and how busy.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


# Designs of gates are many objects in circles. To look for circles after every 700 new ones, as Python does unless told
# otherwise, took up to a quarter of the time of tests that elaborate a design for every example.
_NEW_OBJECTS_BEFORE_COLLECTION = 50_000


# Amaranth's simulator writes Python for every process of a design, and compiles it. Designs of one component are so
# alike that nine of ten texts came before in the same file of tests; to compile them again took a twelfth of the time.
_KEPT_PROCESSES = 2000


def pytest_collection_finish() -> None:
    """Let garbage be collected more rarely, and not be looked for among what the session keeps anyway."""
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS_BEFORE_COLLECTION)
    if "amaranth.sim" in sys.modules:  # there are tests that simulate gates
        from amaranth.sim import _pyrtl

        vars(_pyrtl)["compile"] = lru_cache(maxsize=_KEPT_PROCESSES)(compile)


def pytest_configure(config: pytest.Config) -> None:
    """Compile what simulations compile once for all worker processes, of which each would, before they start."""
    starts_workers = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if starts_workers and not config.getoption("collectonly"):
        from deltatrain.sim.compiled_beside import compile_memory_model

        compile_memory_model()
