from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from pages import parse, rows

from deltatrain.accel.quantity import share
from deltatrain.reports.page import Contents, render
from deltatrain.reports.page.block_diagram import block_diagram

SECTIONS = ("machine", "phases", "roofline", "memory", "energy", "learning", "provenance")


@pytest.fixture(scope="module")
def pages(everything):
    """Pages of every kind, parsed: several runs and a sweep, one run, one sweep."""
    kinds = {
        "everything": everything,
        "run": Contents("one", everything.runs[:1], (), "0.1.0"),
        "sweep": Contents("one", (), everything.sweeps, "0.1.0"),
    }
    return {kind: parse(render(contents)) for kind, contents in kinds.items()}


@pytest.fixture(params=["everything", "run", "sweep"])
def page(pages, request):
    return pages[request.param]


def test_one_first_heading_and_no_level_left_out(page):
    levels = [int(node.tag[1]) for node in page.walk() if re.fullmatch(r"h[1-6]", node.tag)]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_landmarks_and_language(page):
    assert page.one("html").attributes["lang"] == "en"
    for landmark in ("main", "header", "footer"):
        page.one(landmark)
    assert page.one("a", class_="skip").attributes["href"] == "#main"
    assert all("aria-label" in nav.attributes for nav in page.all("nav"))
    assert page.one("head").one("title").text


def test_names_are_unique_and_references_lead_somewhere(page):
    ids = [node.attributes["id"] for node in page.walk() if "id" in node.attributes]
    assert len(set(ids)) == len(ids)
    for node in page.walk():
        target = node.attributes.get("href") or ""
        if target.startswith("#"):
            assert target[1:] in ids
        for reference in ("aria-labelledby", "data-points"):
            if reference in node.attributes:
                assert node.attributes[reference] in ids


def test_tables_have_captions_and_headings_of_every_column(page):
    tables = page.all("table")
    assert tables
    for table in tables:
        assert table.one("caption").text
        headings = table.one("thead").all("th", scope="col")
        assert headings and all(heading.text for heading in headings)
        for row in rows(table):
            assert len(row) == len(headings) and row[0].has("scope", "row")


def test_every_drawing_is_described(page):
    drawings = [node for node in page.walk() if node.attributes.get("role") == "img"]
    assert all(drawing.attributes.get("aria-label") for drawing in drawings)
    assert all(figure.one("figcaption").text for figure in page.all("figure"))


def test_every_section_is_there(pages):
    ids = {node.attributes.get("id") for node in pages["everything"].walk()}
    assert {f"run-0-{section}" for section in SECTIONS} <= ids
    assert {f"run-1-{section}" for section in SECTIONS if section != "learning"} <= ids
    assert {"sweep-0-points", "sweep-0-provenance", "sweep-0-data"} <= ids
    assert "run-1-learning" not in ids  # nothing is known of its deltas


def test_nothing_comes_from_elsewhere(page):
    for node in page.walk():
        for name, content in node.attributes.items():
            assert name not in ("src", "srcset", "data", "action", "xlink:href"), node
            assert "//" not in (content or ""), node
    assert not page.all("link")
    (style,) = page.all("style")
    assert "url(" not in style.text and "@import" not in style.text
    (policy,) = page.all("meta", http_equiv="Content-Security-Policy")
    assert "default-src 'none'" in (policy.attributes["content"] or "")


def test_timeline_is_linked_only_where_there_is_one(pages):
    links = [node.attributes["href"] for node in pages["everything"].all("a") if "download" in node.attributes]
    assert links == ["timeline.pftrace"]
    assert not [node for node in pages["run"].all("a") if "download" in node.attributes]


def test_every_headline_number_says_how_it_was_found(page):
    cards = page.all("li", class_="card")
    said = {node.text for node in page.all("dt")}
    assert cards
    for card in cards:
        assert card.one("span", class_="origin").text in said
        assert card.one("p", class_="card-baseline").text


