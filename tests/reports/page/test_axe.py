"""axe-core finds nothing serious on the pages, light and dark, wide and narrow, folded out.

axe-core comes from npm (`npm install axe-core` in a folder outside the repository): AXE_CORE names its axe.min.js, or
it lies below ``npm root --global``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import browser as chromium
import pytest

from deltatrain.reports.page import Contents, render
from deltatrain.reports.page.published import StudySection, render_published
from deltatrain.reports.timeline.schedule import Stretch

SERIOUS = ("serious", "critical")
PAGES = [("run", 1280), ("run", 390), ("sweep", 1280), ("everything", 390), ("published", 390), ("published", 1280)]


def _axe() -> Path | None:
    """Return axe-core's script, None if this machine has none."""
    if named := os.environ.get("AXE_CORE"):
        return Path(named)
    npm = shutil.which("npm")
    if npm is None:
        return None
    root = subprocess.run([npm, "root", "--global"], capture_output=True, text=True, check=False).stdout.strip()
    script = Path(root) / "axe-core" / "axe.min.js"
    return script if script.is_file() else None


AXE = _axe()

pytestmark = [
    pytest.mark.skipif(
        chromium.chromium() is None, reason="no Chromium on this machine: install one (Debian: chromium)"
    ),
    pytest.mark.skipif(AXE is None, reason="no axe-core here: npm install axe-core, and name it in AXE_CORE"),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory, everything, make_run):
    folder = tmp_path_factory.mktemp("pages")
    cycles = make_run(1).result.counters.cycles
    schedule = {"engine": [Stretch(cycles, {"stream": cycles // 3}, "matvec FP", 1)]}
    kinds = {
        "run": Contents("run", [make_run(1, schedule=schedule)], (), "0.1.0"),
        "sweep": Contents("sweep", (), everything.sweeps, "0.1.0"),
        "everything": everything,
    }
    for name, contents in kinds.items():
        (folder / f"{name}.html").write_text(render(contents), encoding="utf-8")
    told = {"what": "Speed-up", "unit": "times", "theirs": "2", "ours": "2.1", "off": "+5 %"}
    told |= {"source": "A table", "found": "published", "conditions": "Half of all zeros"}
    published = render_published("Published and ours", "Of all.", [StudySection("one", "What?", [told])], "0.1.0")
    (folder / "published.html").write_text(published, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium.browsing(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("name", "width"), PAGES)
def test_nothing_serious(name, width, dark, browser, pages):
    tab = browser.tab()
    tab.screen(width, dark=dark)
    tab.open(pages / f"{name}.html")
    tab.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.evaluate(
        "axe.run().then(({ violations, passes }) => [passes.length, violations.map(({ id, impact, help, nodes }) =>"
        " [impact, id, help, nodes.slice(0, 3).map((node) => node.html.slice(0, 200))])])"
    )
    assert found[0] > 20, "axe-core has looked at the page"
    assert [one for one in found[1] if one[0] in SERIOUS] == []


def test_a_fault_is_found(browser, tmp_path):
    """The check itself: light grey words on white are serious."""
    (tmp_path / "faint.html").write_text('<!doctype html><html lang="en"><p style="color:#ccc">faint', encoding="utf-8")
    tab = browser.tab()
    tab.open(tmp_path / "faint.html")
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.evaluate("axe.run().then(({ violations }) => violations.map(({ id, impact }) => [id, impact]))")
    assert ["color-contrast", "serious"] in found
