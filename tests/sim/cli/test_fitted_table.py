"""Tables fit 60, 80 and 120 columns, a pipe and COLUMNS, and lose no number at any width."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from deltatrain.sim.cli import main
from deltatrain.sim.cli.fitted_table import FittedTable
from deltatrain.sim.cli.screen import fields, show, table

WORDS = st.text("abcdefghij_ ", min_size=1, max_size=30).map(lambda text: f"w{text.strip()}")
NUMBERS = st.decimals(0, 10**12, allow_nan=False, allow_infinity=False).map(lambda value: f"{value:f}"[:16])


@st.composite
def _tables(draw):
    text, numbers = draw(st.integers(1, 3)), draw(st.integers(0, 9))
    columns = draw(st.lists(WORDS, min_size=text + numbers, max_size=text + numbers))
    row = st.tuples(*(WORDS for _ in range(text)), *(NUMBERS for _ in range(numbers))).map(list)
    return columns, draw(st.lists(row, min_size=1, max_size=5)), text


def _printed(part, width: int) -> list[str]:
    text = io.StringIO()
    Console(file=text, width=width).print(part, crop=False)
    return [line.rstrip() for line in text.getvalue().splitlines()]


@given(_tables(), st.sampled_from([20, 40, 60, 80, 120]))
def test_every_number_is_shown_whole(drawn, width):
    columns, rows, text = drawn
    shown = " ".join(_printed(FittedTable(columns, rows, text), width)).split()
    wanted = [cell for row in rows for cell in row[text:]]
    for number in set(wanted):
        assert shown.count(number) >= wanted.count(number)


LONG_WORD = ["w_"] * 8 + ["w" * 25]
"""A heading that fits beside text, if that is folded to as few characters as it may be."""


@example((LONG_WORD, [["w" * 9] * 3 + ["0"] * 6] * 3, 3), 60)
@given(_tables(), st.sampled_from([60, 80, 120]))
def test_tables_fit(drawn, width):
    """But for a column of numbers whose heading is a word so long that it does not fit beside text of 8 characters."""
    columns, rows, text = drawn
    words = [cell for name in columns[text:] for cell in name.split()]
    numbers = [cell for row in rows for cell in row[text:]]
    needed = 10 * text + max(map(len, words + numbers), default=0) + 4
    assert max(map(len, _printed(FittedTable(columns, rows, text), width))) <= max(width, needed)


def test_what_fits_is_one_table():
    lines = _printed(FittedTable(["unit", "busy"], [["dma", "1 %"], ["total", "2 %"]], 1), 60)
    assert sum("─" in line for line in lines) == 1
    assert "dma" in lines[3]
    assert "1 %" in lines[3]


def test_few_rows_are_turned():
    columns = ["what", *(f"figure {i}" for i in range(12))]
    lines = _printed(FittedTable(columns, [["mine", *("123,456" for _ in range(12))]], 1), 60)
    assert sum("─" in line for line in lines) == 1
    assert sum("123,456" in line for line in lines) == 12
    assert re.fullmatch(r"\s*what\s+mine", next(line for line in lines if "what" in line))


def test_many_rows_go_on_in_a_further_table_that_repeats_their_names():
    columns = ["what", *(f"figure{i}" for i in range(12))]
    lines = _printed(FittedTable(columns, [[name, *("123,456" for _ in range(12))] for name in "abc"], 1), 60)
    tables = sum("─" in line for line in lines)
    assert tables > 1
    assert sum(line.split()[:1] == ["b"] for line in lines) == tables


@pytest.mark.parametrize("width", [60, 80, 120])
def test_columns_says_how_wide(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    show(table("A title", ["a", *"bcdefghijk"], [["x", *("1,234,567" for _ in range(10))]] * 4))
    assert max(map(len, capsys.readouterr().out.splitlines())) <= width


def test_no_colour_leaves_plain_characters(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    parts = table("A title", ["a"], [["x"], ["total"]], "a note")
    show(parts)
    assert "\x1b" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    show(parts)
    assert "\x1b" not in capsys.readouterr().out


def test_fields_fold_a_long_value(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    show(fields("About", [("folder", "a_very_long_name_without_any_gap_" * 3)]))
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert "".join(shown.split()).count("a_very_long_name_without_any_gap_") == 3


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(
    "words",
    [
        ["simulate", "--workload", "synthetic", "--on", "tiny", "--set", "workload.synthetic.steps=3", "-o", "out"],
        ["describe", "edge"],
        ["list"],
        ["plan", "--workload", "digits", "--on", "edge"],
        ["study", "dram", "--small", "-o", "out"],
    ],
    ids=lambda words: words[0],
)
def test_commands_fit(words, width, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= width


@pytest.mark.parametrize("width", range(30, 60))
def test_no_line_of_text_ends_between_a_number_and_its_unit(width: int, monkeypatch, capsys) -> None:
    words = (
        "its lanes work 41.2 % of that, 5.72 ms at 125 MHz; the bus moves 2.68 GB/s, 83.8 % of the step and 12 bytes"
    )
    monkeypatch.setenv("COLUMNS", str(width))
    show(words, Text(words))
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(lines) == f"{words} {words}"
    assert max(map(len, lines)) <= width
    assert not [line for line in lines if re.search(r"^(%|ms|MHz|GB/s)", line)]
