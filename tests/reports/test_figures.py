from __future__ import annotations

import io
import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.quantity import quantity
from deltatrain.reports.figures import (
    FIGURES,
    checkpointing,
    column_cache,
    energy_breakdown,
    incremental,
    joules_to_accuracy,
    learning_rules,
    memory_homes,
    memory_traffic,
    occupancy,
    perplexity,
    phase_breakdown,
    recordings,
    trade,
    waterfall,
    word_lengths,
)
from deltatrain.reports.figures._style import CAUSE_COLOURS, CAUSE_LABELS
from deltatrain.reports.table import CAUSES

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def _bars(figure):
    """Width and left end of each labelled bar, read back from what is drawn."""
    found = {}
    for axes in figure.axes:
        for container in axes.containers:
            (bar,) = container.patches
            found[container.get_label()] = (bar.get_width(), bar.get_x())
    return found


def _texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts] + [text.get_text() for text in figure.texts]


def _occupancy_figure(steps=5, epochs=3):
    random = np.random.default_rng(0)
    streams = [f"layer {layer} {stream}" for layer in range(2) for stream in "xh"]
    over_steps = {name: random.random(steps) for name in streams}
    over_epochs = {name: random.random(epochs) for name in streams}
    return occupancy.draw(over_steps, over_epochs, list(random.random(epochs)), dense_epochs=1, workload="digits")


def _recordings_figure():
    return recordings.draw(
        {"train": [3, 4, 9], "test": [5]},
        {"train": [2, 1], "test": [0, 1]},
        ["quiet", "a class of a long name"],
        [("quiet", np.zeros((3, 2))), ("a class of a long name", np.eye(4))],
        [(0.0, 1.0), (0.1, 0.75), (2.0, 0.0)],
        setting="mine",
    )


def test_recordings_are_drawn_as_they_are_counted():
    lengths, classes, fired, *examples = _recordings_figure().axes
    assert sorted(patch.get_height() for patch in classes.patches) == [0, 1, 1, 2]
    (curve,) = fired.lines
    assert curve.get_xydata().tolist() == [[0.0, 1.0], [0.1, 0.75], [2.0, 0.0]]
    assert "75.0 % at 0.1" in {text.get_text() for text in fired.texts}
    assert [text.get_text() for text in lengths.get_legend().get_texts()] == ["train", "test"]
    assert [axes.images[0].get_array().shape for axes in examples] == [(2, 3), (4, 4)]


def test_every_figure_has_title_and_draw():
    assert {"phase_breakdown", "occupancy", "memory_traffic"} <= set(FIGURES.names())
    for name in FIGURES.names():
        module = FIGURES.load(name)
        assert module.TITLE and callable(module.draw)


def test_every_stall_cause_has_colour_and_words():
    assert set(CAUSE_COLOURS) == set(CAUSE_LABELS) == set(CAUSES)
    assert len(set(CAUSE_COLOURS.values())) == len(CAUSES)


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_phase_bars_are_the_counters(random_result, seed):
    result = random_result(seed)
    figure = phase_breakdown.draw(result)
    bars = _bars(figure)
    drawn = 0
    for name, phase in result.counters.phases.items():
        parts = {"busy": phase.busy_cycles, **phase.stall_cycles}
        for part, cycles in parts.items():
            assert bars.get(f"{name} delta {part}", (0, 0))[0] == cycles
        ends = [left + width for label, (width, left) in bars.items() if label.startswith(f"{name} delta ")]
        assert max(ends, default=0) == phase.cycles  # the stack is gapless and as long as the phase
        drawn += phase.cycles
    assert drawn == sum(width for width, _ in bars.values()) == result.counters.cycles
    longest = max(phase.cycles for phase in result.counters.phases.values())
    assert figure.axes[0].get_xlim() == (0, longest)
    marks = {line.get_label(): line for line in figure.axes[0].get_lines()}
    for name, phase in result.dense.phases.items():
        mark = marks[f"{name} dense"]
        assert list(mark.get_xdata()) == [min(phase.cycles, longest)]
        assert mark.get_marker() == (">" if phase.cycles > longest else "|")


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_memory_bars_are_the_counters(random_result, seed):
    result = random_result(seed)
    bars = _bars(memory_traffic.draw(result))
    for run, counters in (("delta", result.counters), ("dense", result.dense)):
        remote = sum(bars[f"remote_bytes {name} {run}"][0] for name in counters.phases)
        assert remote == counters.remote.read_bytes + counters.remote.write_bytes
        for name, phase in counters.phases.items():
            assert bars[f"local_bytes {name} {run}"] == (phase.local_bytes, 0)


