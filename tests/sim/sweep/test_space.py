from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spaces import tiny

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.origin import FLOAT_FIGURES
from deltatrain.sim.run import synthetic_trace
from deltatrain.sim.sweep import checks
from deltatrain.sim.sweep.checks import checked_space, named_space
from deltatrain.sim.sweep.point import Simulator
from deltatrain.sim.sweep.space import Space
from deltatrain.sim.sweep.spaces import SPACES
from deltatrain.workloads.workload import Workload


def test_tomls_dotted_keys_are_dotted_paths(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        """
name = "mine"
machine = "tiny"
workload = "tiny"
[fixed]
workload.hidden = [8]
workload.theta_x = 0.2
[vary]
machine.engine.lanes = [1, 2]
"machine.engine.elementwise_lanes" = { low = 1, high = 4, factor = 2, when = { machine.engine.lanes = 2 } }
[vary.machine.placement]
weights = ["local", "remote"]
[objectives]
phase.FP.cycles = "minimise"
utilisation = "maximise"
[constraints]
moved.remote_bytes = { most = 1e9 }
"""
    )
    space = named_space(path)
    assert set(space.vary) == {
        "machine.engine.lanes",
        "machine.engine.elementwise_lanes",
        "machine.placement.weights",
    }
    assert space.objectives == {"phase.FP.cycles": "minimise", "utilisation": "maximise"}
    assert space.constraints["moved.remote_bytes"].most == 1e9
    assert space.base.workload is not None and space.base.workload["hidden"] == [8]
    assert space.size == 2 * (1 + 3)


def test_a_space_of_described_parts_and_machines_on_a_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever files are called in files is found from their folders; a changed file makes other points."""
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "fast.toml").write_text('base = "ddr3_1600"\nabout = "fast"\ntck_ps = 1000\n')
    (tmp_path / "machine.toml").write_text('base = "edge"\nremote.device = "parts/fast.toml"\n')
    (tmp_path / "workload.toml").write_text('base = "tiny"\nhidden = [8]\n')
    (tmp_path / "first.toml").write_text(
        """
