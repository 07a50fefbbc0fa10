"""A schedule that is read back from a timeline, or shortened, has the cycles of the counters."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.reports.timeline.schedule import Stretch, shortened
from deltatrain.sim.cli import main
from deltatrain.sim.gathering import gather

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
