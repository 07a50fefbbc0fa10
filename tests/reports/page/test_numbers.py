from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import polars
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pages import parse, rows, value

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.counters import CacheCounters
from deltatrain.accel.quantity import quantity, share, times
from deltatrain.reports import palette
from deltatrain.reports.page import Contents, render
from deltatrain.reports.page.sweep import View, headline
from deltatrain.reports.table import CAUSES, area_rows, energy_rows, memory_rows, phase_rows, roofline_rows, unit_rows

# a smaller seed is no simpler a run, so there is nothing to shrink
FEW = settings(max_examples=8, phases=[Phase.explicit, Phase.reuse, Phase.generate])
SEEDS = st.integers(0, 10**6)


def _page(run):
    return parse(render(Contents("page", [run], (), "0.1.0")))


def _table(page, caption):
    (table,) = [table for table in page.all("table") if table.one("caption").text == caption]
    return rows(table)


def _same(cells, numbers):
    assert [value(cell) for cell in cells] == pytest.approx(numbers, nan_ok=True)


@FEW
@given(SEEDS)
def test_tables_hold_the_numbers_of_the_result(make_run, seed):
    run = make_run(seed)
    page, result = _page(run), run.result
    columns = (
        "time_s",
        "share",
        "cycles",
        "dense_cycles",
        "speedup",
        "utilisation",
        "empty_lane_cycles",
        "occupancy",
        "macs",
        "skipped_macs",
    )
    for cells, row in zip(_table(page, "Phases"), phase_rows(result), strict=True):
        assert cells[0].text == row["phase"]
        _same(cells[1:], [row[column] for column in columns])
    stalls = ["busy_cycles", *(f"stall_{cause}_cycles" for cause in CAUSES)]
    for caption, expected in (
        ("Cycles of each unit", unit_rows(result.counters)),
        ("The lanes' cycles by phase", phase_rows(result)),
    ):
        for cells, row in zip(_table(page, caption), expected, strict=True):
            _same(cells[1:], [row[column] for column in stalls])
    for cells, row in zip(_table(page, "Energy"), energy_rows(result), strict=True):
        _same(cells[1:], [row["energy_j"], row["dense_energy_j"], row["saving"]])
    for cells, row in zip(_table(page, "Area"), area_rows(result), strict=True):
        _same(cells[1:], [row["area_mm2"], row["share"]])
    for what in ("Energy", "Area"):
        assert f"Not in it: {', '.join(result.not_priced[what.lower()])}." in page.text
    moved = ("remote_bytes", "dense_remote_bytes", "local_bytes", "dense_local_bytes")
    for cells, row in zip(_table(page, "Bytes moved"), phase_rows(result), strict=True):
        _same(cells[1:], [row[column] for column in moved])


@FEW
@given(SEEDS)
def test_memory_and_provenance_are_the_results(make_run, seed):
    run = make_run(seed)
    page, result = _page(run), run.result
    delta, dense = memory_rows(result)
    counters = [key for key in delta if key not in ("run", "local_bytes")]
    for cells, key in zip(_table(page, "Off-chip memory"), counters, strict=True):
        _same(cells[1:], [delta[key], dense[key]])
    held = [*run.held.local_bytes.values(), *run.held.remote_bytes.values()]
    _same([cells[2] for cells in _table(page, "What each memory holds")], held)
    known = {cells[0].text: cells[1].text for cells in _table(page, "Where the numbers come from")}
    assert known == {"fidelity": run.fidelity, **{key: str(entry) for key, entry in result.provenance.items()}}
    machine = {cells[0].text: cells[1].text for cells in _table(page, "Machine")}
    assert machine["engine.clock_hz"] == "125,000,000 Hz" and machine["local.bytes"] == "262,144 B"
    assert machine["engine.lanes"] == str(result.counters.lanes)