def test_figures_say_workload_machine_fidelity_and_speedup(random_result):
    result = random_result(7, 10**6, 5 * 10**6)
    for module in (phase_breakdown, memory_traffic):
        texts = " ".join(_texts(module.draw(result, "cycle: simulated cycle by cycle")))
        assert "digits on edge" in texts and "cycle: simulated cycle by cycle" in texts and module.TITLE in texts
    texts = " ".join(_texts(phase_breakdown.draw(result)))
    assert "5×" in texts
    for phase in result.dense.phases.values():
        assert quantity(phase.cycles) in texts


@settings(max_examples=20)
@given(SHARES, SHARES)
def test_occupancy_curves_are_the_numbers(steps, epochs):
    figure = occupancy.draw({"layer 0 x": steps}, {"layer 0 x": epochs}, epochs[::-1], workload="digits")
    first, second = figure.axes
    (curve,) = first.get_lines()
    assert curve.get_label() == "layer 0 x" and list(curve.get_ydata()) == steps
    drawn = {line.get_label(): list(line.get_ydata()) for line in second.get_lines()}
    assert drawn == {"layer 0 x": epochs, "accuracy": epochs[::-1]}


def test_occupancy_without_training_is_one_panel():
    figure = occupancy.draw({"layer 0 h": [np.nan, 0.5]}, {}, [], workload="synthetic")
    assert len(figure.axes) == 1


@settings(max_examples=10)
@given(st.lists(st.floats(1, 20), min_size=4, max_size=4))
def test_lines_of_homes_are_the_rows(times):
    rows = [
        {
            "lanes": 8,
            "occupancy_%": 10.0 * (1 + n // 2),
            "home": "ab"[n % 2],
            "slower_times_16": t,
            "energy_times": 2 * t,
        }
        for n, t in enumerate(times)
    ]
    figure = memory_homes.draw(rows, setting="a layer")
    for axes, factor in zip(figure.axes, (1, 2), strict=True):
        drawn = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.get_lines()}
        assert drawn == {
            "a": ([10.0, 20.0], [factor * times[0], factor * times[2]]),
            "b": ([10.0, 20.0], [factor * times[1], factor * times[3]]),
        }
    assert any("a layer" in text for text in _texts(figure))


def _waterfall_rows(values):
    names = ("kilocycles", "moved_MB", "energy_mJ"), ("faster_times", "fewer_bytes_times", "less_energy_times")
    return [
        {"local_KiB": size, "stage": stage}
        | {name: (1 + place) * value for place, name in enumerate(names[0])}
        | dict.fromkeys(names[1], round(values[0] / value, 1))
        for size in (64, 224)
        for stage, value in zip(("dense", "+ one saving", "without column cache"), values, strict=True)
    ]


@settings(max_examples=10)
@given(st.lists(st.floats(0.01, 2e4), min_size=3, max_size=3))
def test_bars_of_a_waterfall_are_the_rows_and_what_a_saving_took_away_stands_behind(values):
    figure = waterfall.draw(_waterfall_rows(values), ("dense", "+ one saving"), setting="a layer")
    for axes, factor in zip(figure.axes, (1, 2, 3) * 2, strict=True):
        bars = [patch for container in axes.containers for patch in container.patches]
        dense, taken, saving, without = ((bar.get_x(), bar.get_width()) for bar in bars)
        assert [dense, saving, without] == [(0, pytest.approx(factor * value)) for value in values]
        assert taken == (pytest.approx(factor * values[1]), pytest.approx(factor * (values[0] - values[1])))


@settings(max_examples=10)
@given(st.lists(st.floats(1, 20), min_size=4, max_size=4))
def test_lines_of_a_cache_are_the_rows(times):
    figure = column_cache.draw(_cache_rows(times), setting="a layer")
    for axes, factor in zip(figure.axes, (1, 2, 3), strict=True):
        solid = [line for line in axes.get_lines() if line.get_linestyle() == "-"]
        drawn = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in solid}
        assert drawn == {
            "delta, 10 %": ([16.0, 32.0], [factor * times[0], factor * times[2]]),
            "dense": ([16.0, 32.0], [factor * times[1], factor * times[3]]),
        }
    bounds = [list(line.get_ydata()) for line in figure.axes[0].get_lines() if line.get_linestyle() == "--"]
    assert bounds == [[4 * times[0], 4 * times[2]], [4 * times[1], 4 * times[3]]]


