"""Golden values: the cases, what the command line says of each, and how that is compared with what it said before."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from deltatrain.sim.cli import main  # the only name of the project that golden values depend on

HERE = Path(__file__).parents[1] / "golden"
VALUES = HERE / "values.jsonl"
SAME = 1e-12
"""Relative: sums of floating-point numbers may be taken in another order on another machine."""

Fields = dict[str, Any]


class Case(NamedTuple):
    """One command, and what of it is compared."""

    name: str
    command: str
    compare: str = "json"
    long: bool = False


_TABLE = tomllib.loads((HERE / "cases.toml").read_text(encoding="utf-8"))
CASES = tuple(Case(**case) for case in _TABLE["cases"])
RENAMED: dict[str, str] = _TABLE["renamed"]
LEFT_OUT = tuple(_TABLE["left_out"])


class MissingProgramError(Exception):
    """A program that a case needs is not installed."""


def measured(case: Case, out: Path) -> Any:
    """Return what a case gives today, as a tree of tables, lists and plain values; `out` is a folder for its files."""
    return _COMPARED[case.compare](printed(case.command, out), out)


def printed(command: str, out: Path) -> str:
    """Return what a command prints; it must succeed."""
    status, text, errors = ran(command, out)
    if status != 0:
        raise AssertionError(f"deltatrain {command} ended with {status}: {errors}")
    return text


def ran(command: str, out: Path) -> tuple[int, str, str]:
    """Return status, standard output and standard error of a command, run in this process."""
    text, errors = io.StringIO(), io.StringIO()
    words = [word.format(here=HERE, out=out) for word in shlex.split(command)]
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(errors):
        status = main(words)
    return status, text.getvalue(), errors.getvalue()


def stored() -> dict[str, Any]:
    """Return the golden values by the name of their case."""
    lines = VALUES.read_text(encoding="utf-8").splitlines() if VALUES.exists() else []
    return {entry["case"]: entry["values"] for entry in map(json.loads, lines)}


def store(values: dict[str, Any]) -> None:
    """Write golden values in the order of the cases, one line for each."""
    entries = ({"case": case.name, "values": kept(values[case.name])} for case in CASES if case.name in values)
    text = "".join(json.dumps(entry, separators=(",", ":"), ensure_ascii=False) + "\n" for entry in entries)
    VALUES.write_text(text, encoding="utf-8")


def kept(tree: Any) -> Any:
    """Return a tree without the fields at its top that are left out."""
    return {name: value for name, value in tree.items() if name not in LEFT_OUT} if isinstance(tree, dict) else tree


def differences(before: Any, now: Any, renamed: dict[str, str] = RENAMED) -> list[str]:
    """Return one line for each field that is not as it was, with its name, its old and its new value."""
    old = {_renamed(path, renamed): value for path, value in _flat(kept(before))}
    new = dict(_flat(kept(now)))
    return [
        f"{path}: was {old.get(path, 'not there')!r}, is {new.get(path, 'not there')!r}"
        for path in {**old, **new}
        if path not in old or path not in new or not _same(old[path], new[path])
    ]


def _renamed(path: str, renamed: dict[str, str]) -> str:
    dotted = f".{path}."
    for old, new in renamed.items():
        dotted = dotted.replace(f".{old}.", f".{new}.")
    return dotted[1:-1]


def _flat(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every plain value of a tree with its dotted path; an empty table or list is a value."""
    if isinstance(tree, (dict, list)) and tree:
        for name, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _flat(value, f"{path}.{name}" if path else str(name))
    else:
        yield path, tree


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=SAME) or one == other
    return type(one) is type(other) and bool(one == other)


def _json(text: str, _: Path) -> Any:
    return json.loads(text)


def _lines(text: str, _: Path) -> Any:
    """Return the lines of a text, with neither rules nor the width of columns."""
    lines = (re.sub(r"[\s─]+", " ", line).strip() for line in text.splitlines())
    return [line.replace(f"{HERE}/", "") for line in lines if line]


def _sweep_table(_: str, out: Path) -> Any:
    """Return the rows of a sweep's table, without the digests, which tell how the fields are called."""
    with (out / "table.csv").open(encoding="utf-8", newline="") as file:
        return [{name: _number(text) for name, text in row.items() if name != "digest"} for row in csv.DictReader(file)]


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def _verilog(_: str, out: Path) -> Any:
    """Return the cells of a design, what its bench says, and the counters that the bench expects."""
    _program("iverilog", "-g2001", "-o", "tile_tb.vvp", "tile_tb.v", "tile.v", cwd=out)
    said = _program("vvp", "-N", "tile_tb.vvp", cwd=out)
    script = "read_verilog tile.v; hierarchy -check -top tile; proc; tee -q -o cells.json stat -json"
    _program("yosys", "-q", "-p", script, cwd=out)
    parameters = json.loads((out / "parameters.json").read_text(encoding="utf-8"))
    return {
        "bench": re.findall(r"^(?:PASS|FAIL).*$", said, re.MULTILINE),
        "expected": parameters["expected"],
        "yosys": _program("yosys", "-V", cwd=out).split()[1],
        "cells": _of_design((out / "cells.json").read_text(encoding="utf-8")),
    }


def _of_design(statistics: str) -> Any:
    """Return what yosys counted in the whole design; the list of modules before it is no JSON in some versions.

    Cells and memories alone: a wire is a name, and a named constant is no hardware.
    """
    _, found, counted = statistics.rpartition('"design":')
    assert found, "yosys counts no design"
    design = json.JSONDecoder().raw_decode(counted.lstrip())[0]
    return {name: value for name, value in design.items() if "wire" not in name}


def _program(name: str, *words: str, cwd: Path) -> str:
    if not shutil.which(name):
        raise MissingProgramError(f"{name} is not installed")
    done = subprocess.run([name, *words], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


_COMPARED: dict[str, Callable[[str, Path], Any]] = {
    "json": _json,
    "text": _lines,
    "table": _sweep_table,
    "verilog": _verilog,
}