def test_every_section_with_numbers_says_how_they_were_found(pages):
    page = pages["run"]
    found = {name: page.one("section", id=f"run-0-{name}").all("span", class_="origin") for name in SECTIONS}
    assert {name: [badge.text for badge in badges] for name, badges in found.items()} == {
        **{name: ["simulated"] for name in ("machine", "phases", "roofline", "memory")},
        "energy": ["modelled"],
        "learning": ["measured"],
        "provenance": [],
    }


def test_names_from_files_cannot_break_out(make_run, make_sweep):
    evil = '</script><script>alert("&amp;")</script>'
    run, sweep = make_run(1, name=evil), make_sweep(1)
    run = replace(run, result=run.result.model_copy(update={"workload": {"name": evil}}))
    table = sweep.table.with_columns(machine_note=None).rename({"machine_note": "machine.note"})
    notes = [f"{evil}{index % 2}" for index in range(len(table))]
    table = table.with_columns(table["point"].replace_strict(range(len(table)), notes).alias("machine.note"))
    sweep = replace(sweep, name=evil, about=evil, table=table, fields=(*sweep.fields, "machine.note"))
    page = parse(render(Contents(evil, [run], [sweep], "0.1.0")))
    kinds = [script.attributes.get("type") for script in page.all("script")]
    assert kinds == ["application/json", "module"]
    columns = json.loads(page.one("script", id="sweep-0-data").children[0])["columns"]
    assert notes in [column["values"] for column in columns]
    assert page.one("h1").text == evil.replace("&amp;", "&amp;")


def test_same_contents_same_bytes_in_any_process(make_run, tmp_path):
    make_run(1).result.save(tmp_path / "result.json")
    code = (
        "import sys; from pathlib import Path; from deltatrain.accel.result import Result; "
        "from deltatrain.reports.page import *; "
        "run = Run('one', Result.load(Path(sys.argv[1])), 'cycle'); "
        "sys.stdout.write(render(Contents('one', [run], (), '1')))"
    )
    written = {
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "result.json")],
            check=True,
            capture_output=True,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(written) == 1


def test_two_thousand_points_are_below_three_megabytes(make_sweep):
    page = render(Contents("large", (), [make_sweep(1, 2_000, 30)], "0.1.0"))
    assert len(page.encode()) < 3_000_000


def test_a_sweep_of_which_every_point_failed_has_a_page(make_sweep):
    sweep = make_sweep(1, 20)
    found = ["seconds", "energy_j", "accuracy"]
    table = sweep.table.drop(found).with_columns(failure=sweep.table["digest"], reason=sweep.table["digest"])
    page = parse(render(Contents("none", (), [replace(sweep, table=table)], "0.1.0")))
    assert "20 failed" in page.one("article").text
    assert not page.all("li", class_="card")


@pytest.mark.parametrize("points", [0, 5])
def test_a_sweep_that_was_stopped_has_a_page_of_what_is_finished(make_sweep, points):
    """How well its searches did is not known before their end."""
    stopped = replace(make_sweep(1, 5), searches=[])
    stopped = replace(stopped, table=stopped.table.head(points))
    page = parse(render(Contents("stopped", (), [stopped], "0.1.0")))
    captions = [table.one("caption").text for table in page.all("table")]
    assert "Searches" not in captions and f"{points:,} design points" in page.text


def test_several_tiles_are_drawn_as_one_with_the_exchange_between_them(make_run):
    run = make_run(1)
    wires = {"count": 1472, "exchange_bytes_per_cycle": 4, "exchange_latency_cycles": 100}
    several = {**run.result.architecture, "tiles": wires}
    engine = {**several["engine"], "lanes": 2}
    result = run.result.model_copy(update={"architecture": {**several, "engine": engine}})
    one, many = (str(block_diagram(replace(run, result=found))) for found in (run.result, result))
    exchange = result.counters.units["exchange"].busy_cycles / result.counters.cycles
    assert "1,472 tiles at" in many and "tiles at" not in one and "Tile at" in one
    assert many.count(f">exchange {share(exchange)}<") == 2  # on wide and on narrow screens
    assert "exchange of 4 B a cycle" in many and "exchange" not in one
    assert many.count('class="track"') - one.count('class="track"') == 2 * (1 + 2 - min(run.result.counters.lanes, 32))