def _cache_rows(times):
    columns = ("fewer_bytes_times", "faster_times", "less_energy_times", "belady_fewer_bytes_times")
    return [
        {"network": ("delta", "dense")[n % 2], "occupancy_%": (10.0, 100.0)[n % 2], "batch": 1}
        | {"cache_KiB": 16 << n // 2}
        | {column: factor * t for factor, column in enumerate(columns, 1)}
        for n, t in enumerate(times)
    ]


def _trade_rows(lost):
    return [
        {"trial": f"network {n}", "saved_%": 90.0 - 9 * n, "lost_points": points, "accuracy_sd_%": 0.25 * n}
        for n, points in enumerate(lost)
    ]


@settings(max_examples=10)
@given(st.lists(st.floats(-9, 60), min_size=1, max_size=6))
def test_the_trade_is_the_rows_and_what_was_asked_is_shaded(lost):
    dense = {"trial": "dense", "saved_%": 0.0, "lost_points": 0.0, "accuracy_sd_%": 1.0}
    figure = trade.draw([dense, *_trade_rows(lost)], least_saved=80, most_lost=1, setting="spoken commands")
    (axes,) = figure.axes
    line, _, (bars,) = axes.containers[0]
    assert list(line.get_xdata()) == [90.0 - 9 * n for n in range(len(lost))][::-1]
    assert list(line.get_ydata()) == lost[::-1]
    spread = [abs(end - start) / 2 for (_, start), (_, end) in bars.get_segments()]
    np.testing.assert_allclose(spread, [0.25 * n for n in range(len(lost))][::-1], atol=1e-12)
    (shade,) = axes.patches
    bottom, top = axes.get_ylim()
    assert bottom > max(lost) and top < min(lost)  # what is lost is below
    assert (shade.get_x(), shade.get_y(), shade.get_y() + shade.get_height()) == pytest.approx((80, top, 1))
    assert [text.get_text() for text in axes.texts] == [f"network {n}" for n in range(len(lost))][::-1]
    assert any("spoken commands" in text for text in _texts(figure))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10), st.floats(0.01, 0.1))
def test_labels_keep_their_distance_and_order(values, gap):
    places = occupancy.spread(values, gap)
    assert min(places) >= 0
    order = sorted(range(len(values)), key=lambda i: (values[i], places[i]))
    for below, above in itertools.pairwise(order):
        assert places[above] - places[below] >= gap * (1 - 1e-9)


@given(st.floats(0, 1))
def test_a_lone_label_stays_at_its_value(value):
    assert occupancy.spread([value], 0.1) == [value]


def test_points_lost_are_drawn_over_the_bits_of_the_tensor_that_was_narrowed():
    formats = {"W": 16, "h": 16, "g": 16}
    rows = [
        {"trial": "float", "W": "", "h": "", "g": "", "lost_points": 0.0, "accuracy_sd_%": 0.0},
        {"trial": "weight 8", **formats, "W": 8, "lost_points": 3.0, "accuracy_sd_%": 0.2},
        {"trial": "weight 12", **formats, "W": 12, "lost_points": 0.25, "accuracy_sd_%": 0.1},
        {"trial": "gradient 6", **formats, "g": 6, "lost_points": 1.0, "accuracy_sd_%": 0.1},
        {"trial": "together +2", **formats, "W": 10, "lost_points": 0.5, "accuracy_sd_%": 0.1},
    ]
    (axes,) = word_lengths.draw(rows, most_lost=0.5).axes
    drawn = {one.get_label(): one.lines[0].get_xydata().tolist() for one in axes.containers}
    assert drawn == {"weight": [[8, 3.0], [12, 0.25]], "gradient": [[6, 1.0]], "together": [[10, 0.5]]}
    low, high = axes.get_ylim()
    assert low > high, "the most accurate at the top"