@FEW
@given(SEEDS)
def test_headline_stands_beside_its_baseline(make_run, seed):
    run = make_run(seed)
    delta, dense = run.result.counters, run.result.dense
    cards = {card.one("p", class_="card-name").text: card.text for card in _page(run).all("li", class_="card")}
    time = cards["Training step simulated"]
    assert quantity(delta.seconds, "s") in time and f"dense {quantity(dense.seconds, 's')}" in time
    assert f"{times(dense.cycles / delta.cycles)} faster" in time
    energy = cards["Energy of the training step modelled"]
    assert quantity(sum(run.result.energy_j.values()), "J") in energy
    assert f"dense {quantity(sum(run.result.dense_energy_j.values()), 'J')}" in energy
    assert quantity(delta.remote.asked_bytes, "B") in cards["Off-chip traffic simulated"]
    used, beside = (share(run.macs / run.cycles / run.lanes) for run in (delta, dense))
    assert f"{used} of what {delta.lanes} lanes could do; dense {beside}" in cards["Lanes used simulated"]
    accuracy = cards["Accuracy of the float training measured"]
    assert "98.0 %" in accuracy and f"{share(run.curves.accuracy[1])} after 2 dense epochs" in accuracy


def test_cut_spikes_stand_in_the_headline(make_run):
    run = make_run(1)
    counts = {"spikes": 900, "spikes_cut": 100, "steps_cut": 7, "steps": 50}
    spiking = run.result.model_copy(update={"training": run.result.training | counts})
    page = _page(replace(run, result=spiking))
    cards = {card.one("p", class_="card-name").text: card.text for card in page.all("li", class_="card")}
    assert "100 of 1,000 (10.0 %) in the last epoch, in 7 of 50 steps" in cards["Spikes cut by full lists measured"]
    assert "Spikes cut" not in _page(run).text


def test_analytic_times_are_called_modelled(make_run):
    run = make_run(1)
    run = replace(run, result=run.result.model_copy(update={"fidelity": "analytic"}))
    names = [card.one("p", class_="card-name").text for card in _page(run).all("li", class_="card")]
    assert "Training step modelled" in names and not any("simulated" in name for name in names)


@pytest.mark.parametrize(
    ("cycles", "dense", "words"), [(100, 50, "2× slower"), (100, 100, None), (100, 500, "5× faster")]
)
def test_slower_than_dense_is_said(make_run, random_result, cycles, dense, words):
    run = make_run(3)
    drawn = random_result(3, cycles * 1000, dense * 1000)
    result = run.result.model_copy(update={"counters": drawn.counters, "dense": drawn.dense})
    card = _page(replace(run, result=result)).all("li", class_="card")[0]
    assert words in card.text if words else not card.all("span", class_="gain")


@FEW
@given(SEEDS)
def test_bars_are_as_long_as_their_numbers(make_run, seed):
    run = make_run(seed)
    time, *_ = _page(run).all("div", class_="bars")
    lengths = [float(re.sub("--length:", "", bar.attributes["style"])) for bar in time.all("span", class_="bar")]
    rows = phase_rows(run.result)
    longest = max(row["cycles"] for row in rows)
    cycles = [number / longest for row in rows for number in (row["cycles"], row["dense_cycles"])]
    assert lengths == pytest.approx(np.minimum(cycles, 1), abs=1e-5)
    kinds = [set(bar.attributes["class"].split()[1:]) for bar in time.all("span", class_="bar")]
    assert kinds == [
        {"delta"} if at % 2 == 0 else {"mark", "beyond"} if share > 1 else {"mark"} for at, share in enumerate(cycles)
    ]


