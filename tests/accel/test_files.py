"""Files are written whole or not at all, whatever goes wrong on the way."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import replace_file, scratch_folder


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.binary(max_size=5000), st.binary(max_size=5000))
def test_the_new_content_replaces_the_old(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(old)
    replace_file(path, new)
    assert path.read_bytes() == new
    assert _names(tmp_path) == ["file"]


@pytest.mark.parametrize("step", ["os.fsync", "Path.open", "Path.replace"])
@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_fault_at_any_step_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, fault: BaseException
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(f"pathlib.{step}" if step.startswith("Path") else step, fail)
    wanted = ConfigError if isinstance(fault, OSError) else KeyboardInterrupt
    with pytest.raises(wanted) as caught:
        replace_file(path, b"new")
    if wanted is ConfigError:
        assert str(caught.value) == f"{path} cannot be written: No space left on device"
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == ["file"]


_KILLED = """
import os, signal, sys
from pathlib import Path
from deltatrain.accel.files import replacing

with replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.name != "posix", reason="another system kills differently")
def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    path = tmp_path / "state [1].npz"
    other = tmp_path / f".{path.name}.mine"
    other.write_text("somebody's own")
    command = [sys.executable, "-c", _KILLED, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"writing\n"
        replace_file(path, b"first")
        assert len(_names(tmp_path)) == 3, "the other process is still writing"
        process.kill()
    assert len(_names(tmp_path)) == 3, "nothing was left behind: the test shows nothing"
    replace_file(path, b"second")
    assert set(_names(tmp_path)) == {path.name, other.name} and path.read_bytes() == b"second"


_KILLED_IN_A_FOLDER = """
import sys
from pathlib import Path
from deltatrain.accel.files import scratch_folder

with scratch_folder(".building-", Path(sys.argv[1])) as folder:
    (folder / "half").write_text("built")
    print(folder.name, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be locked on other systems")
def test_a_killed_process_s_folder_is_removed_and_a_living_one_s_is_not(tmp_path: Path) -> None:
    mine, other = tmp_path / ".building-mine", tmp_path / ".fetching-abcdefgh"
    aim, link = tmp_path / "aim", tmp_path / ".building-linklink"
    for folder in (mine, other, aim):
        folder.mkdir()
        (folder / "content").touch()
    link.symlink_to(aim)
    before = set(_names(tmp_path))
    command = [sys.executable, "-c", _KILLED_IN_A_FOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        with scratch_folder(".building-", tmp_path) as folder:
            assert set(_names(tmp_path)) == before | {name, folder.name}, "the other process is still building"
        process.kill()
    assert set(_names(tmp_path)) == before | {name}, "nothing was left behind: the test shows nothing"
    with scratch_folder(".building-", tmp_path):
        assert name not in _names(tmp_path)
    assert set(_names(tmp_path)) == before and all((one / "content").exists() for one in (mine, other, aim))


def test_a_folder_that_another_process_took_for_left_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    make = Path.mkdir

    def taken_once(folder: Path, mode: int = 0o777) -> None:
        make(folder, mode)
        made.append(folder)
        if len(made) == 1:
            folder.rmdir()

    monkeypatch.setattr("pathlib.Path.mkdir", taken_once)
    with scratch_folder("x-", tmp_path) as folder:
        assert made[1:] == [folder] and _names(tmp_path) == [folder.name]
    assert _names(tmp_path) == []


@pytest.mark.parametrize("step", ["Path.open", "Path.mkdir"])
def test_ctrl_c_in_the_moment_of_making_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A signal is told as soon as the system call is done, before anybody has its result."""
    name = step.removeprefix("Path.")
    make = getattr(Path, name)

    def interrupted(*words: object, **named: object) -> None:
        if (made := make(*words, **named)) is not None:
            made.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        if name == "open":
            replace_file(tmp_path / "file", b"new")
        else:
            with scratch_folder("x-", tmp_path):
                pass
    monkeypatch.undo()
    assert _names(tmp_path) == []


def test_everything_temporary_is_made_where_what_was_left_is_removed() -> None:
    rooms = [Path(str(files(f"deltatrain.{room}"))) for room in ("accel", "rtl", "sim", "workloads", "reports")]
    made = re.compile("mkdtemp|mkstemp|TemporaryDirectory|NamedTemporaryFile")
    using = [path for room in rooms for path in room.rglob("*.py") if made.search(path.read_text())]
    assert using == [], "accel.files makes what is temporary"


def test_a_missing_folder_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "none" / "file"
    with pytest.raises(ConfigError, match=r"cannot be written: No such file or directory$"):
        replace_file(path, b"")
    assert _names(tmp_path) == []
