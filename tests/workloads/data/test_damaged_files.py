"""Files of every format with bytes changed, cut or doubled: recordings, or an error that names what is wrong."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_files import write_all

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.formats import FORMATS
from deltatrain.workloads.own_data import OwnData


class Whole(dict[str, list[tuple[str, bytes]]]):
    """The files of each format, by their place below the path; Hypothesis would print megabytes of them."""

    def __repr__(self) -> str:
        return "the files"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    found = Whole()
    for name, path in write_all(tmp_path_factory.mktemp("whole") / "all").items():
        files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
        found[name] = [(str(file.relative_to(path.parent)), file.read_bytes()) for file in files]
    return found


def damaged(content: bytes, kind: str, at: float, byte: int) -> bytes:
    place = int(at * len(content))
    if kind == "changed":
        return content[:place] + bytes([byte]) + content[place + 1 :]
    return content[:place] if kind == "cut" else content[:place] + content[place // 2 :]


CUT_ALONE = ("heidelberg_spikes", "parquet")
"""One byte changed, and HDF5's library may never return, and that of Parquet prints what it thinks of it."""


@pytest.mark.parametrize("name", FORMATS.names())
@settings(max_examples=25)
@given(
    which=st.floats(0, 1, exclude_max=True),
    kind=st.sampled_from(["changed", "cut", "doubled"]),
    at=st.floats(0, 1, exclude_max=True),
    byte=st.integers(0, 255),
)
def test_damage_is_told_or_harmless(whole: Whole, name: str, which: float, kind: str, at: float, byte: int) -> None:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that overflow
        files, kind = whole[name], "cut" if name in CUT_ALONE else kind
        for number, (place, content) in enumerate(files):
            file = Path(folder) / place
            file.parent.mkdir(parents=True, exist_ok=True)
            bad = number == int(which * len(files))
            file.write_bytes(damaged(content, kind, at, byte) if bad else content)
        path = Path(folder) / Path(files[0][0]).parts[0]
        try:
            OwnData(path=str(path), format=name).contents()
        except ConfigError as error:
            assert str(error) and "\n" not in str(error) and str(path) in str(error)
