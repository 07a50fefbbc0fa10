"""The time left of a stage, and what is told where it is not known."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.sim.cli import progress
from deltatrain.sim.cli.progress import Stages, time_told


@given(st.floats(0, 0.9), st.floats(0.01, 1), st.floats(1, 1e4), st.floats(0, 1))
def test_steady_work_is_told_the_time_that_it_still_takes(first, part, whole_s, wait):
    """Whatever an earlier run has done, and however long ago the last share was told."""
    share = first + (1 - first) * part * 0.99
    told_s = whole_s * part * 0.99
    now_s = told_s + wait * (whole_s - told_s)
    minutes, _, seconds = time_told(share, first, told_s, now_s).removesuffix(" left").rpartition(":")
    hours, _, minutes = minutes.rpartition(":")
    found = 3600 * int(hours or 0) + 60 * int(minutes) + int(seconds)
    assert found == pytest.approx(whole_s - now_s, abs=0.51 + 1e-6 * whole_s)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ((0.0, 0.0, 0.0, 75.0), "1:15 so far"),
        ((0.5, 0.5, 0.0, 3.0), "0:03 so far"),
        ((0.5, 0.0, 10.0, 40.0), "0:00 left"),  # longer than was to be expected
        ((1.0, 0.0, 3725.0, 4000.0), "1:02:05 in all"),
    ],
)
def test_what_is_told_where_it_is_not_known(told, words):
    assert time_told(*told) == words


def test_shares_that_come_once_a_minute_tell_the_time_left(monkeypatch):
    """Not only what the last half of a minute has brought: trainings of a study take longer than that."""
    screen, now = _Terminal(), [100.0]
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Stages(within="operations, 8 of 15") as stages:
        stages("trainings", 0.0, "")
        now[0] += 60
        stages("trainings", 0.25, "3 of 12")
        stages.below("")
        stages._bars.refresh()
        assert "operations, 8 of 15, trainings" in screen.getvalue() and "3:00 left" in screen.getvalue()
    assert "1:00 in all" in screen.getvalue()


class _Terminal(io.StringIO):
    def isatty(self):
        return True
