"""Files are written whole or not at all, whatever goes wrong on the way."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.files import replace_file


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


@pytest.mark.parametrize("step", ["os.fsync", "tempfile.NamedTemporaryFile", "Path.replace"])
@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_fault_at_any_step_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, fault: BaseException
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr({"Path.replace": "pathlib.Path.replace"}.get(step, f"deltatrain.accel.files.{step}"), fail)
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


def test_a_missing_folder_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "none" / "file"
    with pytest.raises(ConfigError, match=r"cannot be written: No such file or directory$"):
        replace_file(path, b"")
    assert _names(tmp_path) == []
