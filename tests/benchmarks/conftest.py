"""All figures stand in one table at the end of the run, beside their peers and the baseline."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from host_speed import Figures

from deltatrain.sim.speed.baseline import NAME, Baseline, measurement
from deltatrain.sim.speed.figure import Figure

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / "sim" / "speed" / NAME


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes the baseline."""
    about = f"write what is measured to {BASELINE.relative_to(ROOT)}; figures that are not measured stay as they are"
    parser.addoption("--write-baseline", action="store_true", help=about)


@pytest.fixture(scope="session")
def baseline() -> Baseline:
    """Return what figures were."""
    return Baseline.load(BASELINE)


@pytest.fixture
def figures(record_property: Callable[[str, object], None], baseline: Baseline) -> Figures:
    """Return what takes the figures of a test and holds ratios to their bounds."""
    return Figures(lambda figure, most: record_property("figure", json.dumps([*figure, most])), baseline)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print all figures, those of tests that failed included; write the baseline if asked for."""
    ended = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    by_test = {report.nodeid: list(_figures(report)) for report in ended if report.when == "call"}
    told = [figure for found in by_test.values() for figure, _ in found]
    terminalreporter.section("figures")
    terminalreporter.write_line(_line("ours", "", "peer's", "times", "at most", "of baseline", "", "what"))
    for node, found in by_test.items():
        if found:
            terminalreporter.write_line(node.rpartition("/")[2])
            for figure, most in found:
                terminalreporter.write_line(_shown(figure, most))
    slower = [figure.what for figure in told if figure.verdict == "SLOWER"]
    if slower:
        terminalreporter.write_line(f"SLOWER than the baseline: {'; '.join(slower)}")
    if config.getoption("--write-baseline"):
        _write(told)
        terminalreporter.write_line(f"Written: {BASELINE}")


def _figures(report: pytest.TestReport) -> Iterator[tuple[Figure, float | None]]:
    for name, value in report.user_properties:
        if name == "figure":
            *fields, most = json.loads(str(value))
            yield Figure(*fields), most


def _shown(figure: Figure, most: float | None) -> str:
    relative, theirs, times = (
        "" if value is None else f"{value:,.3g}" for value in (figure.relative, figure.theirs, figure.times_baseline)
    )
    peer = f", beside {figure.peer}" if figure.peer else ""
    bound = "" if most is None else f"{most:g}"
    return _line(
        f"{figure.value:,.4g}", figure.unit, theirs, relative, bound, times, figure.verdict, figure.what + peer
    )


def _line(ours: str, unit: str, theirs: str, times: str, most: str, of_baseline: str, verdict: str, what: str) -> str:
    return f"{ours:>10} {unit:6} {theirs:>8} {times:>8} {most:>8} {of_baseline:>12} {verdict:9} {what}"


def _write(told: list[Figure]) -> None:
    compared = [figure for figure in told if figure.relative is not None]
    twice = [what for what, times in Counter(figure.what for figure in compared).items() if times > 1]
    assert not twice, f"two figures of one name: {twice}"
    Baseline.load(BASELINE).updated(measurement(compared, ROOT)).save(BASELINE)
