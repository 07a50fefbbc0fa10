"""The commands by which peers are asked, with programs in their place that write down what they were given."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import speed_peers

from deltatrain.sim.dram.requests import Requests

WRITES_ARGUMENTS = "import sys; open('given', 'w').write('\\n'.join(sys.argv[1:]))"


def program(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!{sys.executable}\n{text}")
    file.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a clone, whose `build` is all there is on PATH."""
    (tmp_path / "clone/build").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path / "clone/build"))
    return tmp_path / "clone"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def requests() -> list[Requests]:
    return [Requests(np.zeros(2, np.int64), np.array([64, 4096]), np.array([False, True]))]


def test_dramsim3_is_given_its_configuration_cycles_and_trace(path: Path, out: Path) -> None:
    with pytest.raises(speed_peers.NotHereError, match="no dramsim3main on PATH"):
        speed_peers.dramsim3_seconds(requests(), 1000, out)
    program(path / "build/dramsim3main", WRITES_ARGUMENTS)
    with pytest.raises(speed_peers.NotHereError, match="is not in a clone of DRAMsim3"):
        speed_peers.dramsim3_seconds(requests(), 1000, out)
    (path / "configs").mkdir()
    (path / speed_peers.DRAMSIM3_CONFIG).write_text("")
    assert speed_peers.dramsim3_seconds(requests(), 1000, out) > 0
    config, *rest = (out / "given").read_text().splitlines()
    assert config == str(path / "configs" / "DDR4_8Gb_x8_2400.ini")
    assert rest == ["-c", "1000", "-t", str(out / "requests.trace"), "-o", str(out)]
    assert (out / "requests.trace").read_text() == "0x40 READ 0\n0x1000 WRITE 0\n"


def test_scalesim_is_given_its_configuration_and_the_products(path: Path, out: Path) -> None:
    products = [(1, 8, 4), (2, 3, 5)]
    with pytest.raises(speed_peers.NotHereError, match="no python3 on PATH"):
        speed_peers.scalesim_seconds(products, out)
    (path / "build/python3").symlink_to(sys.executable)
    with pytest.raises(speed_peers.NotHereError, match="has no module scalesim"):
        speed_peers.scalesim_seconds(products, out)


def test_scalesim_runs_in_its_clone(path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path / "build/python3").symlink_to(sys.executable)
    monkeypatch.setenv("PYTHONPATH", str(path))
    program(path / "scalesim/__init__.py", "")
    program(path / "scalesim/scale.py", WRITES_ARGUMENTS)
    with pytest.raises(speed_peers.NotHereError, match="not installed from its clone"):
        speed_peers.scalesim_seconds([(1, 8, 4)], out)
    (path / "configs").mkdir()
    (path / speed_peers.SCALESIM_CONFIG).write_text("")
    assert speed_peers.scalesim_seconds([(1, 8, 4), (2, 3, 5)], out) > 0
    given = (path / "given").read_text().splitlines()
    expected = ["-c", "configs/scale.cfg", "-t", str(out / "products.csv"), "-p", str(out), "-i", "gemm"]
    assert given == expected
    assert (out / "products.csv").read_text() == "Layer, M, N, K,\nproduct0, 1, 8, 4,\nproduct1, 2, 3, 5,\n"
