"""Files are written whole or not at all, whatever goes wrong on the way."""

from __future__ import annotations

import errno
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


def test_a_missing_folder_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "none" / "file"
    with pytest.raises(ConfigError, match=r"cannot be written: No such file or directory$"):
        replace_file(path, b"")
    assert _names(tmp_path) == []
