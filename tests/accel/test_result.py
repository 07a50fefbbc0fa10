"""Counters must close, and a result's file loads back equal or is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.counters import Counters, PhaseCounters
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.program import PHASES, UNITS
from deltatrain.accel.result import Result


@st.composite
def counters(draw: st.DrawFn, cycles: int | None = None) -> Counters:
    total = draw(st.integers(1, 10**6)) if cycles is None else cycles

    def shares(most: int, parts: int) -> list[int]:
        cuts = sorted(draw(st.lists(st.integers(0, most), min_size=parts - 1, max_size=parts - 1)))
        return [b - a for a, b in zip([0, *cuts], [*cuts, most], strict=True)]

    units = {}
    for name in UNITS:
        busy, load, end = shares(total, 3)
        units[name] = {"busy_cycles": busy, "stall_cycles": {"load": load, "end": end}}
    spent = shares(total, 2 * len(PHASES))
    read, written = draw(st.integers(0, 10**9)), draw(st.integers(0, 10**9))
    moved = shares(read + written, len(PHASES))
    phases = {
        name: {
            "busy_cycles": spent[2 * i],
            "stall_cycles": {"stream": spent[2 * i + 1]},
            "macs": draw(st.integers(0, 4 * spent[2 * i])),
            "skipped_macs": draw(st.integers(0, 10**9)),
            "fired": draw(st.integers(0, 100)),
            "elements": 100,
            "remote_bytes": moved[i],
            "local_bytes": draw(st.integers(0, 10**9)),
        }
        for i, name in enumerate(PHASES)
    }
    rows = dict.fromkeys(("row_hits", "row_misses", "row_conflicts", "activates", "refreshes", "busy_cycles"), 0)
    remote = {"asked_bytes": read + written, "read_bytes": read, "write_bytes": written} | rows
    table = {
        "cycles": total,
        "clock_hz": 10**8,
        "lanes": 4,
        "units": units,
        "phases": phases,
        "remote": remote,
        "work": {"macs": sum(p["macs"] for p in phases.values())},
    }
    return Counters.model_validate(table)


@st.composite
def results(draw: st.DrawFn) -> Result:
    return Result(
        workload={"name": draw(st.text(max_size=5))},
        architecture=Architecture.named("tiny").model_dump(mode="json"),
        fidelity="cycle",
        counters=draw(counters()),
        dense=draw(counters()),
        energy_j={"lanes": draw(st.floats(0, 1))},
        dense_energy_j={"lanes": 1.0},
        training={"accuracy": draw(st.floats(0, 1))},
        provenance={"seed": draw(st.integers(0, 2**40))},
    )


@given(counters())
def test_counters_that_close_are_accepted(one: Counters) -> None:
    assert one.seconds == one.cycles / 10**8
    assert sum(phase.cycles for phase in one.phases.values()) == one.cycles
    for phase in one.phases.values():
        assert phase.occupancy == phase.fired / 100


def test_a_phase_without_columns_fired_all_of_them() -> None:
    nothing = dict.fromkeys(
        ("busy_cycles", "macs", "skipped_macs", "fired", "elements", "remote_bytes", "local_bytes"), 0
    )
    phase = PhaseCounters.model_validate(nothing | {"stall_cycles": {}})
    assert phase.occupancy == 1 and phase.utilisation(4) == 0


def _first_unit(t: dict[str, Any]) -> dict[str, Any]:
    unit: dict[str, Any] = t["units"]["engine"]
    return unit


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a unit works a cycle more": lambda t: _first_unit(t).update(busy_cycles=_first_unit(t)["busy_cycles"] + 1),
    "a unit works a cycle less": lambda t: _first_unit(t).update(busy_cycles=_first_unit(t)["busy_cycles"] - 1),
    "a unit stalls a cycle less than never": lambda t: _first_unit(t)["stall_cycles"].update(
        load=-1, end=t["cycles"] + 1 - _first_unit(t)["busy_cycles"]
    ),
    "a phase takes a cycle more": lambda t: t["phases"]["BP"].update(busy_cycles=t["phases"]["BP"]["busy_cycles"] + 1),
    "a byte more is read": lambda t: t["remote"].update(read_bytes=t["remote"]["read_bytes"] + 1),
    "a byte more was asked for": lambda t: t["remote"].update(asked_bytes=t["remote"]["asked_bytes"] + 1),
    "a phase moved a byte more": lambda t: t["phases"]["FP"].update(remote_bytes=t["phases"]["FP"]["remote_bytes"] + 1),
    "an unknown stall": lambda t: _first_unit(t)["stall_cycles"].update(tea=0),
    "a column fires that is not there": lambda t: t["phases"]["BP"].update(fired=101),
    "fewer columns fire than none": lambda t: t["phases"]["BP"].update(fired=-1),
    "lanes do more than one multiply-accumulate a cycle": lambda t: t["phases"]["WG"].update(
        macs=4 * t["phases"]["WG"]["busy_cycles"] + 1
    ),
    "a refresh less than none": lambda t: t["remote"].update(refreshes=-1),
    "a bank is closed for less than no time": lambda t: t["remote"].update(idle_ticks=-110, active_ticks=110),
    "two ranks of different clocks": lambda t: t["remote"].update(bus_ticks={"idle": 2}, active_ticks=3),
    "a burst without a row": lambda t: t["remote"].update(
        bus_ticks={"idle": 2}, active_ticks=2, read_bursts=2, row_hits=1
    ),
    "the buses move data for longer than the run": lambda t: t["remote"].update(busy_cycles=t["cycles"] + 1),
    "work less than none": lambda t: t["work"].update(macs=-1),
    "the run is longer": lambda t: t.update(cycles=t["cycles"] + 1),
}


@pytest.mark.parametrize("change", CHANGES)
@settings(max_examples=20)
@given(one=counters())
def test_counters_that_do_not_close_are_refused(change: str, one: Counters) -> None:
    table = one.model_dump()
    CHANGES[change](table)
    with pytest.raises(ValidationError):
        Counters.model_validate(table)


RESULT_CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "energy less than none": lambda t: t["energy_j"].update(lanes=-1e-12),
    "energy without end": lambda t: t["dense_energy_j"].update(lanes=float("inf")),
    "area less than none": lambda t: t["area_mm2"].update(lanes=-0.1),
    "more right than all": lambda t: t["training"].update(accuracy=1.01),
    "a text for a share": lambda t: t["training"].update(saved="most"),
    "more fired than all": lambda t: t["training"].update(occupancy_h=1.5),
    "spikes less than none": lambda t: t["training"].update(spikes_cut=-1),
    "more overflowed than stored": lambda t: t["training"].update(stored={"W": [3, 4, 0]}),
    "stored as no table": lambda t: t["training"].update(stored=[1, 0, 0]),
    "a text for spikes": lambda t: t["training"].update(spikes="many"),
    "lanes lack words for longer than they wait": lambda t: t["starved_cycles"].update(list=1),
    "less than nothing held": lambda t: t.update(held_bytes=[[0, -1]]),
}


@pytest.mark.parametrize("change", RESULT_CHANGES)
@settings(max_examples=3, suppress_health_check=[HealthCheck.too_slow])
@given(one=results())
def test_a_result_out_of_its_ranges_is_refused(change: str, one: Result) -> None:
    table = one.model_dump()
    Result.model_validate(table)
    RESULT_CHANGES[change](table)
    with pytest.raises(ValidationError):
        Result.model_validate(table)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=30)
@given(results())
def test_a_result_loads_back_equal(tmp_path: Path, result: Result) -> None:
    path = tmp_path / "result.json"
    result.save(path)
    assert Result.load(path) == result
    assert json.loads(path.read_text())["schema_version"] == 2
    assert result.speedup == result.dense.cycles / result.counters.cycles


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=3)
@given(results())
def test_a_result_of_version_1_is_one_without_areas(tmp_path: Path, result: Result) -> None:
    path = tmp_path / "result.json"
    table = result.model_dump(mode="json", exclude={"area_mm2", "not_priced"}) | {"schema_version": 1}
    path.write_text(json.dumps(table))
    older = Result.load(path)
    assert older.area_mm2 == {} and older.not_priced == {} and older.counters == result.counters


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"3", b"\xff", b"hello", b'{"schema_version": 2}', b"null"])
def test_a_file_that_is_no_result_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is not a result of deltatrain") as caught:
        Result.load(path)
    assert "\n" not in str(caught.value)


def test_a_result_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            Result.load(path)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=10)
@given(results())
def test_a_result_cut_short_is_refused(tmp_path: Path, result: Result) -> None:
    path = tmp_path / "result.json"
    result.save(path)
    whole = path.read_bytes()
    for size in range(0, len(whole) - 2, 37):
        path.write_bytes(whole[:size])
        with pytest.raises(ConfigError):
            Result.load(path)


@settings(max_examples=30)
@given(results())
def test_a_result_prints_a_few_lines_with_how_each_number_was_found(result: Result) -> None:
    result = result.model_copy(update={"workload": {"name": "digits"}})
    lines = repr(result).splitlines()
    assert lines[0] == "digits on tiny: one training step, cycle"
    ran = [name for name, phase in result.counters.phases.items() if phase.cycles]
    assert len(lines) == 1 + 5 + 1 + len(ran) <= 12 and str(result) == repr(result)
    assert f"{result.counters.cycles:,} cycles" in lines[1]
    found = [line.rsplit("(", 1)[1] for line in lines[1:6]]
    assert found == ["simulated)", "simulated)", "simulated)", "modelled)", "measured)"]
    for name, line in zip(ran, lines[7:], strict=True):
        phase = result.counters.phases[name]
        words = line.split()
        assert words[0] == name and int(words[1].replace(",", "")) == phase.cycles
        assert float(words[4]) == pytest.approx(100 * phase.busy_cycles / phase.cycles, abs=0.051)


@settings(max_examples=1)
@given(results())
def test_a_result_of_a_spiking_network_says_how_many_spikes_were_cut(result: Result) -> None:
    training = result.training | {"spikes": 900, "spikes_cut": 100, "steps_cut": 7, "steps": 50}
    shown = repr(result.model_copy(update={"training": training}))
    assert "100 of 1,000 (10.0 %) in the last epoch, in 7 of 50 steps" in shown
    assert "spikes cut by full lists" not in repr(result)


@settings(max_examples=1)
@given(results())
def test_in_a_notebook_names_are_text_and_never_markup(result: Result) -> None:
    evil = '<script>alert("x")</script>&amp;'
    shown = result.model_copy(update={"workload": {"name": evil}, "architecture": {"name": evil}})._repr_html_()
    document = ElementTree.fromstring(shown)
    assert evil in (document.findtext("strong") or "") and not document.findall(".//script")
    assert [cell.text for cell in document.findall(".//th")][:2] == ["phase", "cycles"]
    rows = document.findall("table/tbody/tr")
    assert [row.findtext("td") for row in rows] == [n for n, p in result.counters.phases.items() if p.cycles]