@FEW
@given(SEEDS)
def test_parts_of_stacked_bars_are_shares_of_the_cycles(make_run, seed):
    run = make_run(seed)
    units, phases, held, area = _page(run).all("div", class_="stacks")
    for chart, expected in ((units, unit_rows(run.result.counters)), (phases, phase_rows(run.result))):
        for row, numbers in zip(chart.all("div", class_="stack-row"), expected, strict=True):
            widths = {part.attributes["class"].split()[1]: _per_cent(part) for part in row.all("span", class_="part")}
            parts = {"busy": numbers["busy_cycles"]} | {cause: numbers[f"stall_{cause}_cycles"] for cause in CAUSES}
            whole = sum(parts.values())
            assert widths == pytest.approx({k: 100 * v / whole for k, v in parts.items() if v}, abs=1e-3)
    local, _ = held.all("div", class_="stack-row")
    sizes = [100 * size / 262_144 for size in run.held.local_bytes.values()]
    assert [_per_cent(part) for part in local.all("span", class_="part")] == pytest.approx(sizes, abs=1e-3)
    shares = [100 * row["share"] for row in area_rows(run.result)[:-1]]
    assert [_per_cent(part) for part in area.all("span", class_="part")] == pytest.approx(shares, abs=1e-3)


def _per_cent(part):
    return float(re.fullmatch(r"width:([\d.]+)%", part.attributes["style"])[1])


def test_bars_of_the_off_chip_memory_are_its_clocks_and_the_cycles_lost(make_run):
    run = make_run(1)
    ticks = {use: 1000 * (number + 1) for number, use in enumerate(palette.BUS_LABELS)}
    starved = {why: 10 * (number + 1) for number, why in enumerate(palette.STARVED_LABELS)}
    remote = run.result.counters.remote.model_copy(update={"bus_ticks": ticks})
    counters = run.result.counters.model_copy(update={"remote": remote})
    shown = _page(replace(run, result=run.result.model_copy(update={"counters": counters, "starved_cycles": starved})))
    buses, lanes = shown.all("div", class_="stacks")[2:4]
    for chart, numbers in ((buses, ticks), (lanes, starved)):
        row = chart.all("div", class_="stack-row")[0]
        widths = [_per_cent(part) for part in row.all("span", class_="part")]
        assert widths == pytest.approx([100 * number / sum(numbers.values()) for number in numbers.values()], abs=1e-3)
    moving = (ticks["read"] + ticks["write"]) / sum(ticks.values())
    assert buses.all("span", class_="value")[0].text == share(moving)
    cells = _table(shown, "Clocks of the off-chip data buses")
    _same([row[1] for row in cells], list(ticks.values()))


def test_what_the_column_cache_had_stands_in_a_table_and_in_the_drawing(make_run):
    run = make_run(1)
    counted = {
        "FP": CacheCounters(hits=30, misses=10, write_backs=0),
        "RF": CacheCounters(hits=0, misses=0, write_backs=0),
        "WG": CacheCounters(hits=20, misses=20, write_backs=7),
    }
    counters = run.result.counters.model_copy(update={"cache": counted})
    shown = _page(replace(run, result=run.result.model_copy(update={"counters": counters, "dense": None})))
    cells = _table(shown, "Column cache")
    assert [row[0].text for row in cells] == ["FP", "WG"]
    _same([cell for row in cells for cell in row[1:]], [0.75, 30, 10, 0, 0.5, 20, 20, 7])
    drawn = [text.text for drawing in shown.one("div", class_="machine").all("svg") for text in drawing.all("text")]
    assert sum(words.endswith("column cache hit 62.5 %") for words in drawn) == 2  # for wide and for narrow screens
    assert "Column cache" not in [table.one("caption").text for table in _page(run).all("table")]


