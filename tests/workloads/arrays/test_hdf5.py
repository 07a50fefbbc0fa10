"""HDF5 files that the library would never return from, whichever reader they are for, are one line within a time."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("h5py", reason="it writes the files: pip install '.[hdf5]'")

import h5py
from recording_files import write_heidelberg

import deltatrain as dt
from deltatrain.accel.errors import HostError
from deltatrain.workloads.arrays import hdf5
from deltatrain.workloads.arrays.hdf5 import check_hdf5
from deltatrain.workloads.own_data import OwnData


def endless(content: bytes) -> bytes:
    """The file with a free object of no bytes in its heap of strings: HDF5's library walks the heap for ever."""
    heap = content.index(b"GCOL")
    end = heap + int.from_bytes(content[heap + 8 : heap + 16], "little")
    at = heap + 16
    while int.from_bytes(content[at : at + 2], "little"):  # the free object has the number 0
        at += 16 + -(-int.from_bytes(content[at + 8 : at + 16], "little") // 8) * 8
        assert at < end
    return content[: at + 8] + bytes(8) + content[at + 16 :]


def with_strings(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["a/text"] = "abc"
        file["a/numbers"] = np.arange(12.0)
    return path


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "_PATIENCE_S", 4)


def test_a_whole_file_passes_and_its_bytes_too(tmp_path: Path) -> None:
    path = with_strings(tmp_path / "a.h5")
    check_hdf5(path, "a")
    check_hdf5(path.read_bytes(), "a")


def test_whatever_else_is_in_the_list_of_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["", tmp_path, None, *sys.path])
    check_hdf5(with_strings(tmp_path / "a.h5"), "a")


@pytest.mark.parametrize("python", ["", None, "/nowhere/python"])
def test_a_program_that_embeds_python_is_told_what_is_missing(
    python: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    with pytest.raises(HostError, match=r"^a\.h5 cannot be read: Python cannot be started for it \("):
        check_hdf5(with_strings(tmp_path / "a.h5"), "a.h5")


def test_other_files_and_cut_ones_are_one_line(tmp_path: Path) -> None:
    content = with_strings(tmp_path / "a.h5").read_bytes()
    for wrong in (b"", b"hello", content[: len(content) // 2], content[:-1]):
        with pytest.raises(dt.ConfigError, match=r"^a\.h5 is no HDF5 file, or it is damaged") as caught:
            check_hdf5(wrong, "a.h5")
        assert "\n" not in str(caught.value)


def test_a_group_within_itself_ends(tmp_path: Path) -> None:
    path = with_strings(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        file["a/again"] = file["a"]
    with pytest.raises(dt.ConfigError, match="or it is damaged"):
        check_hdf5(path, "a.h5")


def test_more_than_there_is_room_for_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("large", (2**50,), "f8", chunks=(1024,))
    with pytest.raises(MemoryError, match=r"a.h5: it takes 9.01 PB"):
        check_hdf5(path, "a.h5")


def _nir(folder: Path) -> Callable[[], object]:
    nir = pytest.importorskip("nir", reason="it writes the file: pip install '.[exchange]'")
    path = folder / "net.nir"
    nodes = {"in": nir.Input(np.array([2])), "up": nir.Linear(np.ones((2, 2))), "out": nir.Output(np.array([2]))}
    nir.write(path, nir.NIRGraph(nodes, [("in", "up"), ("up", "out")]))
    path.write_bytes(endless(path.read_bytes()))
    return lambda: dt.import_network(path)


def _keras(folder: Path) -> Callable[[], object]:
    path, numbers = folder / "net.keras", with_strings(folder / "a.h5").read_bytes()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("config.json", '{"class_name": "Sequential", "config": {"layers": []}}')
        file.writestr("model.weights.h5", endless(numbers))
    path.write_bytes(archive.getvalue())
    return lambda: dt.import_network(path)


def _spikes(folder: Path) -> Callable[[], object]:
    path = folder / "shd_train.h5"
    write_heidelberg(path, 4, 0)
    path.write_bytes(endless(path.read_bytes()))
    return lambda: OwnData(path=str(path), format="heidelberg_spikes").contents()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", [_nir, _keras, _spikes])
def test_no_reader_waits_for_ever(kind: Callable[[Path], Callable[[], object]], tmp_path: Path) -> None:
    read = kind(tmp_path)
    with pytest.raises(dt.ConfigError, match="is damaged: the HDF5 library has not read it in 4 s") as caught:
        read()
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)
