"""The dense twin: counted once, the same from the cache folder, and left out where nobody asks for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from deltatrain.accel import family
from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import FitError
from deltatrain.accel.origin import NO_DENSE
from deltatrain.accel.result import Result
from deltatrain.sim import dense_twin
from deltatrain.sim.code import Code
from deltatrain.sim.fidelity import FIDELITIES
from deltatrain.sim.run import simulate
from deltatrain.workloads.workload import Workload

TINY = Workload.named("tiny")
EDGE = Architecture.named("edge")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """Keep every twin in a folder of this test, and note each program that is counted, by its matrix columns."""
    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path))
    monkeypatch.setattr(dense_twin, "_WORTH_KEEPING_CPU_S", -1.0)
    found: list[int] = []
    member = FIDELITIES.load("analytic")
    real: Callable[..., Any] = member.count

    def noted(program: Any, *rest: Any, **chosen: Any) -> Any:
        found.append(int(program.ops.count.sum()))
        return real(program, *rest, **chosen)

    monkeypatch.setattr(member, "count", noted)
    return found


def run(workload: Workload = TINY, machine: Architecture = EDGE, **chosen: Any) -> Result:
    return simulate(machine, workload, fidelity="analytic", **chosen)


def files(folder: Path) -> list[Path]:
    return sorted((folder / "dense").iterdir())


def test_the_twin_is_counted_once_whatever_fires(counted: list[int], tmp_path: Path) -> None:
    first = run()
    other = run(Workload.named("tiny", {"synthetic.occupancy_h": 0.9, "training.seed": 7}))
    assert len(counted) == 3  # two runs and one twin
    assert other.counters != first.counters
    assert other.dense == first.dense
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize(
    ("machine", "workload"),
    [
        ({"engine.lanes": 4}, {}),
        ({"remote.device": "zero_latency"}, {}),
        ({}, {"hidden": [13]}),
        ({}, {"cell": "delta_gru"}),
        ({}, {"synthetic.inputs": 9}),
        ({}, {"synthetic.classes": 4}),
        ({}, {"synthetic.steps": 7}),
        ({}, {"training.batch": 4}),
        ({}, {"readout": "every"}),
        ({}, {"task": "regression"}),
        ({}, {"phases": ["FP"]}),
    ],
)
def test_whatever_changes_the_twin_makes_it_another(
    counted: list[int], machine: dict[str, Any], workload: dict[str, Any]
) -> None:
    run()
    run(Workload.named("tiny", workload), Architecture.named("edge", machine))
    assert len(counted) == 4


def test_other_code_and_other_prices_count_it_again(counted: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    monkeypatch.setattr(dense_twin, "CODE", Code("0", "of others"))
    run()
    monkeypatch.setattr(dense_twin, "prices_digest", lambda: "of others")
    run()
    assert len(counted) == 6


def test_nothing_is_kept_where_other_packages_add_members(counted: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(family, "_added_members", lambda: {"deltatrain.workloads.cells": {"mgu": None}})
    run(), run()
    assert len(counted) == 4


@pytest.mark.parametrize("cycles", ["cut", "changed", "empty", "no text"])
def test_a_damaged_file_is_as_good_as_none(counted: list[int], tmp_path: Path, cycles: str) -> None:
    first = run()
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    written = str(first.dense.work["macs"]).encode()  # sums do not tell that it is wrong
    assert written in whole
    damaged = {"cut": whole[:-9], "changed": whole.replace(written, b"1" + written), "empty": b"", "no text": b"\xff\n"}
    path.write_bytes(damaged[cycles])
    assert run().dense == first.dense
    assert len(counted) == 4
    assert path.read_bytes() == whole
    assert run().dense == first.dense
    assert len(counted) == 5


def test_a_folder_that_cannot_be_made_costs_only_time(counted: list[int], tmp_path: Path) -> None:
    (tmp_path / "dense").write_text("a file in its place")
    assert run().dense == run().dense
    assert len(counted) == 4


def test_small_twins_are_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path))
    monkeypatch.setattr(dense_twin, "_WORTH_KEEPING_CPU_S", 1000.0)
    run()
    assert not (tmp_path / "dense").exists()


def test_progress_ends_at_one_with_a_kept_twin_and_without_one(counted: list[int]) -> None:
    for dense in (True, True, False):
        shares: list[float] = []
        run(dense=dense, on_progress=shares.append)
        assert shares == sorted(shares)
        assert shares[-1] == 1


def test_without_the_twin_only_the_run_is_counted_and_nothing_is_said_of_a_gain(
    counted: list[int], tmp_path: Path
) -> None:
    alone, beside = run(dense=False), run()
    assert len(counted) == 3
    assert (alone.counters, alone.energy_j, alone.area_mm2) == (beside.counters, beside.energy_j, beside.area_mm2)
    assert alone.dense is None
    assert alone.speedup is None
    assert alone.dense_energy_j == {}
    assert NO_DENSE in repr(alone)
    assert "dense" not in repr(alone).replace(NO_DENSE, "")
    alone.save(tmp_path / "result.json")
    assert Result.load(tmp_path / "result.json") == alone


def test_a_twin_that_does_not_fit_is_refused_by_name_and_left_out_on_demand() -> None:
    few = Workload.named("tiny", {"synthetic.occupancy_x": 0.0, "synthetic.occupancy_h": 0.0})
    machine = EDGE
    for local_bytes in count(8_200, 50):  # until the tape of empty lists fits, which is the smallest
        machine = Architecture.named("edge", {"local.bytes": local_bytes, "placement.tape": "local"})
        with suppress(FitError):
            assert run(few, machine, dense=False).counters.cycles > 0
            break
    with pytest.raises(FitError, match=r"the dense run, which --no-dense \(dense = false\) leaves out: local.bytes = "):
        run(few, machine)
