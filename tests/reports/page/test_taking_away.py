"""What a reader takes away from the page, in a real browser: tables unrounded, figures as they are seen."""

from __future__ import annotations

import base64
import csv
import io
import struct
import zlib
from dataclasses import replace
from xml.etree import ElementTree

import browser as chromium
import numpy as np
import pytest

from deltatrain.reports.page import Contents, render
from deltatrain.reports.table import phase_rows
from deltatrain.reports.timeline.schedule import Stretch

pytestmark = pytest.mark.skipif(
    chromium.chromium() is None, reason="no Chromium on this machine: install one (Debian: chromium) to test the page"
)

CAUGHT = """
    window.saved = [];
    URL.createObjectURL = (blob) => { window.blob = blob; return "data:," };
    HTMLAnchorElement.prototype.click = function () { window.saved.push(this.download) };
"""
"""Keeps what would be downloaded."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium.browsing(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def watched(make_run):
    run = make_run(1)
    cycles = run.result.counters.cycles
    return make_run(1, schedule={"engine": [Stretch(cycles, {"stream": cycles // 3}, "matvec FP", 1)]})


@pytest.fixture(scope="module")
def pages(tmp_path_factory, watched, everything):
    folder = tmp_path_factory.mktemp("pages")
    for name, contents in (
        ("run", Contents("run", [watched], (), "0.1.0")),
        ("sweep", Contents("sweep", (), everything.sweeps, "0.1.0")),
    ):
        (folder / f"{name}.html").write_text(render(contents), encoding="utf-8")
    return folder


def _tab(browser, page, dark=False):
    tab = browser.tab()
    tab.screen(1280, dark=dark)
    tab.open(page)
    tab.evaluate(CAUGHT)
    return tab


def _rows(text):
    return list(csv.reader(io.StringIO(text)))


def test_a_table_is_saved_unrounded(browser, pages, watched):
    tab = _tab(browser, pages / "run.html")
    text = tab.evaluate(
        "(() => { const t = [...document.querySelectorAll('table')].find((t) => t.caption.textContent === 'Phases');"
        " t.closest('details').querySelector('.save button:last-child').click(); return window.blob.text() })()"
    )
    assert tab.evaluate("window.saved") == ["phases.csv"]
    heads, *rows = _rows(text)
    wanted = phase_rows(watched.result)
    assert [row[0] for row in rows] == [row["phase"] for row in wanted]
    for column, key in (("Cycles", "cycles"), ("Time", "time_s"), ("MACs done", "macs"), ("Speed-up", "speedup")):
        at = heads.index(column)
        assert [float(row[at]) for row in rows] == [float(row[key]) for row in wanted]


def test_every_table_and_figure_can_be_taken(browser, pages):
    tab = _tab(browser, pages / "run.html")
    tables = "[...document.querySelectorAll('table')].map((t) => t.closest('details').querySelectorAll('.save').length)"
    assert set(tab.evaluate(tables)) == {1}
    figures = "[...document.querySelectorAll('figure')].map((f) => f.querySelectorAll('.save button').length)"
    assert set(tab.evaluate(figures)) == {2}


def test_csv_keeps_commas_quotes_and_lines(browser, make_run, tmp_path):
    run, note = make_run(1), 'a, "b"\nc'
    noted = replace(run, result=run.result.model_copy(update={"provenance": {"note": note, "seed": 1}}))
    (tmp_path / "page.html").write_text(render(Contents("run", [noted], (), "0.1.0")), encoding="utf-8")
    tab = _tab(browser, tmp_path / "page.html")
    rows = _rows(
        tab.evaluate(
            "(() => { const box = document.querySelector('#run-0-provenance details');"
            " box.querySelector('.save button:last-child').click(); return window.blob.text() })()"
        )
    )
    assert ["note", note] in rows and ["seed", "1"] in rows


def _pixels(png: bytes) -> np.ndarray:
    """Return the filtered lines of a PNG of 8 bits, colours with or without alpha, read by its specification."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert depth == 8 and kind in (2, 6)
    at, packed = 8, b""
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            packed += png[at + 8 : at + 8 + length]
        at += length + 12
    channels = 3 if kind == 2 else 4
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * channels)
    assert (lines[:, 0] < 5).all()
    return lines


def _saved(tab, figure, form):
    """Press a figure's button and return the bytes of the file."""
    return base64.b64decode(
        tab.evaluate(
            f"(async () => {{ window.blob = null; [...{figure}.querySelectorAll('button')]"
            f".find((b) => b.textContent === 'Save as {form}').click();"
            " while (!window.blob) await new Promise((done) => setTimeout(done, 20));"
            " let text = ''; for (const byte of new Uint8Array(await window.blob.arrayBuffer()))"
            " text += String.fromCharCode(byte); return btoa(text) })()"
        )
    )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("figure", ["Time of each phase", "Units over time", "Blocks, flows and how busy each was"])
