from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("accel", "rtl", "sim", "workloads", "reports")
FACE = Path("sim/face")
MANUAL = Path("reports/manual")  # beside the package: pages, and the hook that writes some of them
CARRIED = {".py", ".toml", ".json", ".html", ".css", ".js", ".c", ".h", ".hpp", ".typed"}
NOT_SOURCE = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "out", "*.egg-info")


def built(source: Path, kind: str, out: Path) -> Path:
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (archive,) = out.iterdir()
    return archive


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which an older version was built once."""
    copy = tmp_path_factory.mktemp("clone") / "deltatrain"
    shutil.copytree(ROOT, copy, ignore=NOT_SOURCE)
    stale = copy / "build/lib/deltatrain/accel/of_an_older_version.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    return copy


@pytest.fixture(scope="module")
def wheel(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(clone, "wheel", tmp_path_factory.mktemp("wheel"))


def expected_names() -> set[str]:
    """The files of the rooms, under the names that they are imported by."""
    files = [path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in CARRIED]
    files = [file for file in files if not file.is_relative_to(MANUAL)]
    moved = {file: file.relative_to(FACE) if file.is_relative_to(FACE) else file for file in files}
    return {f"deltatrain/{name.as_posix()}" for name in moved.values()}


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = set(contents(wheel))
    assert names == expected_names()
    assert {"deltatrain/__init__.py", "deltatrain/__main__.py", "deltatrain/py.typed"} <= names
    assert not any("face" in name for name in names)


def test_sdist_builds_the_same_wheel(clone: Path, wheel: Path, tmp_path: Path) -> None:
    sdist = built(clone, "sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = (path for path in tmp_path.iterdir() if path.name != "sdist")
    assert contents(built(source, "wheel", tmp_path / "wheel")) == contents(wheel)
    assert (source / "tests/test_packaging.py").is_file() and (source / "sim/sweep/README.md").is_file()


def test_wheel_carries_licence_version_and_command(wheel: Path) -> None:
    from deltatrain.accel.version import VERSION

    assert wheel.name == f"deltatrain-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert any(name.endswith("licenses/LICENSE") for name in names)
        commands = archive.read(f"deltatrain-{VERSION}.dist-info/entry_points.txt").decode()
    assert "deltatrain = deltatrain.sim.cli:main" in commands
