"""Families of modules: every member keeps what its family's protocol promises, and another package may add one."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from deltatrain.accel import family as families
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.family import ModuleFamily, broken_promises
from deltatrain.accel.modes import MODES, EncoderMode
from deltatrain.accel.program import UNITS
from deltatrain.accel.surrogates import SURROGATES
from deltatrain.reports.figures import FIGURES
from deltatrain.rtl.elementwise.cells import TIMETABLES
from deltatrain.rtl.lanes.modes import LANE_MODES
from deltatrain.sim.fidelity import FIDELITIES
from deltatrain.sim.studies import STUDIES
from deltatrain.sim.sweep.searches import SEARCHES
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.data.formats import FORMATS
from deltatrain.workloads.data.front_ends import FRONT_ENDS
from deltatrain.workloads.datasets import DATASETS
from deltatrain.workloads.interchange.formats import FORMATS as NETWORK_FORMATS
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
from deltatrain.workloads.optimisers import OPTIMISERS
from deltatrain.workloads.rules import RULES
from deltatrain.workloads.schedules import SCHEDULES
from deltatrain.workloads.sparsity import SPARSITY
from deltatrain.workloads.tasks import TASKS

FAMILIES: dict[str, ModuleFamily[Any]] = {
    "accel.modes": MODES,
    "accel.cells": CELL_ARITHMETIC,
    "accel.surrogates": SURROGATES,
    "workloads.cells": CELLS,
    "workloads.datasets": DATASETS,
    "workloads.interchange.formats": NETWORK_FORMATS,
    "workloads.data.formats": FORMATS,
    "workloads.data.front_ends": FRONT_ENDS,
    "workloads.optimisers": OPTIMISERS,
    "workloads.schedules": SCHEDULES,
    "workloads.rules": RULES,
    "workloads.sparsity": SPARSITY,
    "workloads.tasks": TASKS,
    "workloads.lowering.checkpoint.policies": POLICIES,
    "sim.fidelity": FIDELITIES,
    "sim.studies": STUDIES,
    "sim.sweep.searches": SEARCHES,
    "rtl.lanes.modes": LANE_MODES,
    "rtl.elementwise.cells": TIMETABLES,
    "reports.figures": FIGURES,
}
MEMBERS = [(package, name) for package, family in FAMILIES.items() for name in family.names()]


class Cart(Protocol):
    """What the tests' own family promises."""

    WHEELS: int
    LOADS: tuple[str, ...]

    def pull(self, distance: float, *, uphill: bool = False) -> float:
        """Return how long it takes."""


def pull(distance: float, *, uphill: bool = False) -> float:
    return distance


WHOLE: dict[str, Any] = {"WHEELS": 2, "LOADS": ("hay",), "pull": pull}


@pytest.mark.parametrize(("package", "name"), MEMBERS)
def test_a_member_keeps_what_its_family_promises(package: str, name: str) -> None:
    family = FAMILIES[package]
    assert broken_promises(family.load(name), family.protocol) == []


def test_every_family_of_modules_is_tried() -> None:
    tops = Path(__file__).parents[1]
    found = {
        path.parent.relative_to(tops).as_posix().replace("/", ".")
        for top in ("accel", "workloads", "rtl", "sim", "reports")
        for path in (tops / top).rglob("__init__.py")
        if " = ModuleFamily[" in path.read_text(encoding="utf-8")
    }
    assert found == set(FAMILIES)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"WHEELS": None}, "WHEELS must be <class 'int'>, not None"),
        ({"WHEELS": "2"}, "WHEELS must be <class 'int'>, not '2'"),
        ({"LOADS": ["hay"]}, "LOADS must be tuple[str, ...], not ['hay']"),
        ({"pull": lambda far, *, uphill=False: far}, "pull must take (distance"),
        ({"pull": lambda distance: distance}, "pull must take (distance"),
        ({"pull": lambda distance, wind, *, uphill=False: distance}, "pull must take (distance"),
        ({"pull": lambda distance, *, uphill: distance}, "pull must take (distance"),
        ({"pull": 3}, "pull must take (distance"),
    ],
)
def test_what_a_member_has_otherwise_is_said(wrong: dict[str, Any], said: str) -> None:
    (line,) = broken_promises(SimpleNamespace(**WHOLE | wrong), Cart)
    assert line.startswith(said)


