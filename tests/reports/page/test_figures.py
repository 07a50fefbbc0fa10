"""The figures that came with the page hold the numbers that they are given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from deltatrain.reports.figures import energy_breakdown, memory_over_time, memory_use, pareto, roofline
from deltatrain.reports.page import Contents
from deltatrain.reports.page.figures import encoded, figures
from deltatrain.reports.table import energy_rows, roofline_rows

FEW = settings(max_examples=5, phases=[Phase.explicit, Phase.reuse, Phase.generate])
SEEDS = st.integers(0, 10**6)


def _bars(figure):
    found = {}
    for axes in figure.axes:
        for container in axes.containers:
            (bar,) = container.patches
            found[container.get_label()] = (bar.get_x(), bar.get_width())
    return found


@FEW
@given(SEEDS)
def test_energy_bars_are_the_result(random_result, seed):
    result = random_result(seed)
    bars = _bars(energy_breakdown.draw(result))
    for row in energy_rows(result):
        assert bars.pop(f"{row['component']} delta") == (0, row["energy_j"])
        assert bars.pop(f"{row['component']} dense") == (0, row["dense_energy_j"])
    assert not bars


@FEW
@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 10**6), min_size=1), st.integers(1, 10**6))
def test_memory_bars_are_gapless(local, weights):
    capacities = {"local_capacity_bytes": 10**7, "remote_capacity_bytes": 10**8}
    bars = _bars(memory_use.draw(local, {"weights": weights}, setting="", **capacities))
    left = 0
    for use, size in local.items():
        assert bars[f"local {use}"] == (left, size)
        left += size
    assert bars["remote weights"] == (0, weights)


@FEW
@given(SEEDS)
def test_roofline_points_are_the_rows(make_run, seed):
    result = make_run(seed).result
    (axes,) = roofline.draw(result).axes
    lines = {line.get_label(): line.get_xydata() for line in axes.get_lines()}
    for row in roofline_rows(result):
        assert lines[f"{row['phase']} {row['run']}"].tolist() == [[row["macs_per_remote_byte"], row["macs_per_second"]]]
    xs, ys = lines["roof"].T
    for row in roofline_rows(result):
        roof = np.exp(np.interp(np.log(row["macs_per_remote_byte"]), np.log(xs), np.log(ys)))
        assert roof == pytest.approx(row["roof_macs_per_second"])


def test_names_of_close_points_keep_apart_and_points_without_off_chip_bytes_have_one(make_run):
    counters = make_run(1).result.counters.model_dump()
    first, second, third = (counters["phases"][name] for name in ("FP", "BP", "WG"))
    cycles = [phase["busy_cycles"] + sum(phase["stall_cycles"].values()) for phase in (first, second)]
    busy = min(phase["busy_cycles"] / of for phase, of in zip((first, second), cycles, strict=True))
    first["macs"], second["macs"] = (int(speed * busy * of) for speed, of in zip((1.0, 0.95), cycles, strict=True))
    moved = sum(phase["remote_bytes"] for phase in (first, second, third))
    first["remote_bytes"] = second["remote_bytes"] = 0
    third["remote_bytes"] = moved
    result = make_run(1).result
    result = result.model_copy(update={"counters": type(result.counters).from_table(counters)})
    figure = roofline.draw(result)
    figure.canvas.draw()
    boxes = {text.get_text(): text.get_window_extent() for text in figure.axes[0].texts}
    assert {"FP", "BP", "WG"} <= set(boxes) and not boxes["FP"].overlaps(boxes["BP"])


@FEW
@given(SEEDS)
def test_scattered_points_are_the_table(make_sweep, seed):
    table = make_sweep(seed).table
    (axes,) = pareto.draw(table).axes
    drawn = {points.get_label(): points.get_offsets().tolist() for points in axes.collections}
    known = table.drop_nulls(["seconds"])
    for label, chosen in (
        ("front", known["on_front"]),
        ("other", known["feasible"] & ~known["on_front"]),
        ("outside", ~known["feasible"]),
    ):
        expected = known.filter(chosen).select("seconds", "energy_j").rows()
        assert [tuple(point) for point in drawn.get(label, [])] == expected


def test_memory_over_time_is_the_results(make_run):
    result = make_run(1).result
    (line,) = memory_over_time.draw(result, "").axes[0].lines
    known = [(cycle / result.counters.clock_hz, size) for cycle, size in result.held_bytes]
    assert np.column_stack(line.get_data()) == pytest.approx(np.array(known))


@pytest.mark.parametrize("form", ["svg", "pdf"])
def test_a_figures_file_is_the_same_every_time(make_run, form):
    drawn = [encoded(roofline.draw(make_run(1).result), form) for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_every_run_and_sweep_has_its_figures(make_run, make_sweep):
    names = [name for name, _ in figures(Contents("page", [make_run(1, held=None)], [make_sweep(2)], ""))]
    in_runs = ["phase_breakdown", "memory_traffic", "roofline", "energy_breakdown", "memory_over_time", "occupancy"]
    assert names == [f"run 1-{name}" for name in in_runs] + ["sweep 2-seconds-energy_j", "sweep 2-seconds-accuracy"]


def test_words_of_the_new_figures_stay_on_the_page(make_run, make_sweep):
    for name, figure in figures(Contents("page", [make_run(1)], [make_sweep(2)], "")):
        figure.canvas.draw()
        for text in [*(text for axes in figure.axes for text in axes.texts), *figure.texts]:
            box = text.get_window_extent()
            assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, (name, text.get_text())
            assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, (name, text.get_text())
