"""Every field of a user's file says what it means, and the schemas take what the readers take."""

from __future__ import annotations

import json
import tomllib
from importlib import resources

import jsonschema
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.description import Description
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.field_words import field_words, schema, schema_with_base
from deltatrain.sim.cli import main
from deltatrain.sim.sweep.space import Space
from deltatrain.workloads.workload import Workload

KINDS = {"machine": schema_with_base(Architecture), "workload": schema_with_base(Workload), "space": schema(Space)}
FILES = [
    (kind, path)
    for kind, package in (
        ("machine", "accel.presets"),
        ("workload", "workloads.presets"),
        ("space", "sim.sweep.spaces"),
    )
    for path in resources.files(f"deltatrain.{package}").iterdir()
    if path.name.endswith(".toml")
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_says_what_it_means(kind):
    found = KINDS[kind]
    for table in (found, *found.get("$defs", {}).values()):
        for field, about in table["properties"].items():
            assert len(about.get("description", "")) > 8, field


@pytest.mark.parametrize(("kind", "path"), FILES, ids=[path.name for _, path in FILES])
def test_the_schema_takes_every_preset(kind, path):
    validator = jsonschema.Draft202012Validator(KINDS[kind])
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    assert [error.message for error in validator.iter_errors(table)] == []


@pytest.mark.parametrize(
    "changed", [{"engine": 3}, {"dma": {"in_flight": 0}}, {"enginee": {}}, {"remote": {"row_policy": "ajar"}}]
)
def test_the_schema_refuses_what_the_reader_refuses(changed):
    table = tomllib.loads(resources.files("deltatrain.accel.presets").joinpath("edge.toml").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema(Architecture))
    assert validator.is_valid(table)
    for name, value in changed.items():
        table[name] = table.get(name, {}) | value if isinstance(value, dict) else value
    assert not validator.is_valid(table)
    with pytest.raises(ConfigError):
        Architecture.from_table(table)


def test_words_end_where_their_section_ends():
    class Base(Description):
        """A base.

        Attributes
        ----------
        first
            Of the base.
        """

        first: int

    class Both(Base):
        """Both.

        Attributes
        ----------
        second, third
            Two lines
            of words.

        Raises
        ------
        fourth
            Not a field.
        """

        second: int
        third: int

    assert field_words(Both) == {
        "first": "Of the base.",
        "second": "Two lines of words.",
        "third": "Two lines of words.",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_prints_it(kind, capsys):
    assert main(["schema", kind]) == 0
    assert json.loads(capsys.readouterr().out) == KINDS[kind]


def test_another_kind_is_one_line(capsys):
    assert main(["schema", "fpga"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