@FEW
@given(SEEDS)
def test_roofline_points_read_back(make_run, seed):
    """Places on a logarithmic axis are linear in the logarithm of the number: any two points fix the axis."""
    run = make_run(seed)
    expected = roofline_rows(run.result)
    shown = _page(run)
    points = [point for point in shown.all("circle") if point.has("class", "phase-point")]
    read = []
    order = [row for ours in ("dense", "delta") for row in expected if row["run"] == ours]
    for axis, key, sign in (("cx", "macs_per_remote_byte", 1), ("cy", "macs_per_second", -1)):
        places = np.array([float(point.attributes[axis].rstrip("%")) for point in points])
        numbers = np.log([row[key] for row in order])
        slope, offset = np.polyfit(numbers, places, 1)
        assert sign * slope > 0
        assert places == pytest.approx(slope * numbers + offset, abs=2e-3)
        read.append((slope, offset))
    machine = Architecture.from_table(run.result.architecture)
    peak, rate = machine.peak_macs_per_second, machine.remote_peak_bytes_per_second
    corners = re.findall(r"([\d.]+) ([\d.]+)", shown.one("path", class_="roof").attributes["d"])
    assert len(corners) == 3
    for corner in corners:  # in thousandths of the plot; the lowest ends at its floor
        intensity, speed = (math.exp((float(at) / 10 - b) / a) for at, (a, b) in zip(corner, read, strict=True))
        if float(corner[1]) < 1000:
            assert speed == pytest.approx(min(peak, rate * intensity), rel=0.02)


@FEW
@given(SEEDS)
def test_roofline_rows_obey_the_roof(make_run, seed):
    run = make_run(seed)
    machine, clock = Architecture.from_table(run.result.architecture), run.result.counters.clock_hz
    for row in roofline_rows(run.result):
        counters = run.result.counters if row["run"] == "delta" else run.result.dense
        phases = counters.phases.values() if row["phase"] == "total" else [counters.phases[row["phase"]]]
        macs, moved, cycles = (sum(getattr(p, k) for p in phases) for k in ("macs", "remote_bytes", "cycles"))
        assert row["macs_per_second"] == pytest.approx(macs / cycles * clock)
        assert row["macs_per_remote_byte"] == pytest.approx(macs / moved)
        by_memory = machine.remote_peak_bytes_per_second * macs / moved
        roof = min(counters.lanes * clock, by_memory)
        assert row["roof_macs_per_second"] == pytest.approx(roof)
        assert row["of_roof"] == pytest.approx(macs / cycles * clock / roof)
        assert row["roof"] == ("lanes" if counters.lanes * clock <= by_memory else "memory")


def test_a_phase_without_remote_bytes_stands_at_the_right_edge(make_run):
    run = make_run(1)
    counters = run.result.counters.model_dump()
    moved = counters["phases"]["FP"]["remote_bytes"]
    counters["phases"]["FP"]["remote_bytes"] = 0
    for name in ("asked_bytes", "read_bytes"):
        counters["remote"][name] -= moved
    result = run.result.model_copy(update={"counters": type(run.result.counters).from_table(counters)})
    (fp,) = [row for row in roofline_rows(result) if (row["phase"], row["run"]) == ("FP", "delta")]
    assert fp["macs_per_remote_byte"] == math.inf and fp["roof"] == "lanes"
    points = _page(replace(run, result=result)).all("circle")
    (point,) = [p for p in points if p.text.startswith("FP, delta")]
    assert point.attributes["cx"] == "100%"


@FEW
@given(SEEDS)
def test_blocks_say_how_busy_they_were(make_run, seed):
    run = make_run(seed)
    counters, machine = run.result.counters, Architecture.from_table(run.result.architecture)
    wide, narrow = _page(run).one("div", class_="machine").all("svg")
    for drawing in (wide, narrow):
        words = [text.text for text in drawing.all("text", class_="gauge")]
        for unit in ("encoder", "engine", "elementwise"):
            assert f"{share(counters.units[unit].busy_cycles / counters.cycles)} busy" in words
        assert f"bus {share(counters.remote.busy_cycles / counters.cycles)} busy" in words
        width = machine.dma.bytes_per_cycle * counters.cycles
        assert f"in {share(counters.remote.read_bytes / width)}" in words
        held = sum(run.held.local_bytes.values())
        assert f"{quantity(held, 'B')} of {quantity(262_144, 'B')} held" in words
        tracks = [rect for rect in drawing.all("rect", class_="track") if rect.attributes["height"] == "6"]
        fills = [rect for rect in drawing.all("rect", class_="fill") if rect.attributes["height"] == "6"]
        drawn = {
            text.text: float(fill.attributes["width"]) / float(track.attributes["width"])
            for text, track, fill in zip(drawing.all("text", class_="gauge"), tracks, fills, strict=True)
        }
        busy = counters.units["engine"].busy_cycles / counters.cycles
        assert drawn[f"{share(busy)} busy"] == pytest.approx(busy, abs=0.02)


