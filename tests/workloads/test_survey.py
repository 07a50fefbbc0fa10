from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from recording_files import sequences

from deltatrain.accel.errors import NetworkError
from deltatrain.workloads.data.recordings import Recordings, Sequences
from deltatrain.workloads.datasets import DATASETS
from deltatrain.workloads.survey import THETAS, fired_shares, survey


def part(count: int, seed: int = 0) -> Sequences:
    values, labels = sequences(count, seed=seed)
    return Sequences(np.concatenate(values), np.array([len(v) for v in values], np.int64), labels.astype(np.int64))


def naive_share(values: list[np.ndarray], theta: float) -> float:
    """Return the share that fires, an element at a time: it has moved since it last fired, and by theta at least."""
    fired = total = 0
    for steps in values:
        sent = [0.0] * steps.shape[1]
        for step in steps:
            for place, value in enumerate(step):
                total += 1
                if value != sent[place] and abs(np.float32(value) - np.float32(sent[place])) >= np.float32(theta):
                    fired, sent[place] = fired + 1, value
    return fired / total


@pytest.mark.parametrize("theta", [0.0, 0.1, 0.5, 2.0])
def test_the_curve_is_the_rule_of_delta_networks(theta: float) -> None:
    values, _ = sequences(12)
    assert fired_shares(part(12), (theta,)) == (pytest.approx(naive_share(values, theta), abs=1e-12),)


def test_the_curve_of_the_vowels_is_the_one_that_was_measured() -> None:
    """Share of |x - x_hat| below theta after the first step, in an analysis of its own: .17, .31, .52, .66, .79."""
    try:
        train = DATASETS.load("vowels").load().train
    except NetworkError as error:
        pytest.skip(str(error))
    fired = np.array(fired_shares(train, (0.05, 0.1, 0.2, 0.3, 0.5)))
    first = len(train) / train.lengths.sum()  # of the steps, the share that are first ones, in which all fires
    held = (1 - fired) / (1 - first)
    assert_allclose(held, [0.17, 0.31, 0.52, 0.66, 0.79], atol=0.03)


def test_a_survey_counts_what_is_there() -> None:
    recordings = Recordings("few", "none", "numbers", 3, part(30), part(9, 1), part(6, 2))
    seen = survey(recordings)
    assert {name: len(steps) for name, steps in seen.lengths.items()} == {"train": 30, "validation": 6, "test": 9}
    assert {name: counts.tolist() for name, counts in seen.classes.items()} == {
        "train": [10, 10, 10],
        "validation": [2, 2, 2],
        "test": [3, 3, 3],
    }
    assert len(seen.fired) == len(THETAS) and seen.tried == 30
    assert (np.diff(seen.fired) <= 0.05).all()
    assert [label for label, _ in seen.examples] == [0, 1, 2]
    for label, values in seen.examples:
        of_class = [v.tobytes() for v, n in zip(sequences(30)[0], sequences(30)[1], strict=True) if n == label]
        assert values.tobytes() in of_class
