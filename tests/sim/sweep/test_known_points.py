"""What is known of points, beside dictionaries that say the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from deltatrain.sim.sweep import known_points
from deltatrain.sim.sweep.known_points import Found, KnownPoints, Numbers
from deltatrain.sim.sweep.outcome import Outcome

NUMBERS = st.floats(-1e9, 1e9)
OUTCOMES = st.one_of(
    st.just(Outcome(None)),
    st.builds(Outcome, st.tuples(NUMBERS, NUMBERS), st.tuples(NUMBERS)),
)


@given(st.lists(st.integers(0, 3000).map(str), max_size=100))
def test_texts_are_numbered_in_the_order_in_which_they_come(texts: list[str]) -> None:
    numbers, expected = Numbers(), {text: number for number, text in enumerate(dict.fromkeys(texts))}
    assert [numbers.of(text) for text in texts] == [expected[text] for text in texts]
    assert len(numbers) == len(expected)


def test_numbers_stay_when_there_are_many() -> None:
    numbers, texts = Numbers(), [f"{n:016x}" for n in range(5000)]
    assert [numbers.of(text) for text in texts] == list(range(5000))
    assert [numbers.of(text) for text in reversed(texts)] == list(reversed(range(5000)))


def test_texts_with_the_same_place_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = Numbers()
    monkeypatch.setattr(known_points, "hash", lambda text: 1024 * int(text) - 1, raising=False)
    assert [numbers.of(str(n)) for n in (5, 3, 5, 0, 3, 4)] == [0, 1, 0, 2, 1, 3]


@given(st.lists(st.tuples(st.integers(0, 20).map(str), OUTCOMES), max_size=40), st.lists(st.integers(0, 20).map(str)))
def test_what_was_learned_is_known(learned: list[tuple[str, Outcome]], asked: list[str]) -> None:
    points, expected = KnownPoints(2, 1), dict(learned)
    for digest, outcome in learned:
        points.learn(points.number(digest), outcome)
    for digest in asked:
        number = points.number(digest)
        assert (number in points) == (digest in expected)
        if number in points:
            assert points.outcome(number) == expected[digest]


@given(st.dictionaries(st.integers(0, 30).map(str), OUTCOMES), st.lists(st.integers(0, 30).map(str)))
def test_a_search_has_found_what_it_asked_for(outcomes: dict[str, Outcome], asked: list[str]) -> None:
    points = KnownPoints(2, 1)
    for digest, outcome in outcomes.items():
        points.learn(points.number(digest), outcome)
    asked = [digest for digest in asked if digest in outcomes]
    found, expected = Found(points), [outcomes[digest] for digest in dict.fromkeys(asked)]
    new = [found.add(points.number(digest)) for digest in asked]
    assert new == [digest not in asked[:place] for place, digest in enumerate(asked)]
    assert list(found) == expected
    assert len(found) == len(expected)
    assert found.failed == sum(outcome.losses is None for outcome in expected)
    feasible = [outcome.losses for outcome in expected if outcome.feasible]
    assert_array_equal(found.feasible_losses(), np.array(feasible).reshape(-1, 2))
    for digest in asked[:3]:
        found.tell(points.number(digest))
    assert found.told == len(set(asked[:3]))