def test_each_rule_of_each_network_is_a_mark_in_both_panels():
    rows = [
        {"network": network, "rule": rule, "accuracy_%": 70.0 + n, "accuracy_sd_%": 0.5 * n}
        | {"energy_mJ": 1.0 + n, "room_kB": 100.0 - n}
        for n, (network, rule) in enumerate(itertools.product(("small", "large"), ("bptt", "ottt")))
    ]
    figure = learning_rules.draw(rows, setting="spoken digits")
    for axes, column in zip(figure.axes, ("energy_mJ", "room_kB"), strict=True):
        marks = [one.lines[0] for one in axes.containers]
        assert [mark.get_xydata().tolist() for mark in marks] == [[[row[column], row["accuracy_%"]]] for row in rows]
        assert len({mark.get_color() for mark in marks}) == len({mark.get_marker() for mark in marks}) == 2
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["bptt", "ottt", "small", "large"]
    assert any("spoken digits" in text for text in _texts(figure))


def test_perplexities_are_curves_whose_names_lie_on_the_page():
    curves = {f"training {number}, of a long name": [90.0, 50.0 - number, 60.0] for number in range(10)}
    figure = perplexity.draw(curves, setting="800 words, 2 layers")
    (axes,) = figure.axes
    figure.canvas.draw()
    assert [line.get_ydata().tolist() for line in axes.lines] == list(curves.values())
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 10
    ticks = [label.get_window_extent() for label in axes.get_yticklabels() if label.get_text()]
    assert len(ticks) > 3 and min(tick.x0 for tick in ticks) > 0
    box = axes.get_legend().get_window_extent()
    assert box.x1 <= figure.bbox.x1 and box.y0 >= figure.bbox.y0
    assert axes.get_legend().get_texts()[3].get_text() == "training 3, of a long name, 47.0"


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_figures_are_saved_without_a_warning(random_result, form):
    result = random_result(3)
    for figure in (phase_breakdown.draw(result), memory_traffic.draw(result), _occupancy_figure()):
        file = io.BytesIO()
        figure.savefig(file, format=form)
        assert len(file.getvalue()) > 5_000


def _incremental_rows():
    def row(trial, classes, accuracy, published):
        found = {"trial": trial, "classes": classes, "accuracy_%": accuracy, "published_%": published}
        return found | {"accuracy_sd_%": 0.5, "class_J": accuracy / 10}

    rows = [row("LSTM", 20, 93.0, 92.9), row("LSTM", 23, 89.0, 89.7), row("delta LSTM", 20, 92.0, "")]
    return [*rows, row("delta LSTM", 23, 87.0, ""), row("LSTM, at once", 23, 91.0, "")]


def test_new_classes_are_curves_beside_what_is_published_and_bars_of_the_last_task():
    curves, bars = incremental.draw(_incremental_rows(), setting="keywords").axes
    drawn = {container.get_label(): container.lines[0].get_xydata().tolist() for container in curves.containers}
    assert drawn == {
        "LSTM": [[20, 93], [23, 89]],
        "delta LSTM": [[20, 92], [23, 87]],
        "LSTM, at once": [[23, 91]],
    }
    (theirs,) = [line for line in curves.lines if line.get_linestyle() == ":"]
    assert theirs.get_xydata().tolist() == [[20, 92.9], [23, 89.7]]
    assert [bar.get_width() for bar in bars.patches] == [8.9, 8.7]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["LSTM", "delta LSTM"]


CHOSEN = [((0.1, 90.0), (0.12, 94.0)), ((0.9, 95.0), (1.1, 93.0))]


def test_fronts_of_joules_are_stairs_and_arrows_go_to_what_the_machine_reaches():
    (axes,) = joules_to_accuracy.draw([(0.1, 92.0), (0.2, 95.0)], [(0.1, 92.0)], CHOSEN).axes
    points, floating, machine = axes.lines
    assert points.get_xydata().tolist() == [[0.1, 92], [0.2, 95]]
    assert machine.get_xydata().tolist() == [[0.1, 92]]
    assert floating.get_xydata().tolist() == [[0.1, 90], [0.9, 95]] and floating.get_drawstyle() == "steps-post"
    assert [(arrow.xyann, arrow.xy) for arrow in axes.texts] == CHOSEN


@pytest.mark.parametrize(("cycles", "dense"), [(0, 0), (1, 10**15)])
def test_figures_of_extremes_are_drawn(random_result, cycles, dense):
    result = random_result(3, cycles, dense)
    for module in (phase_breakdown, memory_traffic):
        module.draw(result).savefig(io.BytesIO(), format="png")


