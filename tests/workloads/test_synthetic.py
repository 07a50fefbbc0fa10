from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from deltatrain.workloads.synthetic import element_rates, stream_masks, synthetic_step, uniform_masks
from deltatrain.workloads.workload import Workload

shares = st.floats(0, 1)
inner = st.floats(0.05, 0.95)


def workload(**changes: object) -> Workload:
    sizes = {"inputs": 16, "classes": 4, "steps": 200}
    statistics = {"occupancy_x": 0.3, "occupancy_h": 0.1, "correlation": 0.5, "skew": 0.2}
    table = {
        "name": "made",
        "dataset": "synthetic",
        "cell": "delta_lstm",
        "hidden": [24, 12],
        "theta_x": 0.1,
        "theta_h": 0.1,
        "training": {"epochs": 1, "batch": 4, "seed": 3},
        "synthetic": sizes | statistics | changes,
    }
    return Workload.from_table(table)


@given(st.integers(1, 300), shares, shares, st.integers(0, 2**32))
def test_rates_are_shares_whose_mean_is_the_occupancy(width: int, occupancy: float, skew: float, seed: int) -> None:
    rates = element_rates(width, occupancy, skew, np.random.default_rng(seed))
    assert rates.shape == (width,)
    assert rates.min() >= -1e-12 and rates.max() <= 1 + 1e-12
    assert_allclose(rates.mean(), occupancy, atol=1e-9)


@settings(max_examples=25)
@given(inner, st.floats(0.05, 1), st.integers(0, 2**32))
def test_rates_spread_as_the_skew_says(occupancy: float, skew: float, seed: int) -> None:
    """The sample variance of N shares has a standard error of at most 1 / (2 sqrt(N)), here .0035."""
    rates = element_rates(20_000, occupancy, skew, np.random.default_rng(seed))
    assert_allclose(rates.var(), skew * occupancy * (1 - occupancy), atol=0.02)


def test_without_skew_all_elements_are_alike() -> None:
    assert_array_equal(element_rates(7, 0.4, 0.0, np.random.default_rng(0)), np.full(7, 0.4))


@settings(max_examples=25)
@given(inner, st.floats(0, 0.9), st.integers(0, 2**32))
def test_a_stream_has_the_occupancy_and_correlation_asked_for(occupancy: float, correlation: float, seed: int) -> None:
    """Within five standard errors; successive draws of a chain are worth (1 - c) / (1 + c) of independent ones."""
    fired = stream_masks((400, 5, 50), occupancy, correlation, 0.0, np.random.default_rng(seed)).astype(float)
    worth = fired.size * (1 - correlation) / (1 + correlation)
    error = np.sqrt(occupancy * (1 - occupancy) / worth)
    assert abs(fired.mean() - occupancy) < 5 * error
    now, then = fired[1:].ravel(), fired[:-1].ravel()
    rare = occupancy * (1 - occupancy)
    covariance = np.mean((now - occupancy) * (then - occupancy))
    # Var of (x - p)(y - p) is at most E[(x - p)^2 (y - p)^2] <= p(1 - p) max(p, 1 - p)^2.
    bound = np.sqrt(rare * max(occupancy, 1 - occupancy) ** 2 / worth)
    assert abs(covariance - correlation * rare) < 6 * bound


@settings(max_examples=15)
@given(inner, st.floats(0.1, 0.9), st.integers(0, 2**32))
def test_each_element_keeps_its_own_rate(occupancy: float, skew: float, seed: int) -> None:
    fired = stream_masks((2_000, 10, 8), occupancy, 0.0, skew, np.random.default_rng(seed))
    rates = element_rates_as_drawn(occupancy, skew, seed)
    assert_allclose(fired.mean(axis=(0, 1)), rates, atol=5 * np.sqrt(0.25 / 20_000))


def element_rates_as_drawn(occupancy: float, skew: float, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    random.random((2_000, 10, 8), np.float32)  # stream_masks draws the fresh states before the rates
    return element_rates(8, occupancy, skew, random)


@given(st.integers(1, 60), inner, st.integers(0, 2**32))
def test_full_correlation_never_changes(steps: int, occupancy: float, seed: int) -> None:
    fired = stream_masks((steps, 2, 9), occupancy, 1.0, 0.3, np.random.default_rng(seed))
    assert (fired == fired[0]).all()


@pytest.mark.parametrize("occupancy", [0.0, 1.0])
def test_nothing_or_everything_fires_at_the_ends(occupancy: float) -> None:
    fired = stream_masks((50, 2, 9), occupancy, 0.4, 0.7, np.random.default_rng(1))
    assert (fired == bool(occupancy)).all()


def test_a_step_has_the_shapes_and_shares_of_its_workload() -> None:
    step = synthetic_step(workload())
    assert_array_equal(step.lengths, [200] * 4)
    assert [mask.shape for mask in step.fired_x] == [(200, 4, 16), (200, 4, 24)]
    assert [mask.shape for mask in step.fired_h] == [(200, 4, 24), (200, 4, 12)]
    for mask, occupancy in zip((*step.fired_x, *step.fired_h), (0.3, 0.1, 0.1, 0.1), strict=True):
        assert mask.dtype == bool
        assert abs(mask.mean() - occupancy) < 0.03


@given(st.integers(1, 5))
def test_the_first_step_has_no_recurrent_delta(steps: int) -> None:
    step = synthetic_step(workload(steps=steps, occupancy_h=1.0))
    for mask in step.fired_h:
        assert not mask[0].any()
        assert mask[1:].all()


def test_the_seed_decides_everything() -> None:
    again, other = synthetic_step(workload()), synthetic_step(workload().with_changes(training__seed=4))
    for mask, same, different in zip(synthetic_step(workload()).fired_h, again.fired_h, other.fired_h, strict=True):
        assert_array_equal(mask, same)
        assert (mask != different).any()


@given(st.integers(1, 40), st.integers(1, 40), shares, st.integers(0, 2**32))
def test_uniform_masks_fire_an_exact_total(steps: int, width: int, occupancy: float, seed: int) -> None:
    mask = uniform_masks(steps, width, occupancy, seed)
    assert mask.shape == (steps, width)
    assert mask.sum() == round(occupancy * steps * width)
    assert_array_equal(mask, uniform_masks(steps, width, occupancy, seed))


def test_uniform_masks_favour_no_place() -> None:
    share = np.mean([uniform_masks(6, 5, 0.2, seed) for seed in range(4_000)], axis=0)
    assert_allclose(share, 0.2, atol=5 * np.sqrt(0.16 / 4_000))


@pytest.mark.parametrize("shape", [(1, 1, 1), (0, 2, 3), (40, 3, 5)])
def test_masks_are_the_chain_walked_step_by_step(shape: tuple[int, int, int]) -> None:
    fired = stream_masks(shape, 0.3, 0.6, 0.2, np.random.default_rng(4))
    random = np.random.default_rng(4)
    states = random.random(shape, np.float32)
    fresh = states < element_rates(shape[2], 0.3, 0.2, random)
    redrawn = random.random(shape, np.float32) >= 0.6
    for step in range(1, shape[0]):
        fresh[step] = np.where(redrawn[step], fresh[step], fresh[step - 1])
    np.testing.assert_array_equal(fired, fresh)
    assert fired.flags.c_contiguous
