"""The schedule in a real browser: what it says are the numbers of the run, at every zoom."""

from __future__ import annotations

import re

import browser as chromium
import numpy as np
import pytest

from deltatrain.reports.page import Contents, render
from deltatrain.reports.timeline.schedule import Stretch

pytestmark = pytest.mark.skipif(
    chromium.chromium() is None, reason="no Chromium on this machine: install one (Debian: chromium) to test the page"
)

STEP = 1_000
"""Cycles of each stretch of the lanes: even ones work, odd ones wait for a quarter of them."""


@pytest.fixture(scope="module")
def tab(tmp_path_factory, make_run):
    run = make_run(1)
    count = run.result.counters.cycles // STEP
    lanes = [
        Stretch(STEP, {} if at % 2 == 0 else {"stream": STEP // 4}, f"matvec FP step {at}", 1) for at in range(count)
    ]
    waits = [Stretch(run.result.counters.cycles, {"encoder": run.result.counters.cycles}, "", 0)]
    page = tmp_path_factory.mktemp("page") / "page.html"
    watched = make_run(1, schedule={"engine": lanes, "load": waits})
    page.write_text(render(Contents("watched", [watched], (), "0.1.0")), encoding="utf-8")
    with chromium.browsing(tmp_path_factory.mktemp("profile")) as browser:
        opened = browser.tab()
        opened.screen(1280)
        opened.open(page)
        opened.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
        opened.evaluate("document.querySelector('.schedule').scrollIntoView()")
        yield opened
        assert opened.complaints == []


def _press(tab, words):
    tab.evaluate(f"[...document.querySelectorAll('.schedule button')].find((b) => b.textContent === '{words}').click()")


def _said(tab):
    return tab.evaluate("document.querySelector('.said').textContent")


def _point(tab, across, row):
    left, top, width = tab.evaluate(
        "(() => { const b = document.querySelector('.sheet canvas').getBoundingClientRect();"
        " return [b.left, b.top, b.width] })()"
    )
    tab.move(left + across * width, top + 48 * row + 28)
    return _said(tab)


def _view(tab):
    return [int(number.replace(",", "")) for number in re.match(r"Cycles ([\d,]+) to ([\d,]+) of", _said(tab)).groups()]


def test_the_whole_step_is_told_first(tab, make_run):
    _press(tab, "Whole step")
    assert _view(tab) == [0, make_run(1).result.counters.cycles]
    assert "lanes 87.5 %" in _said(tab) and "port, loads 0.0 %" in _said(tab)


def test_buttons_zoom_and_move_within_the_step(tab, make_run):
    whole = make_run(1).result.counters.cycles
    _press(tab, "Whole step")
    _press(tab, "Zoom in")
    assert _view(tab) == [whole // 4, 3 * whole // 4]
    _press(tab, "Later")
    assert _view(tab) == [whole // 2, whole]
    _press(tab, "Later")
    assert _view(tab) == [whole // 2, whole]
    _press(tab, "Zoom out")
    assert _view(tab) == [0, whole]
    for _ in range(60):
        _press(tab, "Zoom in")
    first, last = _view(tab)
    assert last - first == 20


def test_what_is_pointed_at_is_told_with_its_cycles(tab):
    _press(tab, "Whole step")
    for _ in range(10):
        _press(tab, "Zoom in")
    first, last = _view(tab)
    told = _point(tab, 0.5, 0)
    at = int(re.search(r"step (\d+)", told)[1])
    assert first - STEP <= at * STEP <= last
    assert f"cycles {at * STEP:,} to {(at + 1) * STEP:,}, 8 µs" in told
    assert ("waits for matrix columns 250" in told) == (at % 2 == 1)
    assert f"at work {750 if at % 2 else '1,000'}" in told
    assert _point(tab, 0.5, 1).startswith("port, loads: cycles 0 to")


def test_dragging_shows_what_was_chosen(tab, make_run):
    _press(tab, "Whole step")
    tab.evaluate(
        "(() => { const c = document.querySelector('.sheet canvas'), b = c.getBoundingClientRect();"
        " const at = (type, share) => c.dispatchEvent(new PointerEvent(type, { pointerId: 1, bubbles: true,"
        " clientX: b.left + share * b.width, clientY: b.top + 20 }));"
        " c.setPointerCapture = () => {}; at('pointerdown', 0.25); at('pointermove', 0.5); at('pointerup', 0.5) })()"
    )
    whole = make_run(1).result.counters.cycles
    assert np.allclose(np.array(_view(tab)) / whole, [0.25, 0.5], atol=0.002)


def test_bars_have_the_shares_of_what_is_in_them(tab):
    """Every pixel of the lanes, of the whole step, holds many stretches: seven eighths of it are work."""
    _press(tab, "Whole step")
    blue = tab.evaluate(
        "(() => { const c = document.querySelector('.sheet canvas');"
        " const { data } = c.getContext('2d').getImageData(100, 18, 1, 22);"
        " let count = 0; for (let i = 0; i < data.length; i += 4) count += Number(data[i + 2] > data[i]);"
        " return count / 22 })()"
    )
    assert blue == pytest.approx(0.875, abs=0.05)
