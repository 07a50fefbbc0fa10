"""Descriptions: what is wrong is said in lines that start with the field's dotted path, all at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from deltatrain.accel.description import (
    Description,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Share,
    read_toml,
    with_overrides,
)
from deltatrain.accel.errors import ConfigError


class Wheel(Description):
    spokes: PositiveInt
    worn: Share = 0.0


class Cart(Description):
    name: str
    load: NonNegativeInt
    weight: PositiveFloat
    slope: NonNegativeFloat
    wheel: Wheel
    brakes: bool = False
    axles: Annotated[tuple[int, ...], Field(min_length=1)] = (1,)


GOOD = {"name": "cart", "load": 0, "weight": 1.5, "slope": 0, "wheel": {"spokes": 12}}


def _refused(changes: dict[str, object]) -> str:
    with pytest.raises(ConfigError) as caught:
        Cart.from_table(with_overrides(GOOD, changes))
    return str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("load", -1, "load must be at least 0, not -1"),
        ("load", 1.5, "load must be an integer, not 1.5"),
        ("load", "two", "load must be an integer, not 'two'"),
        ("load", True, "load must be an integer, not True"),
        ("weight", 0, "weight must be a positive"),
        ("weight", float("nan"), "weight must be"),
        ("weight", float("inf"), "weight must be a finite number, not inf"),
        ("slope", -0.1, "slope must be at least 0"),
        ("name", 3, "name must be a text, not 3"),
        ("brakes", "perhaps", "brakes must be true or false, not 'perhaps'"),
        ("axles", [], "axles must have at least 1 entries, not []"),
        ("axles", 3, "axles must be a list, not 3"),
        ("wheel", 4, "wheel must be a table, not 4"),
        ("wheel.spokes", 0, "wheel.spokes must be a positive integer, not 0"),
        ("wheel.worn", 1.1, "wheel.worn must be at most 1"),
        ("wheel.spoke", 3, "wheel.spoke is not a field, did you mean 'spokes'?"),
        ("naem", "x", "naem is not a field, did you mean 'name'?"),
        ("zzz", 1, "zzz is not a field"),
    ],
)
def test_a_wrong_field_is_one_line(field: str, value: object, line: str) -> None:
    message = _refused({field: value})
    assert message.startswith(line)
    assert "\n" not in message


def test_all_faults_are_said_at_once_with_where_they_are_from() -> None:
    with pytest.raises(ConfigError) as caught:
        Cart.from_table({"name": "cart", "load": -1, "weight": 0.0, "wheel": {}}, "cart.toml")
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert all(line.startswith("cart.toml: ") for line in lines)
    assert "cart.toml: wheel.spokes is missing" in lines
    assert "cart.toml: slope is missing" in lines


@given(st.integers(0, 10**6), st.floats(0.001, 1e6), st.integers(1, 100))
def test_a_digest_is_of_the_content_alone(load: int, weight: float, spokes: int) -> None:
    table = {"slope": 0.0, "wheel": {"spokes": spokes}, "weight": weight, "load": load, "name": "cart"}
    one = Cart.from_table(table)
    other = Cart.from_table(dict(reversed(table.items())))
    assert one.digest() == other.digest()
    assert len(one.digest()) == 16
    assert one.model_copy(update={"load": load + 1}).digest() != one.digest()


def test_an_override_changes_its_field_and_nothing_else() -> None:
    changed = with_overrides(GOOD, {"wheel.spokes": 8, "load": 3})
    assert changed == GOOD | {"wheel": {"spokes": 8}, "load": 3}
    assert GOOD["wheel"] == {"spokes": 12}, "the table given stays as it is"


def test_an_override_below_what_is_no_table_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^load\.more is not a field: load is not a table$"):
        with_overrides(GOOD, {"load.more": 1})


def test_files_that_are_no_toml_are_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "cart.toml"
    for content, reason in ((b"a = ", "is not TOML"), (b"\xff\xfe", "it is not UTF-8 text")):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=reason) as caught:
            read_toml(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="No such file"):
        read_toml(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_toml(tmp_path)


def test_a_description_is_frozen() -> None:
    cart = Cart.from_table(GOOD)
    with pytest.raises(ValueError, match="frozen"):
        cart.load = 3


def test_a_field_called_as_a_branch_of_a_union_is_said_to_be_none() -> None:
    with pytest.raises(ConfigError, match="int is not a field"):
        Wheel.from_table({"int": 1})