@pytest.mark.parametrize("lacking", WHOLE)
def test_what_a_member_lacks_is_said(lacking: str) -> None:
    rest = {name: value for name, value in WHOLE.items() if name != lacking}
    assert broken_promises(SimpleNamespace(**rest), Cart) == [f"{lacking} is missing"]


def test_a_member_may_have_more_and_take_more_that_has_a_default() -> None:
    def further(distance: float, *, uphill: bool = False, wind: float = 0.0) -> float:
        return distance

    assert broken_promises(SimpleNamespace(**WHOLE | {"pull": further}, COLOUR="red"), Cart) == []


@pytest.mark.parametrize("name", MODES.names())
def test_a_mode_is_of_a_unit_and_says_how_columns_come_back(name: str) -> None:
    mode = MODES.load(name)
    assert mode.UNIT in UNITS
    assert not mode.WRITES_BACK or mode.UNIT == "engine"
    assert bool(mode.RETURN_CYCLES) == mode.WRITES_BACK
    if mode.UNIT == "encoder":
        assert broken_promises(mode, EncoderMode) == []


@pytest.fixture
def carts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleFamily[Cart]:
    """Return a family with the member "wain", of a package in a folder that further packages may be put into."""
    package = tmp_path / "deltatrain_carts"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "wain.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    families._added_members.cache_clear()
    return ModuleFamily[Cart]("deltatrain_carts", "cart", Cart)


@pytest.fixture(autouse=True)
def _forget(tmp_path: Path) -> Any:
    yield
    families._added_members.cache_clear()
    for name in [name for name, module in sys.modules.items() if str(tmp_path) in str(getattr(module, "__file__", ""))]:
        del sys.modules[name]


def install(folder: Path, group: str, name: str, module: str, text: str | None) -> None:
    """Put a distribution that adds a member into `folder`."""
    about = folder / "cartwright-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: cartwright\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")
    if text is not None:
        (folder / f"{module}.py").write_text(text)


BARROW = "WHEELS = 1\nLOADS = ()\n\ndef pull(distance, *, uphill=False):\n    return 2 * distance\n"


def test_another_package_adds_a_member(carts: ModuleFamily[Cart], tmp_path: Path) -> None:
    assert carts.names() == ("wain",)
    families._added_members.cache_clear()
    install(tmp_path, "deltatrain_carts", "barrow", "barrow", BARROW)
    assert carts.names() == ("barrow", "wain")
    assert "barrow" not in sys.modules
    assert carts.load("barrow").pull(3.0) == 6.0
    with pytest.raises(ConfigError, match=r"cart 'barow' is not known, did you mean 'barrow'\? .*: barrow, wain"):
        carts.load("barow")


@pytest.mark.parametrize(
    ("name", "module", "text", "said"),
    [
        ("barrow", "barrow", "WHEELS = 1\nLOADS = ()\n", "cart 'barrow' of the package cartwright: pull is missing"),
        ("barrow", "barrow", None, "cart 'barrow' of the package cartwright cannot be imported: No module named"),
        ("barrow", "barrow", "1 / 0\n", "cart 'barrow' of the package cartwright cannot be imported: division by"),
        ("barrow", "cart_with_one_wheel", BARROW, "must be in a module called barrow, not cart_with_one_wheel"),
        ("wain", "wain", BARROW, "the package cartwright adds cart 'wain', which is there already"),
    ],
)
def test_a_member_that_is_added_and_not_whole_is_refused(
    carts: ModuleFamily[Cart], tmp_path: Path, name: str, module: str, text: str | None, said: str
) -> None:
    install(tmp_path, "deltatrain_carts", name, module, text)
    with pytest.raises(ConfigError) as caught:
        carts.load(name)
    assert said in str(caught.value)


def test_a_cell_that_is_added_is_a_word_of_a_workload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deltatrain.workloads.workload import Workload

    text = "from deltatrain.workloads.cells.delta_rnn import *\nfrom deltatrain.workloads.cells import delta_rnn\n"
    install(tmp_path, "deltatrain.workloads.cells", "elman", "elman", text)
    monkeypatch.syspath_prepend(str(tmp_path))
    families._added_members.cache_clear()
    try:
        assert Workload.named("tiny", {"cell": "elman"}).cell == "elman"
    finally:
        CELLS._loaded.pop("elman", None)
