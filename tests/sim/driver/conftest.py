"""Both drivers, for tests that either must pass."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from c_driver import CDriver
from driven_steps import MEMORY

from deltatrain.sim.driver.driver import Driver


@pytest.fixture(params=["python", "c"])
def drives(request: pytest.FixtureRequest, tmp_path: Path):
    """Return what opens a driver, in either language, on a bus."""
    if request.param == "c" and shutil.which("cc") is None:
        pytest.skip("no C compiler")

    def opened(bus, image):
        if request.param == "python":
            return Driver(bus, image, memory=MEMORY, timeout_seconds=0.1)
        return CDriver(bus, image, tmp_path, memory=MEMORY, most_polls=10)

    return opened