name = "first"
machine = "machine.toml"
workload = "workload.toml"
objectives = { cycles = "minimise" }
[vary]
machine.engine.lanes = [1, 2, 4]
machine.remote.device = ["ddr4_2400", "parts/fast.toml"]
"""
    )
    (tmp_path / "second.toml").write_text('base = "first.toml"\nname = "second"\nvary.machine.engine.lanes = [8]\n')
    monkeypatch.chdir("/")
    space = named_space(tmp_path / "second.toml")
    assert space.name == "second" and space.size == 2
    base, designs = space.base, list(space.designs())
    assert base.workload is not None and base.workload["hidden"] == [8]
    assert base.machine["remote"]["device"]["tck_ps"] == 1000 and base.value("machine.remote.device") == "fast"
    rows = [Simulator(base).row(design) for design in designs]
    assert [design["machine.engine.lanes"] for design in designs] == [8, 8]
    assert all("failure" not in row for row in rows) and rows[0]["cycles"] > 0
    digests = [base.digest(design) for design in designs]
    (parts / "fast.toml").write_text('base = "ddr3_1600"\ntck_ps = 900\n')
    assert named_space(tmp_path / "second.toml").base.identity != base.identity
    assert [named_space(tmp_path / "second.toml").base.digest(design) for design in designs] != digests
    on_edge = named_space("edge_memory", {"vary": {"machine.remote.device": ["ddr4_2400"]}})
    assert on_edge.base.files == ()


def test_a_conditional_field_is_there_only_beside_its_condition() -> None:
    space = checked_space(tiny())
    designs = list(space.designs())
    for design in designs:
        assert ("machine.placement.gradients" in design) == (design["machine.placement.weights"] == "local")
    assert len(designs) == space.size == 5 * 3 * (2 + 1) * 2
    assert len({tuple(design.items()) for design in designs}) == len(designs)


def test_a_condition_may_stand_before_what_it_names_and_hang_on_another() -> None:
    table = tiny()
    table["vary"] = {
        "machine.dma.buffer_bytes": {"values": [256, 512, 1024], "when": {"machine.placement.gradients": "remote"}},
        "machine.placement.gradients": table["vary"]["machine.placement.gradients"],
        "machine.placement.weights": table["vary"]["machine.placement.weights"],
    }
    space = checked_space(table)
    found = sorted(tuple(design.values()) for design in space.designs())
    assert found == [
        ("local", "local"),
        ("local", "remote", 256),
        ("local", "remote", 512),
        ("local", "remote", 1024),
        ("remote",),
    ]
    assert space.size == 5


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_the_size_is_the_number_of_designs(lengths: list[int], data: st.DataObject) -> None:
    paths = [f"machine.f{index}" for index in range(len(lengths))]
    vary: dict[str, object] = {}
    for index, (path, length) in enumerate(zip(paths, lengths, strict=True)):
        earlier = data.draw(st.lists(st.sampled_from(paths[:index]), unique=True, max_size=2)) if index else []
        when = {other: data.draw(st.integers(0, 4)) for other in earlier}
        vary[path] = {"values": list(range(length)), "when": when}
    space = Space.from_table(tiny() | {"vary": vary})
    naive = set()
    for values in itertools.product(*(range(length) for length in lengths)):
        design: dict[str, int] = {}
        for path, value in zip(paths, values, strict=True):
            if all(design.get(other) == at[0] for other, at in space.vary[path].when.items()):
                design[path] = value
        naive.add(tuple(design.items()))
    assert {tuple(design.items()) for design in space.designs()} == naive
    assert space.size == len(naive)


def test_equal_points_have_equal_digests_and_others_have_not() -> None:
    base = checked_space(tiny()).base
    digest = base.digest
    assert digest({}) == digest({"machine.engine.lanes": 4})  # 4 is what the base has
    assert digest({}) != digest({"machine.engine.lanes": 2}) != digest({"workload.training.seed": 2})
    assert digest({}) != checked_space(tiny(fidelity="cycle")).base.digest({})
    assert digest({}) != checked_space(tiny(fixed={"machine.engine.lanes": 8})).base.digest({})


FAULTS = [
    ({"machine": "tini"}, ["machine 'tini' is not known, did you mean 'tiny'?"]),
    ({"fidelity": "cicle"}, ["fidelity: fidelity 'cicle' is not known, did you mean 'cycle'?"]),
    ({"fidelity": "rtl"}, ["fidelity must be one of analytic, cycle in a sweep, not 'rtl'"]),
    ({"trace": "nowhere.npz"}, ["must have one of workload, trace and vary.trace", "nowhere.npz cannot be read"]),
    ({"search": {"kind": "nsga"}}, ["search.kind: search 'nsga' is not known, did you mean 'nsga2'?"]),
    ({"search": {"points": 0}}, ["search.points must be a positive integer, not 0"]),
    ({"objectives": {}}, ["objectives"]),
    (
        {"objectives": {"seconds": "minimize"}},
        ["objectives.seconds must be one of 'minimise' or 'maximise', not 'minimize'"],
    ),
    (
        {"objectives": {"second": "minimise"}},
        ["objectives.second: column 'second' is not known, did you mean 'seconds'?"],
    ),
    ({"objectives": {"area_mm": "minimise"}}, ["did you mean 'area_mm2'?"]),
    ({"objectives": {"accuracy": "maximise"}}, ["objectives.accuracy: only what is trained has an accuracy"]),
    ({"objectives": {"speedup": "maximise"}}, ["objectives.speedup is found only with dense = true"]),
    ({"constraints": {"local_byte": {"most": 1}}}, ["constraints.local_byte: column 'local_byte' is not known"]),
    ({"constraints": {"local_bytes": {}}}, ["constraints.local_bytes: must have most, or least, or both"]),
    ({"constraints": {"local_bytes": {"max": 3}}}, ["constraints.local_bytes.max"]),
    ({"vary": {}}, ["vary"]),
    ({"vary": {"machine.engine.lane": [1]}}, ["vary.machine.engine.lane is not a field, did you mean 'lanes'?"]),
    (
        {"vary": {"machine.engine.lanes": [1, 0, -1]}},
        ["vary.machine.engine.lanes must be a positive integer, not 0", "not -1"],
    ),
    (
        {"vary": {"machine.engine.lanes": {"low": 0.5, "high": 2.0, "step": 0.5}}},
        ["vary.machine.engine.lanes must be an integer, not 0.5"],
    ),
    (
        {"vary": {"machine.placement.tape": ["lokal"]}},
        ["vary.machine.placement.tape must be one of 'local', 'remote' or 'auto', not 'lokal'"],
    ),
    ({"vary": {"machine.remote.device": ["ddr"]}}, ["vary.machine", "'ddr' is not known"]),
    ({"vary": {"workload.cell": ["gru"]}}, ["vary.workload.cell", "'gru' is not known"]),
    ({"vary": {"engine.lanes": [1]}}, ["vary.engine.lanes is not a field: it must begin with machine. or workload."]),
    ({"vary": {"machine": [1]}}, ["vary.machine is not a field"]),
    (
        {"vary": {"workload.synthetic.occupancy_h": {"low": 0.1, "high": 0.9}}},
        ["vary.workload.synthetic.occupancy_h is continuous"],
    ),
    (
        {"vary": {"machine.engine.lanes": {"values": [1], "when": {"machine.x": 1}}}},
        ["vary.machine.engine.lanes.when.machine.x is not a varied field"],
    ),
    (
        {"vary": {"workload.dataset": [{"path": "a.csv"}]}},
        ["space: vary.workload.dataset.values.0: must be a number, a text or a list, not {'path': 'a.csv'}: vary a"],
    ),
    ({"fixed": {"machine.engine.lanes": 0}}, ["engine.lanes must be a positive integer, not 0"]),
    ({"fixed": {"engine.lanes": 1}}, ["fixed.engine.lanes is not a field"]),
    ({"sheach": {}}, ["sheach is not a field, did you mean 'search'?"]),
]


@pytest.mark.parametrize(("change", "said"), FAULTS, ids=str)
def test_a_fault_is_told_with_its_dotted_path(change: dict[str, object], said: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        checked_space(tiny() | change)
    text = str(refused.value)
    assert all(part in text for part in said), text
    assert all(line.startswith("space: ") for line in text.splitlines())


def test_all_faults_are_told_at_once() -> None:
    wrong = tiny() | {
        "objectives": {"area": "minimise", "second": "minimise"},
        "fidelity": "cicle",
        "search": {"kind": "gird"},
    }
    wrong["vary"] = {"machine.engine.lanez": [1], "machine.local.bytes": [0], "workload.synthetic.occupancy_x": [1.5]}
    with pytest.raises(ConfigError) as refused:
        checked_space(wrong)
    assert [line.split()[1].rstrip(":") for line in str(refused.value).splitlines()] == [
        "fidelity",
        "search.kind",
        "vary.machine.engine.lanez",
        "vary.machine.local.bytes",
        "vary.workload.synthetic.occupancy_x",
        "objectives.area",
        "objectives.second",
    ]


def test_conditions_that_wait_for_each_other_are_refused() -> None:
    table = tiny()
    table["vary"] = {
        "machine.engine.lanes": {"values": [1], "when": {"machine.local.bytes": 1000}},
        "machine.local.bytes": {"values": [1000], "when": {"machine.engine.lanes": 1}},
    }
    with pytest.raises(ConfigError, match=r"wait for each other: machine.engine.lanes, machine.local.bytes"):
        checked_space(table)


def test_values_that_only_clash_with_other_fields_are_no_fault_of_the_space() -> None:
    vary = {"machine.dma.buffer_bytes": [512, 10**6], "machine.engine.clock_hz": [100_000_000, 300_000_000]}
    assert checked_space(tiny() | {"vary": vary}).size == 4


def test_files_are_looked_for_beside_the_space(tmp_path: Path) -> None:
    synthetic_trace(Workload.named("tiny")).save(tmp_path / "trace.npz")
    (tmp_path / "space.toml").write_text(
        'name = "t"\nmachine = "tiny"\ntrace = "trace.npz"\n[vary]\nmachine.engine.lanes = [1, 2]\n'
        '[objectives]\nseconds = "minimise"\n'
    )
    ((name, content),) = named_space(tmp_path / "space.toml").base.traces
    assert name == str(tmp_path / "trace.npz") and content == (tmp_path / "trace.npz").read_bytes()


def test_a_trace_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trace.npz").write_bytes(b"no archive")
    table = tiny() | {"trace": str(tmp_path / "trace.npz"), "vary": {"machine.engine.lanes": [1]}}
    del table["workload"]
    with pytest.raises(ConfigError) as refused:
        checked_space(table)
    assert f"{tmp_path / 'trace.npz'} is not a trace of deltatrain" in str(refused.value)


def test_a_traces_workload_cannot_be_varied(tmp_path: Path) -> None:
    synthetic_trace(Workload.named("tiny")).save(tmp_path / "trace.npz")
    table = tiny() | {"trace": str(tmp_path / "trace.npz")}
    del table["workload"]
    with pytest.raises(ConfigError, match=r"vary.workload.synthetic.occupancy_h has no meaning here"):
        checked_space(table)


@pytest.mark.parametrize("name", SPACES.names())
def test_the_spaces_that_come_along_are_right(name: str) -> None:
    space = named_space(name)
    assert space.name == name and space.about and (space.size or 1) > 0


def test_positions_reach_every_point() -> None:
    space = checked_space(tiny())
    random = np.random.default_rng(1)
    drawn = {tuple(space.at(dict(zip(space.order, random.random(5), strict=True))).items()) for _ in range(3000)}
    assert drawn == {tuple(design.items()) for design in space.designs()}


@pytest.mark.parametrize("figure", [name for name in FLOAT_FIGURES if name != "accuracy"])
def test_what_is_trained_for_another_figure_is_not_called_synthetic(figure: str) -> None:
    told = checks._unknown_column("objectives", "accuracy", ("cycles", figure))
    assert told.startswith("objectives.accuracy: column 'accuracy' is not known") and figure in told