def test_a_figure_is_saved_as_it_is_seen(figure, dark, browser, pages):
    tab = _tab(browser, pages / "run.html", dark)
    found = f"[...document.querySelectorAll('figure')].find((f) => f.firstElementChild.textContent === '{figure}')"
    width, height = tab.evaluate(f"(() => {{ const f = {found}; return [f.offsetWidth, f.offsetHeight] }})()")
    svg, png = (_saved(tab, found, form) for form in ("SVG", "PNG"))
    assert struct.unpack(">II", png[16:24]) == (2 * (width + 32), 2 * (height + 32))
    assert len(np.unique(_pixels(png))) > 20  # not blank
    text = svg.decode()
    assert text.startswith("<svg") and figure in text and "<script" not in text and "Save as" not in text
    ElementTree.fromstring(text)  # well-formed


def test_the_points_that_filters_leave_are_saved_as_they_are_sorted(browser, pages, everything):
    tab = _tab(browser, pages / "sweep.html")
    tab.evaluate("(() => { const only = document.querySelector('.tick input'); only.click() })()")
    text = tab.evaluate(
        "(() => { [...document.querySelectorAll('.explorer .save button')]"
        ".filter((b) => b.textContent === 'Save as CSV').at(-1).click(); return window.blob.text() })()"
    )
    heads, *rows = _rows(text)
    table = everything.sweeps[0].table
    front = table.filter(table["on_front"]).sort("seconds")
    assert [int(row[heads.index("point")]) for row in rows] == front["point"].to_list()
    energies = [float(row[heads.index("energy_j")]) for row in rows]
    assert energies == pytest.approx(front["energy_j"].to_list(), rel=1e-8)


def _choose(tab, axis, column):
    tab.evaluate(
        f"(() => {{ const s = document.querySelector('[data-axis={axis}]'); s.value = '{column}';"
        " s.dispatchEvent(new Event('change')) })()"
    )


def test_failed_points_are_drawn_where_they_fail(browser, pages, everything):
    tab, table = _tab(browser, pages / "sweep.html"), everything.sweeps[0].table
    failed = table["failure"].is_not_null().sum()
    assert failed and tab.evaluate("document.querySelectorAll('.cross').length") == 0
    _choose(tab, "x", "machine.dma.buffer_bytes")
    assert tab.evaluate("document.querySelectorAll('.cross').length") == failed
    assert set(tab.evaluate("[...document.querySelectorAll('.cross')].map((c) => c.getAttribute('y'))")) == {"0.000%"}
    _choose(tab, "y", "machine.engine.lanes")
    assert len(set(tab.evaluate("[...document.querySelectorAll('.cross')].map((c) => c.getAttribute('y'))"))) > 1
    assert f"{failed} failed" in tab.evaluate("document.querySelector('.explorer [role=status]').textContent")


def test_points_at_one_place_are_one(browser, pages, everything):
    tab, table = _tab(browser, pages / "sweep.html"), everything.sweeps[0].table
    _choose(tab, "x", "machine.engine.lanes")
    _choose(tab, "y", "machine.engine.lanes")
    known = table.filter(table["failure"].is_null())
    places = known["machine.engine.lanes"].n_unique()
    assert tab.evaluate("document.querySelectorAll('.explorer .point').length") == places
    tab.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    left, top = tab.evaluate(
        "(() => { document.querySelector('.plot').scrollIntoView(); const b ="
        " document.querySelector('.explorer .point').getBoundingClientRect(); return [b.left + 3, b.top + 3] })()"
    )
    tab.move(left, top)
    more = tab.evaluate("document.querySelector('.tip p').textContent")
    counts = known["machine.engine.lanes"].value_counts()["count"].to_list()
    assert more in {f"and {count - 1:,} more here" for count in counts}


def test_parallel_lines_are_the_points(browser, pages, everything):
    tab, table = _tab(browser, pages / "sweep.html"), everything.sweeps[0].table
    assert tab.evaluate("document.querySelectorAll('.thread').length") == len(table)
    failed = table["failure"].is_not_null().sum()
    assert tab.evaluate("document.querySelectorAll('.thread.failed').length") == failed
    titles = tab.evaluate("[...document.querySelectorAll('.parallel .axis-title')].map((t) => t.textContent)")
    corners = tab.evaluate(
        "[...document.querySelectorAll('.thread')].map((t) =>"
        " [t.classList.contains('failed'), t.getAttribute('d').split('L').length])"
    )
    assert len(titles) == 6  # three fields that differ, three objectives
    assert all(count == (3 if lost else 6) for lost, count in corners)
    best = table.filter(table["feasible"])["seconds"].min()
    at = titles.index("time")
    ends = tab.evaluate(
        "[...document.querySelectorAll('.thread:not(.failed)')].map((t) =>"
        " t.getAttribute('d').slice(1).split('L').map((c) => Number(c.split(' ')[1])))"
    )
    heights = np.array(ends)[:, at]
    assert heights.min() == 0 and heights.max() == 1000 and (heights == 1000).sum() == (table["seconds"] == best).sum()