@FEW
@given(SEEDS)
def test_curves_are_the_shares(make_run, seed):
    run = make_run(seed)
    drawn = [path for path in _page(run).all("path") if path.has("class", "curve") and not path.has("class", "way")]
    curves = [*run.curves.over_steps.values(), *run.curves.over_epochs.values(), run.curves.accuracy]
    held, *shares = [path for path in drawn if not path.has("class", "roof")]
    levels = np.array([size for _, size in run.result.held_bytes])
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", held.attributes["d"])]
    assert heights[2::2] == pytest.approx(1000 * (1 - levels / levels.max()), abs=1e-3)
    for path, curve in zip(shares, curves, strict=True):
        places = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path.attributes["d"])]
        known = np.asarray(curve)[np.isfinite(curve)]
        assert places == pytest.approx(1000 * (1 - known), abs=1e-3)


@FEW
@given(SEEDS)
def test_a_sweeps_points_are_the_table(make_sweep, seed):
    sweep = make_sweep(seed, 60, 3)
    page = parse(render(Contents("sweep", (), [sweep], "0.1.0")))
    found = json.loads(page.one("script", id="sweep-0-data").children[0])
    columns = {column["key"]: column for column in found["columns"]}
    table = sweep.table
    assert found["front"] == [int(flag) for flag in table["on_front"]]
    numbers = [name for name in table.columns if table[name].dtype.is_numeric() and name != "machine.local.bytes"]
    for name in numbers:
        values = [math.nan if entry is None else entry for entry in columns[name]["values"]]
        expected = [math.nan if entry is None else entry for entry in table[name]]
        assert values == pytest.approx(expected, rel=1e-8, nan_ok=True)
    assert "machine.local.bytes" not in columns  # it is the same everywhere, and said once
    assert columns["seconds"]["unit"] == "s" and columns["energy_j"]["unit"] == "J"
    assert columns["machine.dma.buffer_bytes"]["unit"] == "B"
    assert [c["role"] for c in columns.values()].count("objective") == len(sweep.objectives)
    failed = table["failure"].drop_nulls().len()
    assert sum(value(cells[1]) for cells in (_table(page, "Points that failed") if failed else [])) == failed
    kept = table.filter(table["feasible"])
    texts = [card.one("p", class_="card-value").text for card in page.all("li", class_="card")]
    assert texts == [
        quantity(kept["seconds"].min(), "s"),
        quantity(kept["energy_j"].min(), "J"),
        share(kept["accuracy"].max()),
    ]
    names = [card.one("p", class_="card-name").text for card in page.all("li", class_="card")]
    found = "simulated" if sweep.fidelity == "cycle" else "modelled"
    assert [name.rpartition(" ")[2] for name in names] == [found, "modelled", "measured"]
    origins = {
        "seconds": found,
        "energy_j": "modelled",
        "accuracy": "measured",
        "machine.dma.buffer_bytes": "described",
    }
    assert {name: columns[name]["origin"] for name in origins} == origins
    assert [node.text for node in page.all("th") if node.text.startswith("energy")] == ["energy, modelled"]