def test_nothing_drawn_lies_outside_the_page(random_result):
    result = random_result(11)
    setting = "LSTM layer of 128, DDR3 on 16 bits, cycle: simulated cycle by cycle"
    homes = memory_homes.draw(
        [{"lanes": 8, "occupancy_%": 10.0, "home": "gradients remote", "slower_times_16": 2.0, "energy_times": 9.0}],
        setting=setting,
    )
    traded = trade.draw(_trade_rows([4.0, 0.5, -0.2]), least_saved=80, most_lost=1, setting=setting)
    like = _recordings_figure()
    cached = column_cache.draw(_cache_rows([1.5, 2.0, 9.0, 12.0]), setting=setting)
    drawn = phase_breakdown.draw(result), memory_traffic.draw(result), _occupancy_figure(40, 12)
    tables = {**result.architecture, "energy": "cacti7_45nm_lop+horowitz_45nm"}
    spent = energy_breakdown.draw(result.model_copy(update={"architecture": tables}), "cycle: simulated cycle by cycle")
    saved = waterfall.draw(_waterfall_rows([12_345.0, 678.9, 77.7]), ("dense", "+ one saving"), setting=setting)
    learned = incremental.draw(_incremental_rows(), setting=setting)
    spent_on_it = joules_to_accuracy.draw([(0.1, 92.0)], [(0.1, 92.0)], CHOSEN, setting=setting)
    figures = (*drawn, homes, traded, like, cached, saved, spent, learned, spent_on_it)
    for figure in figures:
        figure.canvas.draw()
        page = figure.bbox
        for text in [text for axes in figure.axes for text in axes.texts] + list(figure.texts):
            box = text.get_window_extent()
            assert box.x0 >= page.x0 and box.x1 <= page.x1 and box.y0 >= page.y0 and box.y1 <= page.y1, text.get_text()


def test_the_modules_import_no_drawing_library():
    code = (
        "import sys, deltatrain.reports.table; from deltatrain.reports.figures import FIGURES; "
        "[FIGURES.load(name) for name in FIGURES.names()]; assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_policy_has_its_lines_over_the_axis_and_ends_where_it_no_longer_fits():
    def row(policy, steps, transfers):
        slower = 0.1 * (transfers == "blocking")
        kept = {"local_kB": steps / 2, "remote_kB": 3 * steps}
        return {"policy": policy, "transfers": transfers, "T": steps, "time_x": 1 + slower, **kept}

    sizes = {"store_all": (10, 20), "segment": (10, 20, 40)}
    rows = [row(p, steps, way) for p, lengths in sizes.items() for steps in lengths for way in ("beside", "blocking")]
    times, memory, remote = checkpointing.draw(rows, "T", "tiny on edge").axes
    lines = {line.get_label(): line for line in times.get_lines()}
    assert set(lines) == {"store_all", "segment", "store_all blocking", "segment blocking"}
    np.testing.assert_allclose(lines["store_all"].get_xdata(), [10, 20])
    np.testing.assert_allclose(lines["segment"].get_xdata(), [10, 20, 40])
    np.testing.assert_allclose(lines["segment blocking"].get_ydata(), [1.1, 1.1, 1.1])
    for axes, sizes_kb in ((memory, [5, 10, 20]), (remote, [30, 60, 120])):
        assert [line.get_label() for line in axes.get_lines()] == ["store_all", "segment"]
        np.testing.assert_allclose(axes.get_lines()[1].get_ydata(), sizes_kb)
    assert times.get_yscale() == "linear"


def test_times_far_apart_are_on_a_logarithmic_axis():
    kept = {"policy": "segment", "T": 10, "local_kB": 1, "remote_kB": 0}
    rows = [{**kept, "transfers": way, "time_x": slower} for way, slower in (("beside", 1.5), ("blocking", 20.0))]
    assert checkpointing.draw(rows, "T", "tiny on edge").axes[0].get_yscale() == "log"


def test_the_legend_of_policies_names_each_once():
    kept = {"T": 10, "local_kB": 1, "remote_kB": 0, "time_x": 1.0}
    rows = [{**kept, "policy": p, "transfers": way} for p in ("store_all", "segment") for way in ("beside", "blocking")]
    times = checkpointing.draw(rows, "T", "tiny on edge").axes[0]
    assert [text.get_text() for text in times.get_legend().get_texts()] == ["store_all", "segment"]
