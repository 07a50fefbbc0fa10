"""All figures stand in a table at the end of the run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from host_speed import Figures


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Return what takes the figures of a test and holds ratios to their bounds."""
    return Figures(record_property)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print all figures, those of tests that failed included."""
    ended = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    terminalreporter.section("figures")
    for report in ended:
        found = [value for name, value in report.user_properties if name == "figure"]
        if report.when == "call" and found:
            terminalreporter.write_line(report.nodeid.rpartition("/")[2])
            for what, value, unit, most in found:
                bound = "" if most is None else f"  (at most {most:g})"
                terminalreporter.write_line(f"  {value:14,.4g} {unit:9} {what}{bound}")
