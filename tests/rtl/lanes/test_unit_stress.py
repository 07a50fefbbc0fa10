"""Very many short ops on the lane array under random stalls on every port: none is lost, doubled, stuck or wrong."""

from __future__ import annotations

import numpy as np
import pytest
from lane_bench import run_lanes
from lane_jobs import (
    a_small_engine,
    check_done_after_the_last_was_taken,
    check_values,
    some_arrivals,
    some_jobs,
    some_pushing_back,
)


def check_many(ops, seed):
    engine, rng = a_small_engine(1), np.random.default_rng(seed)
    jobs, g, rate = some_jobs(rng, engine, ops, most_columns=2, most_words=2)
    ready = some_pushing_back(rng)
    seen = run_lanes(engine, jobs, g, rate, some_arrivals(rng, jobs, 0.3), ready, most_cycles=100 * ops)
    check_values(seen, engine, jobs, g, rate)
    check_done_after_the_last_was_taken(seen, jobs)


def test_three_thousand_short_ops_under_stalls():
    check_many(3_000, 1)


@pytest.mark.long
def test_a_hundred_thousand_short_ops_under_stalls():
    check_many(100_000, 2)
