"""JSON holds no NaN and no infinity, wherever this package writes or reads it."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from deltatrain.accel.documents import json_text, json_value

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path for room in ("accel", "rtl", "sim", "workloads", "reports") for path in (ROOT / room).rglob("*.py")
)
INSIDE = {"accel/description.py"}  # tables are copied, so that a field itself refuses NaN, and digested
SENT = {"workloads/data/speech/espeak_server.py", "sim/sweep/point.py"}  # read what the package sent them


def _calls(name: str) -> list[tuple[str, ast.Call]]:
    """Return every call of ``json.NAME`` in the package, behind its file."""
    return [
        (path.relative_to(ROOT).as_posix(), node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"json.{name}"
    ]


def test_whatever_is_written_is_strict() -> None:
    lax = {
        place
        for place, call in _calls("dumps")
        if not any(word.arg == "allow_nan" and ast.unparse(word.value) == "False" for word in call.keywords)
    }
    assert lax == INSIDE
    assert len(_calls("dumps")) > len(lax), "the search finds what is there"


def test_whatever_is_read_is_strict() -> None:
    assert {place for place, _ in _calls("loads")} == SENT | {"accel/documents.py"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_json_has_no_word_for_becomes_null(value: float) -> None:
    class Anything(BaseModel):
        number: float
        table: dict[str, Any]

    for text in (
        json_text({"a": value, "b": [value, (1, value)]}),
        Anything(number=value, table={"a": [value]}).model_dump_json(),
    ):
        assert json_value(text.encode()) == json.loads(text, parse_constant=lambda word: pytest.fail(word))
        assert text.count("null") == (3 if "b" in json_value(text.encode()) else 2)
