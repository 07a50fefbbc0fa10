"""Every table as Markdown, CSV and JSON: the numbers are those of the others, and nothing else is printed."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.result import Result
from deltatrain.reports.table import flat
from deltatrain.sim.cli import main
from deltatrain.sim.cli.screen import fields, table
from deltatrain.workloads.workload import Workload

SIMULATE = ["simulate", "--workload", "tiny", "--on", "tiny"]
FORMS = [
    ["describe", "machine.tiny"],
    ["list", "cells"],
    ["plan", "--workload", "tiny", "--on", "tiny"],
    ["dram", "--device", "ddr4_2400", "--generate", "stream", "--requests", "5000"],
    ["verify", "--on", "tiny", "--cell", "rnn", "--cases", "1", "--engine", "amaranth"],
    SIMULATE,
]


def _unescaped(cell: str) -> str:
    return cell.replace("\\|", "|").replace("\\*", "*").replace("\\`", "`").replace("\\<", "<").replace("\\[", "[")


def _cells(line: str) -> list[str]:
    """Return the cells of a line of a Markdown table, read by its rules: a bar that is escaped ends none."""
    found, cell, at = [], "", 1
    while at < len(line):
        if line[at] == "\\":
            cell += line[at : at + 2]
            at += 2
        elif line[at] == "|":
            found.append(_unescaped(cell.strip()).replace("\\\\", "\\"))
            cell, at = "", at + 1
        else:
            cell, at = cell + line[at], at + 1
    return found


@given(
    st.lists(st.lists(st.text("ab |_*-:`1.5", min_size=1), min_size=3, max_size=3), min_size=1, max_size=4),
    st.integers(1, 3),
)
def test_markdown_has_every_cell_in_its_place(rows, text_columns):
    lines = table("A title", ["one", "two", "three"], rows, text_columns=text_columns).markdown().splitlines()
    assert lines[0] == "### A title"
    assert _cells(lines[2]) == ["one", "two", "three"]
    assert [rule.endswith(":") for rule in _cells(lines[3])] == [at >= text_columns for at in range(3)]
    shown = [_cells(line) for line in lines[4:] if line]
    assert shown == [[" ".join(cell.split()) for cell in row] for row in rows]


def test_markdown_of_names_and_values():
    assert "| clock | 125 MHz |" in fields("Engine", [("clock", "125 MHz")]).markdown().splitlines()


@pytest.mark.parametrize("words", FORMS, ids=lambda words: words[0])
def test_every_form_is_printed_alone(words, capsys):
    assert main([*words, "--json", "--quiet"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)
    assert main([*words, "--csv", "--quiet"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows and not any(None in row for row in rows)
    assert main([*words, "--markdown", "--quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    tables = [line for line in lines if line.startswith("|")]
    assert len(tables) > 2 and all(line.endswith("|") for line in tables)


def test_a_description_is_given_as_it_is(capsys):
    machine = Architecture.named("edge")
    assert main(["describe", "edge", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.pop("device") == machine.device.model_dump(mode="json")
    assert Architecture.from_table(told) == machine
    assert main(["describe", "edge", "--csv"]) == 0
    rows = {row["field"]: row["value"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert rows["dma.buffer_bytes"] == str(machine.dma.buffer_bytes)
    assert main(["describe", "workload.digits", "--json"]) == 0
    assert Workload.from_table(json.loads(capsys.readouterr().out)) == Workload.named("digits")


def test_csv_of_a_run_is_its_result(capsys):
    assert main([*SIMULATE, "--json", "-q"]) == 0
    result = Result.model_validate_json(capsys.readouterr().out)
    assert main([*SIMULATE, "--csv", "-q"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    told = {name: str(value) for name, value in flat(result).items() if not name.startswith("provenance.")}
    assert {name: value for name, value in row.items() if not name.startswith("provenance.")} == told


@pytest.mark.parametrize("forms", [["--json", "--csv"], ["--csv", "--markdown"], ["--json", "--csv", "--markdown"]])
def test_two_forms_are_refused(forms, capsys):
    assert main([*SIMULATE, *forms]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and all(form in printed.err for form in forms)


def test_quiet_shows_results_and_errors_alone(capsys):
    assert main(SIMULATE) == 0
    told = capsys.readouterr()
    assert "simulation" in told.err
    assert main([*SIMULATE, "--quiet"]) == 0
    silent = capsys.readouterr()
    assert silent.err == "" and silent.out == told.out
    assert main(["simulate", "--workload", "none", "--quiet"]) == 2
    assert "none" in capsys.readouterr().err
