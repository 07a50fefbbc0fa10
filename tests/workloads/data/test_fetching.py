from __future__ import annotations

import hashlib
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deltatrain.accel.cache_folder import cache_folder
from deltatrain.accel.errors import ConfigError, NetworkError
from deltatrain.workloads.data import fetching
from deltatrain.workloads.data.fetching import Wheel, fetched, member_of


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("DELTATRAIN_CACHE", str(folder))
    return folder


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes wheels from, and from nowhere else: the real command, without a network."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def parcel(folder: Path, content: bytes = b"sound") -> Wheel:
    """Put a wheel into `folder`, which asks for a Python that does not exist and a package that cannot be had."""
    path = folder / "tiny_voices-1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_voices/sound.bin", content)
        archive.writestr("tiny_voices-1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(
            "tiny_voices-1.2.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: tiny-voices\nVersion: 1.2\nRequires-Python: >=9\nRequires-Dist: nowhere\n",
        )
        archive.writestr("tiny_voices-1.2.dist-info/RECORD", "")
    return Wheel("tiny-voices", "1.2", hashlib.sha256(path.read_bytes()).hexdigest())


def one_line(error: pytest.ExceptionInfo[ConfigError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_a_wheel_is_fetched_once_and_kept(cache: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = parcel(shelf)
    told: list[float] = []
    assert member_of(wheel, "tiny_voices/sound.bin", lambda _what, share: told.append(share)).read() == b"sound"
    assert told == [0.0, 1.0]
    assert [file.name for file in cache.iterdir()] == ["tiny_voices-1.2-py3-none-any.whl"]
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert member_of(wheel, "tiny_voices/sound.bin").read() == b"sound"


def test_a_wheel_put_there_by_hand_is_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.mkdir()
    wheel = parcel(cache)
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert fetched(wheel) == cache / "tiny_voices-1.2-py3-none-any.whl"


def test_a_wheel_with_another_hash_is_refused_and_not_kept(cache: Path, shelf: Path) -> None:
    found = parcel(shelf).sha256
    with pytest.raises(ConfigError) as error:
        fetched(Wheel("tiny-voices", "1.2", "0" * 64))
    assert not isinstance(error.value, NetworkError)
    assert found in one_line(error) and "0" * 64 in str(error.value)
    assert list(cache.iterdir()) == []


def test_a_damaged_wheel_is_fetched_anew(cache: Path, shelf: Path) -> None:
    wheel = parcel(shelf)
    kept = fetched(wheel)
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-1])
    assert fetched(wheel).read_bytes() == whole


def test_a_damaged_wheel_is_not_used_without_a_network(cache: Path, shelf: Path) -> None:
    cache.mkdir()
    wheel = parcel(cache)
    (cache / "tiny_voices-1.2-py3-none-any.whl").write_bytes(b"cut")
    with pytest.raises(NetworkError):
        fetched(wheel)


def test_without_a_network_the_message_says_how_to_go_on(cache: Path, shelf: Path) -> None:
    with pytest.raises(NetworkError) as error:
        fetched(Wheel("tiny-voices", "1.2", "0" * 64))
    message = one_line(error)
    assert message.startswith("tiny-voices==1.2 cannot be fetched (")
    assert "python -m pip download --no-deps" in message
    assert f"tiny-voices==1.2 -d {cache}`" in message
    assert f"put the wheel into {cache}" in message
    assert "--workload synthetic" in message
    assert list(cache.iterdir()) == []


def test_the_command_in_the_message_does_fetch_the_file(cache: Path, shelf: Path) -> None:
    with pytest.raises(NetworkError) as error:
        fetched(Wheel("tiny-voices", "1.2", "0" * 64))
    command = shlex.split(str(error.value).split("`")[1])
    assert command[0] == "python"
    wheel = parcel(shelf)
    subprocess.run([sys.executable, *command[1:]], check=True, capture_output=True)
    assert fetched(wheel).parent == cache


def test_a_python_without_pip_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(NetworkError, match="pip cannot be run: No such file"):
        fetched(Wheel("tiny-voices", "1.2", "0" * 64))


def test_waiting_has_an_end(cache: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_PATIENCE_S", 0.01)
    with pytest.raises(NetworkError, match=r"pip took longer than 0\.01 s"):
        fetched(parcel(shelf))


def test_a_cache_folder_that_cannot_be_written_is_told(cache: Path, shelf: Path) -> None:
    wheel = parcel(shelf)
    cache.write_text("a file, not a folder")
    with pytest.raises(ConfigError) as error:
        fetched(wheel)
    assert one_line(error) == f"cache folder {cache} cannot be written: File exists"


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("DELTATRAIN_CACHE", raising=False)
    assert cache_folder() == tmp_path / "home/.cache/deltatrain"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg/deltatrain"
    monkeypatch.setenv("DELTATRAIN_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "home/mine"
