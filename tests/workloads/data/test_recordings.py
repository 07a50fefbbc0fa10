from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.recordings import Recordings, Sequences, standardised


def sequences(lengths: list[int], features: int = 3, seed: int = 0) -> Sequences:
    random = np.random.default_rng(seed)
    values = random.normal(5, 3, (sum(lengths), features)).astype(np.float32)
    return Sequences(values, np.array(lengths, np.int64), random.integers(0, 4, len(lengths)))


def one_by_one(part: Sequences) -> list[np.ndarray]:
    return np.split(part.values, np.cumsum(part.lengths)[:-1])


lengths_and_choice = st.lists(st.integers(1, 9), min_size=1, max_size=12).flatmap(
    lambda lengths: st.tuples(
        st.just(lengths), st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=10).map(np.array)
    )
)


@given(lengths_and_choice)
def test_padding_holds_every_chosen_sequence_and_zeros(case: tuple[list[int], np.ndarray]) -> None:
    lengths, chosen = case
    part = sequences(lengths)
    batch, batch_lengths = part.padded(chosen)
    assert batch.dtype == np.float32
    assert batch.shape == (max(lengths[i] for i in chosen), len(chosen), part.features)
    for column, index in enumerate(chosen):
        assert batch_lengths[column] == lengths[index]
        assert_array_equal(batch[: lengths[index], column], one_by_one(part)[index])
        assert not batch[lengths[index] :, column].any()


@given(lengths_and_choice)
def test_taking_keeps_order_values_and_labels(case: tuple[list[int], np.ndarray]) -> None:
    lengths, chosen = case
    part = sequences(lengths)
    taken = part.take(chosen)
    assert len(taken) == len(chosen)
    assert_array_equal(taken.labels, part.labels[chosen])
    for got, index in zip(one_by_one(taken), chosen, strict=True):
        assert_array_equal(got, one_by_one(part)[index])


def test_taking_none_leaves_none() -> None:
    nothing = sequences([2, 3]).take(np.array([], np.int64))
    assert len(nothing) == 0
    assert nothing.values.shape == (0, 3)


def test_standardising_uses_the_training_part_alone() -> None:
    train, test = sequences([4, 50, 7]), sequences([5, 5], seed=1)
    train.values[:, 2] = 8.0  # a feature that never changes
    done = standardised(Recordings("made", "none", "made", 4, train, test))
    assert_allclose(done.train.values.mean(axis=0), 0, atol=1e-5)
    assert_allclose(done.train.values.std(axis=0), [1, 1, 0], atol=1e-5)
    mean, deviation = train.values.mean(axis=0), np.array([*train.values.std(axis=0)[:2], 1.0])
    assert_allclose(done.test.values, (test.values - mean) / deviation, rtol=1e-4, atol=1e-4)
    assert_array_equal(done.test.labels, test.labels)


@pytest.mark.parametrize(
    ("values", "lengths", "labels", "message"),
    [
        (np.zeros((5, 2)), [5], [0], "values must be float32"),
        (np.zeros(5, np.float32), [5], [0], "values must be float32"),
        (np.zeros((5, 2), np.float32), [5], [0, 1], "must be of one shape"),
        (np.zeros((5, 2), np.float32), [3], [0], "add up to the 5 steps there are, not 3"),
        (np.zeros((5, 2), np.float32), [5, 0], [0, 1], "at least 1, not 0"),
        (np.zeros((5, 0), np.float32), [5], [0], "values must be float32"),
        (np.zeros((5, 2), np.float32), [5], [0.5], "labels must be int64, not float64"),
        (np.zeros((5, 2), np.float32), [5.0], [0], "lengths must be int64, not float64"),
        (np.zeros((5, 2), np.float32), [5], [True], "labels must be int64, not bool"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(
    values: np.ndarray, lengths: list[float], labels: list[float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        Sequences(values, np.array(lengths), np.array(labels))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_with_its_place(value: float) -> None:
    values = np.zeros((9, 2), np.float32)
    values[6, 1] = value  # the sequences take rows 0 to 3, 4, 5 to 8
    with pytest.raises(ConfigError, match=rf"not {value} in sequence 2, step 1, feature 1$"):
        Sequences(values, np.array([4, 1, 4]), np.array([0, 0, 0]))


def test_features_so_small_that_their_scale_overflows_are_refused() -> None:
    part, other = sequences([4, 4]), sequences([2])
    part.values[...] = np.arange(24, dtype=np.float32).reshape(8, 3) * np.float32(1e-44)
    with pytest.raises(ConfigError, match=r"must be finite numbers, not -?inf in sequence 0"):
        standardised(Recordings("made", "none", "made", 4, part, other))


def test_equal_recordings_have_one_digest_and_any_other_has_another() -> None:
    def made(seed: int = 0, classes: int = 4, label: int = 1) -> str:
        train, test = sequences([2, 3], seed=seed), sequences([2])
        train.labels[0] = label
        return Recordings("made", "none", "made", classes, train, test).digest

    assert made() == made()
    assert len({made(), made(seed=1), made(classes=5), made(label=2)}) == 4


def test_parts_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ConfigError, match="train has 3 features, test has 2"):
        Recordings("made", "none", "made", 4, sequences([2]), sequences([2], features=2))
    part, none = sequences([2, 2, 2]), sequences([2]).take(np.array([], np.int64))
    part.labels[:] = [0, 1, -1]
    with pytest.raises(ConfigError, match="labels must be from 0 to 0, not 1 in train, sequence 1"):
        Recordings("made", "none", "made", 1, part, part)
    with pytest.raises(ConfigError, match="labels must be from 0 to 3, not -1 in train, sequence 2"):
        Recordings("made", "none", "made", 4, part, part)
    with pytest.raises(ConfigError, match="test must have one sequence or more, not none"):
        Recordings("made", "none", "made", 4, sequences([2]), none)
