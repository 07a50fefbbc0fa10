"""Axes of a plot: few round marks from 0 on, whatever the largest value is."""

from __future__ import annotations

import pytest

from deltatrain.reports.page.plot import counted, linear


@pytest.mark.parametrize("high", [0, 1, 5, 7, 10**9, 2**62, 2**63 - 1])
def test_an_axis_has_few_marks_and_reaches_its_largest_value(high: int) -> None:
    for axis in (counted("points", high), linear("time", "s", float(high))):
        marks = [mark for mark, _ in axis.ticks]
        assert marks[0] == 0 and len(marks) <= 7
        assert marks[-1] <= max(high, 1) < 2 * (marks[1] if len(marks) == 2 else marks[-1]) + 2
