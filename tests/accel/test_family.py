"""Families: a member is a file, and an unknown name is answered with the nearest known one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.devices import DEVICES
from deltatrain.accel.energy import ENERGY_TABLES
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.family import ModuleFamily, TableFamily
from deltatrain.accel.memory import load_device
from deltatrain.accel.modes import MODES
from deltatrain.accel.presets import MACHINES
from deltatrain.accel.program import UNITS
from deltatrain.accel.tiles import Tiles
from deltatrain.accel.work import Work

FOLDER = Path(__file__).parents[2] / "accel"


@pytest.mark.parametrize(
    ("family", "folder", "suffix"),
    [
        (MODES, "modes", "py"),
        (CELL_ARITHMETIC, "cells", "py"),
        (DEVICES, "devices", "toml"),
        (ENERGY_TABLES, "energy", "toml"),
        (MACHINES, "presets", "toml"),
    ],
)
def test_the_members_are_the_files(family: ModuleFamily[Any] | TableFamily, folder: str, suffix: str) -> None:
    files = sorted(p.stem for p in (FOLDER / folder).glob(f"*.{suffix}") if not p.stem.startswith("_"))
    assert family.names() == tuple(files)
    for name in files:
        assert family.load(name)


@pytest.mark.parametrize(
    ("family", "wrong", "meant"),
    [(MODES, "matvek", "matvec"), (DEVICES, "zero_latenzy", "zero_latency"), (MACHINES, "edgy", "edge")],
)
def test_an_unknown_name_is_answered_with_the_nearest(
    family: ModuleFamily[Any] | TableFamily, wrong: str, meant: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        family.load(wrong)
    message = str(caught.value)
    assert f"{wrong!r} is not known, did you mean {meant!r}?" in message
    assert all(name in message for name in family.names())
    assert "\n" not in message


@pytest.mark.parametrize("name", ["", "..", "../errors", "__init__", "matvec.result", "MATVEC"])
def test_names_that_are_no_members_are_never_imported(name: str) -> None:
    before = set(sys.modules)
    with pytest.raises(ConfigError):
        MODES.load(name)
    with pytest.raises(ConfigError):
        DEVICES.load(name)
    assert set(sys.modules) == before


def test_a_new_file_is_a_new_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "carts"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "wain.py").write_text("WHEELS = 4\n")
    (package / "_part.py").write_text("")
    (package / "barrow.toml").write_text("wheels = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    modules, tables = ModuleFamily[Any]("carts", "cart", object), TableFamily("carts", "cart")
    assert modules.names() == ("wain",)
    assert modules.load("wain").WHEELS == 4
    assert tables.names() == ("barrow",)
    assert tables.load("barrow") == {"wheels": 1}
    assert tables.text("barrow") == "wheels = 1\n"


@pytest.mark.parametrize("name", MODES.names())
def test_what_a_mode_counts_is_not_negative(name: str) -> None:
    mode, engine = MODES.load(name), Architecture.named("tiny").engine
    counts, words, rows = np.array([0, 1, 7]), np.array([3, 1, 4]), np.array([9, 2, 13])
    assert (mode.issue_cycles(counts, words) >= 0).all()
    assert mode.drain_cycles(engine) >= 0
    assert all(np.min(actions) >= 0 for actions in mode.work(counts, words, rows, engine))
    assert isinstance(mode.work(counts, words, rows, engine), Work)


def test_a_unit_is_done_with_its_ops_in_their_order() -> None:
    """Of two ops that follow each other the later one is done later, whatever their modes: all drain alike.

    Nothing follows `norm` and `moments` before the last of them is done (`workloads.lowering.ops.updates`).
    """

    engine = Architecture.named("edge").engine
    tiles = Tiles(count=4, exchange_bytes_per_cycle=4, exchange_latency_cycles=7)
    drains: dict[str, set[int]] = {}
    for mode in (MODES.load(name) for name in MODES.names() if name not in ("norm", "moments")):
        of_exchange = [tiles] * (mode.UNIT == "exchange")
        drains.setdefault(mode.UNIT, set()).add(mode.drain_cycles(engine, *of_exchange))
    assert set(drains) == set(UNITS)
    assert all(len(cycles) == 1 for cycles in drains.values()), drains


@pytest.mark.parametrize("name", DEVICES.names())
def test_every_device_loads_and_says_where_its_numbers_are_from(name: str) -> None:
    assert load_device(name).source