def test_points_whose_energies_are_priced_in_different_ways_are_marked(make_sweep):
    """One model is told in words; two are a column of the listing, and a failed point is of neither."""
    sweep = make_sweep(3)
    failed = sweep.table["failure"].is_not_null().to_list()
    assert any(failed)
    for names, marked in ((["a"], False), (["a", "b"], True)):
        models = [None if lost else names[at % len(names)] for at, lost in enumerate(failed)]
        table = sweep.table.with_columns(polars.Series("energy_model", models))
        page = parse(render(Contents("sweep", (), [replace(sweep, table=table)], "0.1.0")))
        columns = json.loads(page.one("script", id="sweep-0-data").children[0])["columns"]
        assert ("energy_model" in {column["key"] for column in columns}) == marked
        text = page.one("section", id="sweep-0-points").all("p", class_="about")[0].text
        assert ("not comparable" in text) == marked and ("Energy by a." in text) != marked


@pytest.mark.parametrize("on_front", [[False, True], [True, False]])
def test_of_points_that_are_as_good_a_card_names_the_one_on_the_front(on_front, make_sweep):
    sweep = make_sweep(3)
    lanes, flags = polars.Series("machine.engine.lanes", [2, 4]), polars.Series("on_front", on_front)
    two = sweep.table.filter("feasible").head(2).with_columns(lanes, flags, accuracy=polars.lit(0.5))
    (card,) = [card for card in headline(View(replace(sweep, table=two))) if card.name.startswith("Most")]
    assert dict(card.design)["engine.lanes"] == ("2" if on_front[0] else "4")


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_an_update_that_the_machine_does_not_make_is_told(make_run, optimiser):
    run = make_run(1)
    workload = run.result.workload | {"training": {"optimiser": optimiser}}
    page = render(Contents("out", [replace(run, result=run.result.model_copy(update={"workload": workload}))]))
    assert ("update (WU) is plain SGD, whatever the workload&#39;s optimiser (adamw)." in page) == (
        optimiser == "adamw"
    )


def test_runs_that_do_not_stand_on_the_same_say_so(make_run):
    """Another machine is what a page compares; another fidelity, version, workload or number format is told."""
    run = make_run(1)
    other = make_run(2, name="other")
    same = replace(other, result=other.result.model_copy(update={"provenance": run.result.provenance}))
    assert "differ" not in _overview_note(run, same)
    engine = run.result.architecture["engine"]
    coarse = engine | {"formats": engine["formats"] | {"weight": {"bits": 9, "fraction_bits": 7}}}
    changed = {
        "fidelity": "analytic",
        "provenance": run.result.provenance | {"deltatrain": "0.2.0", "workload_digest": "f" * 16},
        "architecture": run.result.architecture | {"engine": coarse},
    }
    note = _overview_note(run, replace(same, result=same.result.model_copy(update=changed)))
    assert "they differ in fidelity (cycle and analytic); version of deltatrain (" in note
    assert f"workload (0123456789abcdef and {'f' * 16}); number format weight (" in note
    assert "and 9 bits, 7 of fraction)." in note


def _overview_note(*runs):
    return (
        parse(render(Contents("out", runs, (), "0.1.0"))).one("section", **{"aria-labelledby": "overview-title"}).text
    )


def _luminance(colour):
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def _contrast(one, other):
    low, high = sorted([_luminance(one), _luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [palette.LIGHT, palette.DARK])
def test_text_and_controls_have_the_contrast_of_wcag_aa(colours):
    for ground in ("paper", "panel"):
        for text in ("ink", "quiet", "accent"):
            assert _contrast(colours[text], colours[ground]) >= 4.5
        assert _contrast(colours["edge"], colours[ground]) >= 3
        assert _contrast(colours["delta"], colours[ground]) >= 3
    for line in range(palette.LINES):
        assert _contrast(colours[f"line-{line}"], colours["paper"]) >= 3
    assert set(palette.LIGHT) == set(palette.DARK)
