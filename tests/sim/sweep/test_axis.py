from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deltatrain.accel.errors import ConfigError
from deltatrain.sim.sweep.axis import Axis

numbers = st.one_of(st.integers(1, 10**6), st.floats(1e-6, 1e6))
positions = st.floats(0, 1, exclude_max=True)


def axis(given: object) -> Axis:
    return Axis.model_validate(given)


def test_a_list_is_its_values() -> None:
    assert axis([8, 4, 16]).choices == (8, 4, 16)
    assert axis(["a", "b"]).choices == ("a", "b")
    assert [type(value) for value in axis([1, 1.0, True, "1"]).choices or ()] == [int, float, bool, str]
    assert axis([[64, 64], [32]]).choices == ((64, 64), (32,))


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ({"low": 2, "high": 11, "step": 3}, (2, 5, 8, 11)),
        ({"low": 2, "high": 10, "step": 3}, (2, 5, 8)),
        ({"low": 0.1, "high": 0.5, "step": 0.1}, (0.1, 0.2, 0.3, 0.4, 0.5)),
        ({"low": 2, "high": 32, "factor": 2}, (2, 4, 8, 16, 32)),
        ({"low": 0.01, "high": 10, "factor": 10}, (0.01, 0.1, 1.0, 10.0)),
        ({"low": 0.05, "high": 0.5, "count": 4}, (0.05, 0.2, 0.35, 0.5)),
        ({"low": 10, "high": 1000, "count": 3, "scale": "log"}, (10, 100, 1000)),
        ({"low": 1, "high": 4, "count": 8}, (1, 2, 3, 4)),
        ({"low": 3, "high": 6}, (3, 4, 5, 6)),
    ],
)
def test_a_range_has_both_ends(table: dict[str, object], values: tuple[float, ...]) -> None:
    found = tuple(axis(table).choices or ())
    assert found == values and [type(one) for one in found] == [type(one) for one in values]


@given(numbers, numbers, st.integers(2, 50), st.sampled_from(["linear", "log"]))
def test_so_many_values_at_even_distances(low: float, high: float, count: int, scale: str) -> None:
    assume(high > low * 1.001)
    values = axis({"low": low, "high": high, "count": count, "scale": scale}).choices or ()
    assert math.isclose(values[0], low, rel_tol=1e-9) and math.isclose(values[-1], high, rel_tol=1e-9)
    if isinstance(low, float) or isinstance(high, float):
        position = math.log if scale == "log" else float
        gaps = [position(b) - position(a) for a, b in pairwise(values)]
        assert len(values) == count and max(gaps) - min(gaps) < 1e-9 * max(abs(position(low)), abs(position(high)), 1)
    else:
        assert all(isinstance(value, int) for value in values) and len(set(values)) == len(values) <= count


@given(numbers, numbers, st.sampled_from(["linear", "log"]), positions)
def test_a_continuous_range_is_drawn_between_its_ends(low: float, high: float, scale: str, position: float) -> None:
    assume(low < high)
    drawn = axis({"low": float(low), "high": float(high), "scale": scale}).at(position)
    assert isinstance(drawn, float) and low * (1 - 1e-9) <= drawn <= high * (1 + 1e-9)


@given(st.lists(st.integers(), min_size=1, max_size=9, unique=True), positions)
def test_positions_are_shared_out_evenly(values: list[int], position: float) -> None:
    assert axis(values).at(position) == values[math.floor(position * len(values))]


def test_lists_of_increasing_numbers_are_ordered() -> None:
    assert axis([1, 2.5, 3]).ordered and axis({"low": 1, "high": 9}).ordered and axis({"low": 0.1, "high": 1.0}).ordered
    assert not axis([2, 1]).ordered and not axis(["a", "b"]).ordered and not axis([False, True]).ordered


def test_a_field_is_varied_only_beside_the_values_asked_for() -> None:
    one = axis({"values": [1], "when": {"a": ["x", "y"], "b": 2}})
    assert one.varied({"a": "x", "b": 2}) and one.varied({"a": "y", "b": 2.0})
    assert not one.varied({"a": "z", "b": 2}) and not one.varied({"a": "x"}) and not one.varied({"a": "x", "b": True})


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "must have either values, or low and high"),
        ({"values": [1], "low": 1}, "must have either values, or low and high"),
        ({"values": [1], "step": 2}, "must not have step beside values"),
        ({"values": [1], "scale": "log"}, "must not have scale beside values"),
        ({"low": 1}, "must have high"),
        ({"high": 1}, "must have low"),
        ({"low": 2, "high": 1}, "low must be at most high (1), not 2"),
        ({"low": 1, "high": 2, "step": 1, "count": 2}, "must have only one of step, count"),
        ({"low": 1, "high": 2, "step": 0}, "step must be positive, not 0"),
        ({"low": 1, "high": 2, "factor": 1}, "factor must be greater than 1, not 1"),
        ({"low": 0, "high": 2, "factor": 2}, "low must be positive where values have even ratios, not 0"),
        ({"low": -1.0, "high": 2, "scale": "log"}, "low must be positive"),
        ({"values": []}, "values must have at least 1 entries, not []"),
        ({"low": "1", "high": 2}, "low must be"),
        ({"low": True, "high": 2}, "low must be"),
        ({"lo": 1, "high": 2}, "lo is not a field, did you mean 'low'?"),
        (3, "must be a table, not 3"),
    ],
)
def test_what_is_no_axis_is_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Axis.from_table(table)
    assert said in str(refused.value)
