from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.errors import ConfigError
from deltatrain.sim.sweep.identity import Identity
from deltatrain.sim.sweep.journal import Journal, read

BASE = Identity("0.1", "prices", "analytic", "machine", "workload", "traces", "files")

# JSON has no infinities, and no text of a sweep has a NUL (`accel.documents`).
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
numbers = st.floats(allow_nan=False, allow_infinity=False)
rows_strategy = st.lists(st.fixed_dictionaries({"digest": texts, "seconds": numbers, "a": st.integers()}), max_size=6)


def write(folder: Path, rows: list[dict[str, object]]) -> Path:
    with Journal(folder, BASE) as journal:
        for row in rows:
            journal.append([row])
        return journal.path


def test_rows_come_back_in_their_order(tmp_path: Path) -> None:
    rows = [{"digest": str(i), "text": "ü\n" * i, "found": i / 3} for i in range(5)]
    path = write(tmp_path / "deep" / "sweep", rows[:3])
    with Journal(path.parent, BASE) as journal:
        assert list(journal.rows()) == rows[:3] and journal.count == 3
        journal.append(rows[3:])
    assert list(read(path)) == rows


@settings(max_examples=60)
@given(rows=rows_strategy, more=rows_strategy, cut=st.integers(0, 400))
def test_wherever_a_write_was_torn_the_rows_before_it_are_there(tmp_path_factory, rows, more, cut) -> None:
    folder = tmp_path_factory.mktemp("torn")
    path = write(folder, rows)
    content = path.read_bytes()[: max(0, path.stat().st_size - cut)]
    path.write_bytes(content)
    whole = rows[: max(0, content.count(b"\n") - 1)]
    if b"\n" in content:
        assert list(read(path)) == whole
    with Journal(folder, BASE) as journal:
        assert list(journal.rows()) == whole
        journal.append(more)
    assert list(read(path)) == whole + more
    assert all(json.loads(line) is not None for line in path.read_bytes().splitlines())


def test_a_tail_of_zeros_left_by_a_power_failure_is_dropped(tmp_path: Path) -> None:
    path = write(tmp_path, [{"digest": "a"}])
    with path.open("ab") as file:
        file.write(b"\0" * 64 + b"\n")
    write(tmp_path, [{"digest": "b"}])
    assert [row["digest"] for row in read(path)] == ["a", "b"]


def test_damage_in_the_middle_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    path = write(tmp_path, [{"digest": "a"}, {"digest": "b"}, {"digest": "c"}])
    content = path.read_bytes().replace(b'{"digest":"b"}', b'{"digest"!"b"}')
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="damaged in line 3"):
        Journal(tmp_path, BASE)
    assert path.read_bytes() == content


def test_damage_of_the_first_line_is_not_a_points(tmp_path: Path) -> None:
    path = write(tmp_path, [{"digest": "a"}])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    with pytest.raises(ConfigError, match="damaged in line 1, which says whose points follow: name another folder"):
        Journal(tmp_path, BASE)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"prices": "new"},
            "of other prices (the energy tables, the memories' currents, or how they",
        ),
        ({"version": "9.0"}, "of version 0.1 of deltatrain, not 9.0: to start anew"),
        ({"fidelity": "cycle"}, "of fidelity analytic, not cycle: to start anew"),
        ({"machine": "new"}, "of another machine: to start anew"),
        ({"workload": "new", "traces": "new"}, "of another workload and of other traces: to start anew"),
        ({"files": "new"}, "of other files: to start anew"),
    ],
)
def test_another_base_is_refused_in_one_line_that_says_what_changed(
    tmp_path: Path, changed: dict[str, str], told: str
) -> None:
    path = write(tmp_path, [{"digest": "a"}])
    before = path.read_bytes()
    with pytest.raises(ConfigError) as refused:
        Journal(tmp_path, BASE._replace(**changed))
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{tmp_path} holds points {told}")
    assert line.endswith(": to start anew, name another folder with --out, or remove it")
    assert path.read_bytes() == before


def test_a_journal_of_a_version_that_did_not_tell_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, [])
    header = json.loads(path.read_text())
    path.write_text(json.dumps(header | {"base": "0955a5067e19337b"}) + "\n")
    with pytest.raises(ConfigError, match="points of another machine, workload, fidelity or version of deltatrain: to"):
        Journal(tmp_path, BASE)


@pytest.mark.parametrize("content", ["[]\n{}\n", '{"journal": "mine"}\n'])
def test_what_is_no_journal_is_refused_and_stays(tmp_path: Path, content: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(content)
    with pytest.raises(ConfigError) as refused:
        Journal(tmp_path, BASE)
    assert len(str(refused.value).splitlines()) == 1 and path.read_text() == content


def test_two_writers_are_refused_in_one_line_that_names_the_first(tmp_path: Path) -> None:
    with Journal(tmp_path, BASE) as first:
        with pytest.raises(ConfigError) as refused:
            Journal(tmp_path, BASE)
        assert f"process {os.getpid()}" in str(refused.value) and "\n" not in str(refused.value)
        code = "import sys; from pathlib import Path; from deltatrain.sim.sweep.journal import Journal; "
        ran = _python(code + "Journal(Path(sys.argv[1]), None)", str(tmp_path))
        assert ran.returncode == 1 and f"another sweep writes to {tmp_path} (process {os.getpid()}" in ran.stderr
        first.append([{"digest": "a"}])
    with Journal(tmp_path, BASE) as second:
        assert [row["digest"] for row in second.rows()] == ["a"]


_KILLED = """
import os, signal, sys
from pathlib import Path
from deltatrain.sim.sweep.identity import Identity
from deltatrain.sim.sweep.journal import Journal

journal = Journal(Path(sys.argv[1]), Identity(*sys.argv[2:]))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_lock_of_a_killed_process_is_nobodys(tmp_path: Path) -> None:
    ran = _python(_KILLED, str(tmp_path), *BASE)
    assert ran.returncode == -9 and (tmp_path / "sweep.lock").read_text().startswith("process ")
    write(tmp_path, [])


def test_a_full_disk_is_one_error_and_leaves_whole_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullDisk:
        """The journal's file on a disk on which five more bytes fit."""

        def __init__(self, file: FileIO) -> None:
            self._file = file

        def write(self, content: bytes) -> int:
            if len(content) > 5:
                return self._file.write(content[:5])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    with Journal(tmp_path, BASE) as journal:
        journal.append([{"digest": "a"}])
        before = journal.path.read_bytes()

        monkeypatch.setattr(journal, "_file", FullDisk(journal._file))
        with pytest.raises(ConfigError) as refused:
            journal.append([{"digest": "b"}, {"digest": "c" * 90}])
        monkeypatch.undo()
        assert journal.path.read_bytes() == before
        assert "No space left on device" in str(refused.value)
        assert f"the 1 finished points in {journal.path} are safe" in str(refused.value)
        journal.append([{"digest": "d"}])
    assert [row["digest"] for row in read(journal.path)] == ["a", "d"]


def test_a_file_that_may_not_grow_is_one_error_and_leaves_whole_rows(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(tmp_path, BASE) as journal:
        journal.append([{"digest": "a"}])
        before = journal.path.read_bytes()
        try:
            resource.setrlimit(
                resource.RLIMIT_FSIZE, (len(before) + 10, hard)
            )  # the kernel writes 10 bytes, then fails
            with pytest.raises(ConfigError, match="File too large"):
                journal.append([{"digest": "b" * 100}])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert journal.path.read_bytes() == before


def _python(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=600)
