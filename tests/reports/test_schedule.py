"""A schedule that is read back from a timeline, or shortened, has the cycles of the counters."""

from __future__ import annotations

import gzip
from collections import Counter
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.reports.timeline import UnitStretches, schedule_file, unit_stretches
from deltatrain.reports.timeline.schedule import Stretch, adds_up, read_schedule, shortened
from deltatrain.sim.cli import main
from deltatrain.sim.gathering import gather
from deltatrain.sim.run import simulate

CAUSES = st.sampled_from(["stream", "encoder", "end"])


@st.composite
def _stretches(draw):
    cycles = draw(st.integers(1, 1000))
    lost = draw(st.dictionaries(CAUSES, st.integers(1, 300), max_size=2))
    kept = lost if sum(lost.values()) <= cycles else {}
    return Stretch(cycles, kept, draw(st.sampled_from(["", "matvec", "encode"])), draw(st.integers(0, 3)))


def _sums(stretches):
    stalls = sum((Counter(one.stalls) for one in stretches), Counter())
    return sum(one.cycles for one in stretches), sum(one.busy_cycles for one in stretches), stalls


@given(st.lists(_stretches(), min_size=1, max_size=200), st.integers(1, 40))
def test_joining_keeps_every_sum_and_is_short(stretches, most):
    found = shortened(stretches, most)
    assert len(found) <= most
    assert _sums(found) == _sums(stretches)
    assert sum(one.ops for one in found) == sum(one.ops for one in stretches)
    if len(stretches) <= most:
        assert found == stretches


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run whose lanes wait in the middle of ops, so that stretches have work and stalls."""
    out = tmp_path_factory.mktemp("watched")
    words = ["simulate", "-w", "tiny", "--on", "edge", "--no-dense", "-q", "--out", str(out)]
    assert main([*words, "--timeline", str(out / "timeline.json.gz")]) == 0
    return out


def test_stretches_add_up_to_the_counters(folder):
    (run,) = gather(folder, folder / "report.html").runs
    counters = run.result.counters
    assert set(run.schedule) == {name for name, unit in counters.units.items() if unit.busy_cycles}
    for name, stretches in run.schedule.items():
        cycles, busy, stalls = _sums(stretches)
        assert cycles == counters.cycles
        assert busy == counters.units[name].busy_cycles
        assert stalls == Counter({str(why): lost for why, lost in counters.units[name].stall_cycles.items() if lost})
    assert any(one.stalls and one.busy_cycles for one in run.schedule["engine"])


def test_every_run_leaves_its_schedule_which_is_the_timelines(folder, tmp_path):
    (run,) = gather(folder, folder / "report.html").runs
    assert schedule_file.load(folder / "schedule.json.gz") == run.schedule
    with gzip.open(folder / "timeline.json.gz", "rt") as lines:
        assert read_schedule(lines, run.result.counters.cycles) == run.schedule
    (tmp_path / "result.json").write_bytes((folder / "result.json").read_bytes())
    (tmp_path / "schedule.json.gz").write_bytes((folder / "schedule.json.gz").read_bytes())
    (alone,) = gather(tmp_path, tmp_path / "report.html").runs
    assert alone.schedule == run.schedule and not alone.timeline


@pytest.mark.parametrize("machine", ["edge", "tiny"])
def test_what_is_gathered_while_it_runs_is_short_and_adds_up(machine):
    kept = []

    @contextmanager
    def gathering(program):
        kept.append(UnitStretches(program, most=20))
        yield kept[-1]

    watched = simulate(machine, "tiny", dense=False, observe=gathering)
    assert watched.model_copy(update={"provenance": {}}) == simulate(machine, "tiny", dense=False).model_copy(
        update={"provenance": {}}
    )
    found = kept[0].found()
    assert adds_up(found, watched.counters) and max(map(len, found.values())) <= 20


def test_a_schedule_that_lacks_cycles_does_not_add_up(folder):
    (run,) = gather(folder, folder / "report.html").runs
    engine = list(run.schedule["engine"])
    at = next(place for place, one in enumerate(engine) if one.stalls)
    cause, lost = next(iter(engine[at].stalls.items()))
    others = {why: cycles for why, cycles in engine[at].stalls.items() if why != cause}
    for wrong in (
        engine[at]._replace(cycles=engine[at].cycles + 1),
        engine[at]._replace(stalls={**others, cause: lost - 1}),
        engine[at]._replace(stalls={**others, "stored" if cause != "stored" else "stream": lost}),
    ):
        changed = {**run.schedule, "engine": [*engine[:at], wrong, *engine[at + 1 :]]}
        assert not adds_up(changed, run.result.counters)
    assert not adds_up({"engine": engine}, run.result.counters) and adds_up(run.schedule, run.result.counters)


def test_a_run_whose_ops_go_ahead_leaves_none_if_it_is_long(tmp_path, monkeypatch):
    """On a machine without off-chip words; where few ops would be asked for, they are not told."""
    words = ["simulate", "-w", "synthetic", "--on", "edge", "--no-dense", "-q", "--out", str(tmp_path)]
    words += ["--set", "machine.local.bytes=16777216", "--set", "machine.placement.weights=local"]
    words += ["--set", "machine.placement.gradients=local", "--set", "workload.training.batch=1"]
    schedule = tmp_path / "schedule.json.gz"
    assert main(words) == 0 and schedule.exists()
    monkeypatch.setattr(unit_stretches, "MOST_ASKED_OPS", 10)
    assert main(words) == 0 and not schedule.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"[1]"), gzip.compress(b'{"engine":[[1,2]]}')],
    ids=["nothing", "no gzip", "a list", "a stretch without a state"],
)
def test_a_damaged_schedule_is_left_out(content, folder, tmp_path):
    (tmp_path / "result.json").write_bytes((folder / "result.json").read_bytes())
    (tmp_path / "schedule.json.gz").write_bytes(content)
    (run,) = gather(tmp_path, tmp_path / "report.html").runs
    assert run.schedule == {}


def test_the_timeline_of_another_run_is_only_linked(folder, tmp_path):
    words = ["simulate", "-w", "tiny", "--on", "tiny", "--no-dense", "-q"]
    assert main([*words, "--timeline", str(tmp_path / "timeline.json.gz")]) == 0
    (tmp_path / "result.json").write_bytes((folder / "result.json").read_bytes())
    (run,) = gather(tmp_path, tmp_path / "report.html").runs
    assert run.schedule == {} and run.timeline == "timeline.json.gz"


@pytest.mark.parametrize("text", ["", "no timeline", '{"ph":"X","pid":1,"tid":99}'])
def test_a_damaged_timeline_is_only_linked(text, folder, tmp_path):
    (tmp_path / "result.json").write_bytes((folder / "result.json").read_bytes())
    (tmp_path / "timeline.json").write_text(text)
    (run,) = gather(tmp_path, tmp_path / "report.html").runs
    assert run.schedule == {} and run.timeline == "timeline.json"
