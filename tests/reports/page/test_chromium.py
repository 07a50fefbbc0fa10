"""The page as a reader has it: in a real browser, with its script, at two widths, light and dark."""

from __future__ import annotations

import json
from pathlib import Path

import browser as chromium
import numpy as np
import pytest

from deltatrain.accel.quantity import quantity, share
from deltatrain.reports import page
from deltatrain.reports.page import Contents, render

pytestmark = pytest.mark.skipif(
    chromium.chromium() is None, reason="no Chromium on this machine: install one (Debian: chromium) to test the page"
)

SCREENS = [(width, dark) for width in (1280, 390, 360) for dark in (False, True)]
SCRIPTS = Path(page.__file__).parent / "scripts"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium.browsing(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def files(tmp_path_factory, everything):
    """The page of everything, and the page of the sweep alone."""
    folder = tmp_path_factory.mktemp("pages")
    sweep = Contents("sweep", (), everything.sweeps, "0.1.0")
    for name, contents in (("everything", everything), ("sweep", sweep)):
        (folder / f"{name}.html").write_text(render(contents), encoding="utf-8")
    return folder


@pytest.fixture
def tab(browser):
    """A fresh tab; a test that leaves a complaint on its console fails."""
    opened = browser.tab()
    opened.screen(1280)
    yield opened
    assert opened.complaints == []


@pytest.fixture
def sweep_tab(tab, files):
    tab.open(files / "sweep.html")
    tab.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    return tab


@pytest.fixture
def table(everything):
    return everything.sweeps[0].table


def _choose(tab, axis, column):
    tab.evaluate(
        f"(() => {{ const s = document.querySelector('[data-axis={axis}]'); s.value = {json.dumps(column)};"
        " s.dispatchEvent(new Event('change')) })()"
    )


def _tick(tab, column, words):
    """Press the box of a filter."""
    tab.evaluate(
        f"[...document.querySelectorAll('[data-filter=\"{column}\"] label')]"
        f".find((label) => label.textContent === {json.dumps(words)}).querySelector('input').click()"
    )


def _write(tab, column, end, text):
    tab.evaluate(
        f"(() => {{ const i = document.querySelectorAll('[data-filter=\"{column}\"] input')[{end}];"
        f" i.value = {json.dumps(text)}; i.dispatchEvent(new Event('input')) }})()"
    )


def _points(tab):
    """Numbers of the points in the table, in its order, after showing all of them."""
    tab.evaluate("(() => { const m = document.querySelector('.more'); while (!m.hidden) m.click() })()")
    return tab.evaluate("[...document.querySelectorAll('.explorer tbody tr')].map((row) => Number(row.dataset.point))")


def _circles(tab):
    return tab.evaluate("document.querySelectorAll('.explorer .point').length")


@pytest.mark.parametrize(("width", "dark"), SCREENS)
@pytest.mark.parametrize("name", ["everything", "sweep"])
def test_loads_quietly_and_fits_the_screen(tab, files, name, width, dark):
    tab.screen(width, dark=dark)
    tab.open(files / f"{name}.html")
    tab.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")
    assert tab.requests == [(files / f"{name}.html").as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 23, 29)" if dark else "rgb(255, 255, 255)")


@pytest.mark.parametrize("width", [1280, 390])
def test_words_stay_inside_their_blocks(tab, files, width):
    tab.screen(width)
    tab.open(files / "everything.html")
    out = tab.evaluate("""
        [...document.querySelectorAll('.machine svg')].filter((svg) => svg.clientWidth).flatMap((svg) =>
          [...svg.querySelectorAll('g')].filter((g) => g.querySelector('.block')).flatMap((g) => {
            const block = g.querySelector('.block').getBBox();
            return [...g.querySelectorAll('text')].filter((text) => {
              const box = text.getBBox();
              return box.x < block.x || box.x + box.width > block.x + block.width
                || box.y < block.y || box.y + box.height > block.y + block.height;
            }).map((text) => text.textContent);
          }))
    """)
    assert out == []
    shown = "[...document.querySelectorAll('.machine svg')].filter((svg) => svg.getBoundingClientRect().width)"
    assert tab.evaluate(f"new Set({shown}.map((svg) => svg.classList[0])).size") == 1


@pytest.mark.parametrize("width", [1280, 390])
def test_bars_are_drawn_on_one_scale(tab, files, width):
    tab.screen(width)
    tab.open(files / "everything.html")
    charts = tab.evaluate("""
        [...document.querySelectorAll('.bars')].map((chart) => [...chart.querySelectorAll('.bar')].map((bar) =>
          [Number(getComputedStyle(bar).getPropertyValue('--length')), bar.getBoundingClientRect().width]))
    """)
    assert len(charts) == 9
    for bars in charts:
        longest = max(drawn for _, drawn in bars)
        assert longest > 90
        assert all(drawn == pytest.approx(max(2, share * longest), abs=0.5) for share, drawn in bars)


@pytest.mark.parametrize("width", [1280, 390])
def test_stacked_bars_of_a_chart_begin_and_end_together(tab, files, width):
    tab.screen(width)
    tab.open(files / "everything.html")
    charts = tab.evaluate("""
        [...document.querySelectorAll('.stacks')].map((chart) => [...chart.querySelectorAll('.stack')].map((stack) => {
          const { x, width } = stack.getBoundingClientRect();
          return [x, width];
        }))
    """)
    assert len(charts) == 7
    for stacks in charts:
        assert stacks == [stacks[0]] * len(stacks) and stacks[0][1] > 250


def test_every_control_has_a_name_and_shows_its_focus(sweep_tab):
    nameless = sweep_tab.evaluate("""
        [...document.querySelectorAll('button, select, input, summary, a, [tabindex="0"]')].filter((e) =>
          !(e.textContent.trim() || e.labels?.[0]?.textContent.trim() || e.getAttribute('aria-label')
            || e.getAttribute('aria-labelledby'))).length
    """)
    assert nameless == 0
    sweep_tab.press("Tab")
    assert sweep_tab.evaluate("document.activeElement.classList.contains('skip')")
    sweep_tab.press("Tab")
    assert sweep_tab.evaluate("document.activeElement.id") == "theme"
    assert sweep_tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_reader_chooses_light_or_dark(tab, files):
    tab.open(files / "everything.html")
    before = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.evaluate("document.getElementById('theme').focus()")
    tab.press("Enter")
    assert tab.evaluate("document.getElementById('theme').getAttribute('aria-pressed')") == "true"
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != before
    tab.evaluate("document.getElementById('theme').click()")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == before
    tab.evaluate("localStorage.clear()")


def test_tables_sort_by_the_exact_numbers(tab, files):
    tab.open(files / "everything.html")
    tab.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")
    for table in range(tab.evaluate("document.querySelectorAll('table.sortable').length")):
        here = f"document.querySelectorAll('table.sortable')[{table}]"
        for column in range(tab.evaluate(f"{here}.tHead.rows[0].cells.length")):
            header = f"{here}.tHead.rows[0].cells[{column}]"
            for way in ("ascending", "descending"):
                tab.evaluate(f"{header}.querySelector('button').click()")
                assert tab.evaluate(f"{header}.getAttribute('aria-sort')") == way
                cells = f"[...{here}.tBodies[0].rows].map((row) => row.cells[{column}])"
                keys = tab.evaluate(f"{cells}.map((cell) => Number(cell.dataset.value ?? NaN))")
                numbers = [key for key in keys if key is not None]
                assert numbers == sorted(numbers, reverse=way == "descending")
            assert tab.evaluate(f"{here}.querySelectorAll('[aria-sort]').length") == 1


def test_a_heading_sorts_from_the_keyboard(tab, files):
    tab.open(files / "everything.html")
    tab.evaluate("document.querySelector('table.sortable th:nth-child(5) button').focus()")
    tab.press("Enter")
    assert tab.evaluate("document.querySelector('table.sortable th:nth-child(5)').ariaSort") == "ascending"


def test_a_link_unfolds_what_it_points_into(tab, files):
    tab.open(files / "everything.html")
    caption = "run-0-energy-1-caption"
    assert not tab.evaluate(f"document.getElementById('{caption}').closest('details').open")
    tab.evaluate(f"location.hash = '{caption}'; new Promise((done) => setTimeout(done, 50))")
    assert tab.evaluate(f"document.getElementById('{caption}').closest('details').open")


def test_all_points_are_drawn_and_listed(sweep_tab, table):
    simulated = table["seconds"].drop_nulls().len()
    assert _circles(sweep_tab) == simulated
    on_front = sweep_tab.evaluate("document.querySelectorAll('.point.on-front').length")
    assert on_front == table["on_front"].sum() > 1
    outside = (~table["feasible"] & table["failure"].is_null()).sum()
    assert sweep_tab.evaluate("document.querySelectorAll('.point.outside').length") == outside > 0
    assert sorted(_points(sweep_tab)) == table["point"].to_list()
    said = sweep_tab.evaluate("document.querySelector('.explorer [role=status]').textContent")
    assert said.startswith(f"{len(table)} of {len(table)} points, {on_front} of them on the front")


def test_filters_choose_points_of_chart_and_table(sweep_tab, table):
    _tick(sweep_tab, "machine.engine.lanes", "2")
    _tick(sweep_tab, "machine.placement.weights", "remote")
    _write(sweep_tab, "seconds", 1, "0.005")
    chosen = table.filter(
        (table["machine.engine.lanes"] != 2)
        & (table["machine.placement.weights"] != "remote")
        & (table["seconds"] <= 0.005)
    )
    assert 0 < len(chosen) < len(table)
    assert _circles(sweep_tab) == len(chosen)
    assert sorted(_points(sweep_tab)) == chosen["point"].to_list()
    _write(sweep_tab, "machine.dma.buffer_bytes", 0, "50000")
    chosen = chosen.filter(chosen["machine.dma.buffer_bytes"] >= 50_000)
    assert sorted(_points(sweep_tab)) == chosen["point"].to_list()
    sweep_tab.evaluate("document.querySelector('.controls .tick input').click()")
    assert sorted(_points(sweep_tab)) == chosen.filter(chosen["on_front"])["point"].to_list()
    sweep_tab.evaluate("document.querySelector('.controls button').click()")
    assert len(_points(sweep_tab)) == len(table)


def test_failures_can_be_looked_at_alone(sweep_tab, table):
    _tick(sweep_tab, "failure", "none")
    failed = table.filter(table["failure"].is_not_null())["point"].to_list()
    assert _circles(sweep_tab) == 0
    assert sorted(_points(sweep_tab)) == failed
    assert sweep_tab.evaluate("document.querySelector('.explorer tbody tr').textContent").endswith("FitError")


@pytest.mark.parametrize("column", ["energy_j", "accuracy", "machine.dma.buffer_bytes"])
def test_the_points_sort_with_failures_last(sweep_tab, table, column):
    headings = sweep_tab.evaluate("[...document.querySelectorAll('.explorer thead th')].map((th) => th.textContent)")
    names = {
        "energy_j": "energy",
        "accuracy": "accuracy of the float training",
        "machine.dma.buffer_bytes": "dma.buffer_bytes",
    }
    button = f"document.querySelectorAll('.explorer thead button')[{headings.index(names[column])}]"
    for descending in (False, True):
        sweep_tab.evaluate(f"{button}.click()")
        ordered = table.sort([column, "point"], descending=[descending, False], nulls_last=True)["point"].to_list()
        assert _points(sweep_tab) == ordered
        way = "descending" if descending else "ascending"
        assert sweep_tab.evaluate("document.querySelector('.explorer th[aria-sort]').ariaSort") == way


def test_the_pointer_finds_the_point_under_it(sweep_tab, table):
    sweep_tab.evaluate("document.querySelector('.explorer .plot').scrollIntoView()")
    best = table.filter(table["feasible"]).sort("seconds")["point"][0]
    place = "[...document.querySelectorAll('.point.on-front')].map((c) => c.getBoundingClientRect())"
    left = f"{place}.reduce((a, b) => (a.x <= b.x ? a : b))"
    x, y = sweep_tab.evaluate(f"(() => {{ const c = {left}; return [c.x + c.width / 2, c.y + c.height / 2] }})()")
    sweep_tab.move(x, y)
    tip = "document.querySelector('.explorer .tip')"
    assert sweep_tab.evaluate(f"{tip}.hidden") is False
    words = sweep_tab.evaluate(
        f"[...{tip}.querySelectorAll('dt')].map((dt) => [dt.textContent, dt.nextSibling.textContent])"
    )
    row = table.row(best, named=True)
    assert dict(words) == {
        "time": quantity(row["seconds"], "s"),
        "energy": quantity(row["energy_j"], "J"),
        "accuracy of the float training": share(row["accuracy"]),
        "engine.lanes": str(row["machine.engine.lanes"]),
        "placement.weights": row["machine.placement.weights"],
        "dma.buffer_bytes": f"{row['machine.dma.buffer_bytes']:,} B",
    }
    assert sweep_tab.evaluate("document.querySelector('tr.marked').dataset.point") == str(best)
    sweep_tab.move(1, 1)
    assert sweep_tab.evaluate(f"{tip}.hidden") is True


def test_arrow_keys_walk_along_the_line_and_say_so(sweep_tab):
    sweep_tab.evaluate("document.querySelector('.explorer svg[role=application]').focus()")
    spoken = []
    for _ in range(3):
        sweep_tab.press("ArrowRight")
        spoken.append(sweep_tab.evaluate("document.querySelector('.explorer [aria-live]').textContent"))
    assert len(set(spoken)) == 3 and all("time" in words and "engine.lanes" in words for words in spoken)
    sweep_tab.press("Escape")
    assert sweep_tab.evaluate("document.querySelector('.explorer .tip').hidden") is True


def test_axes_and_colours_follow_the_choice(sweep_tab):
    _choose(sweep_tab, "x", "machine.dma.buffer_bytes")
    _choose(sweep_tab, "colour", "machine.placement.weights")
    names = sweep_tab.evaluate("[...document.querySelectorAll('.explorer .axis-name')].map((e) => e.textContent)")
    assert names == ["energy", "dma.buffer_bytes"]
    key = sweep_tab.evaluate("[...document.querySelectorAll('.explorer .legend li')].map((e) => e.textContent)")
    assert key == ["local", "remote"]
    colours = (
        "new Set([...document.querySelectorAll('.point.line-0, .point.line-1')].map((c) => getComputedStyle(c).fill))"
    )
    assert sweep_tab.evaluate(f"{colours}.size") == 2
    _choose(sweep_tab, "colour", "machine.dma.buffer_bytes")
    assert sweep_tab.evaluate("document.querySelectorAll('.explorer .legend li').length") == 5


def _script(*names):
    return "\n".join((SCRIPTS / f"{name}.js").read_text(encoding="utf-8") for name in names)


def test_the_scripts_numbers_are_the_reports_numbers(tab):
    random = np.random.default_rng(0)
    values = [*(10 ** random.uniform(-14, 17, 400)).tolist(), *random.integers(0, 10**9, 100).tolist(), 0]
    there = tab.evaluate(
        f"(() => {{ {_script('words')}; return {json.dumps(values)}.map((v) => quantity(v, 'B')) }})()"
    )
    assert there == [quantity(value, "B") for value in values]


def test_the_scripts_front_is_the_front(tab):
    random = np.random.default_rng(1)
    for way, sign in (("minimise", 1), ("maximise", -1)):
        x, y = random.integers(0, 30, 200), random.integers(0, 30, 200)
        costs = np.stack([x, sign * y], axis=1)
        beaten = [bool(((costs <= one).all(axis=1) & (costs < one).any(axis=1)).any()) for one in costs]
        columns = [{"values": x.tolist(), "way": "minimise"}, {"values": y.tolist(), "way": way}]
        points = f"[...Array(200).keys()], ...{json.dumps(columns)}"
        there = tab.evaluate(f"(() => {{ {_script('front')}; return frontOf({points}) }})()")
        assert sorted(there) == np.flatnonzero(~np.array(beaten)).tolist()
        assert x[there].tolist() == sorted(x[there])


@pytest.mark.parametrize(("low", "high"), [(1e-6, 1e-5), (3.0, 3.0), (0.0, 5.0), (1e-9, 1e3), (-2.0, 7.0), (40, 700)])
def test_axes_hold_their_values_and_marks(tab, low, high):
    call = f"const a = axisOf([{low}, {high}]); return [a.place({low}), a.place({high}), a.ticks, a.ticks.map(a.place)]"
    start, end, ticks, places = tab.evaluate(f"(() => {{ {_script('axis')}; {call} }})()")
    assert 0 <= start <= end <= 1
    assert ticks == sorted(set(ticks)) and 2 <= len(ticks) <= 14
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)
