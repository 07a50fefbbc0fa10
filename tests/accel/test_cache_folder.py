"""A cache folder that may not be written costs time only, and code is loaded from nobody else's folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deltatrain.accel.cache_folder import cache_folder, own_folder
from deltatrain.accel.errors import ConfigError, HostError

_OTHER_USER = 12345

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owners here")
as_root = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can be another user"
)


def _as_other_user(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in `folder` as a user who has no name and no home, may read everything, and write to `folder` only."""
    folder.mkdir(exist_ok=True)
    os.chown(folder, _OTHER_USER, _OTHER_USER)
    reading = "-all,+dac_read_search"
    user = ["setpriv", f"--reuid={_OTHER_USER}", f"--regid={_OTHER_USER}", "--clear-groups", f"--inh-caps={reading}"]
    command = [*user, f"--ambient-caps={reading}", f"--bounding-set={reading}", sys.executable, *words]
    kept = {"PATH": os.environ["PATH"], "TMPDIR": str(folder)}
    return subprocess.run(command, cwd=folder, env=kept | environment, capture_output=True, text=True)


_COMPILED = """
from deltatrain.sim.memory.passing import pass_on
from deltatrain.accel.cache_folder import cache_folder
assert cache_folder() == cache_folder()
print(cache_folder(), pass_on._cache.cache_path, sep="\\n")
"""


@as_root
@pytest.mark.parametrize("environment", [{}, {"HOME": "/nonexistent"}, {"DELTATRAIN_CACHE": "/proc/none"}])
def test_without_a_home_it_keeps_things_for_this_run_and_says_so_once(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    folder = tmp_path / "of another"
    tmp_path.chmod(0o755)
    ran = _as_other_user(folder, "-c", _COMPILED, **environment)
    assert ran.returncode == 0, ran.stderr
    kept, compiled = ran.stdout.splitlines()
    assert Path(kept).parent == folder and Path(compiled).is_relative_to(Path(kept) / "numba")
    (line,) = ran.stderr.splitlines()
    assert line.startswith("deltatrain: the cache folder ") and line.endswith("DELTATRAIN_CACHE names another folder")
    assert "is slower" in line and list(folder.iterdir()) == [], "the temporary folder is gone"


@as_root
def test_what_a_folder_that_may_only_be_read_holds_is_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "kept").mkdir(mode=0o755)
    (tmp_path / "kept" / "parcel.whl").write_text("fetched before")
    program = "from deltatrain.accel.cache_folder import cache_folder as f; print((f() / 'parcel.whl').read_text())"
    ran = _as_other_user(tmp_path / "own", "-c", program, DELTATRAIN_CACHE=str(tmp_path / "kept"))
    assert ran.stdout == "fetched before\n", ran.stderr


@as_root
@pytest.mark.long
@pytest.mark.parametrize(
    "words",
    [
        "simulate -w tiny --on edge",
        "train -w vowels --set workload.training.epochs=2 --set workload.training.dense_epochs=1",
        "data vowels",
        "sweep edge_memory --workers 2 --set search.kind=random --set search.points=4",
    ],
)
def test_commands_work_without_a_cache(tmp_path: Path, words: str) -> None:
    tmp_path.chmod(0o755)
    read_only = str(cache_folder())
    ran = _as_other_user(tmp_path / "own", "-m", "deltatrain", *words.split(), DELTATRAIN_CACHE=read_only)
    assert "Traceback" not in ran.stderr and (ran.returncode == 0 or "cannot be fetched" in ran.stderr), ran.stderr
    assert ran.stderr.count("is slower") == 1


def test_a_home_that_is_not_known_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELTATRAIN_CACHE", "~nobody-of-that-name/x")
    with pytest.raises(ConfigError, match=r"^DELTATRAIN_CACHE=~nobody-of-that-name/x: this user has no home"):
        cache_folder()


def test_code_is_loaded_from_an_own_folder_only(tmp_path: Path) -> None:
    folder = own_folder(tmp_path / "one" / "two")
    assert folder.stat().st_mode & 0o777 == 0o700 and own_folder(folder) == folder
    for mode in (0o770, 0o702):
        folder.chmod(mode)
        with pytest.raises(HostError, match="can be written by others: code is not loaded from there; chmod go-w"):
            own_folder(folder)


@as_root
def test_code_is_not_loaded_from_another_users_folder(tmp_path: Path) -> None:
    folder = own_folder(tmp_path / "one")
    os.chown(folder, _OTHER_USER, _OTHER_USER)
    with pytest.raises(HostError, match="belongs to another user"):
        own_folder(folder)
