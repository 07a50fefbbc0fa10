"""The lane array against the integers of `accel.modes`, bit for bit, and against the cycle law, stalls included."""

from __future__ import annotations

import numpy as np
from components import assert_refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lane_bench import LAW, Job, Part, issue_cycles, run_lanes
from lane_jobs import (
    PLACES,
    a_small_engine,
    check_done_after_the_last_was_taken,
    check_values,
    engines,
    integers,
    some_arrivals,
    some_jobs,
    some_pushing_back,
)

from deltatrain.rtl.lanes.op import Mode
from deltatrain.rtl.lanes.unit import Lanes

few = settings(suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 2**32 - 1)


@settings(few, max_examples=20)
@given(engines(), seeds)
def test_words_that_are_there_are_worked_through_at_the_law_s_pace(engine, seed):
    check_pace(engine, *some_jobs(np.random.default_rng(seed), engine, 14))


@settings(few, max_examples=12)
@given(engines(lanes=(1, 2, 4)), seeds, st.sampled_from(Mode), st.integers(0, 1))
def test_ops_of_at_most_one_word_follow_each_other_without_a_gap(engine, seed, mode, most_columns):
    """More of them than are under way at once."""
    rng = np.random.default_rng(seed)
    check_pace(engine, *some_jobs(rng, engine, 30, modes=(mode,), most_columns=most_columns, most_words=1))


def check_pace(engine, jobs, g, rate):
    seen = run_lanes(engine, jobs, g, rate)
    check_values(seen, engine, jobs, g, rate)
    law = np.array([LAW[job.mode].issue_cycles(np.array(job.count), job.words) for job in jobs])
    drain = np.array([LAW[job.mode].drain_cycles(engine) for job in jobs])
    assert seen.transfers["ops"] == (np.cumsum(law) - 1).tolist()
    assert seen.done == (np.cumsum(law) + drain).tolist()


@settings(few, max_examples=16)
@given(engines(lanes=(1, 2, 4)), seeds, st.sampled_from([0.5, 2.0, 5.0]))
def test_words_that_come_late_are_issued_by_the_rule(engine, seed, slowness):
    rng = np.random.default_rng(seed)
    jobs, g, rate = some_jobs(rng, engine, 14)
    arrivals = some_arrivals(rng, jobs, slowness)
    seen = run_lanes(engine, jobs, g, rate, arrivals)
    check_values(seen, engine, jobs, g, rate)
    issued = issue_cycles(jobs, arrivals)
    drain = [LAW[job.mode].drain_cycles(engine) for job in jobs]
    assert seen.transfers["ops"] == [op[-1] for op in issued]
    assert seen.done == [op[-1] + 1 + cycles for op, cycles in zip(issued, drain, strict=True)]
    for name in ("weights", "weight_gradients"):
        taken = [c for job, op in zip(jobs, issued, strict=True) if job.count and job.taken(1)[name] for c in op]
        assert seen.transfers[name] == taken


@settings(few, max_examples=16)
@given(engines(lanes=(1, 2, 4)), seeds)
def test_nothing_is_lost_or_done_too_soon_when_the_outputs_push_back(engine, seed):
    rng = np.random.default_rng(seed)
    jobs, g, rate = some_jobs(rng, engine, 14)
    seen = run_lanes(engine, jobs, g, rate, some_arrivals(rng, jobs, 1.0), some_pushing_back(rng))
    check_values(seen, engine, jobs, g, rate)
    check_done_after_the_last_was_taken(seen, jobs)


@settings(few, max_examples=14)
@given(engines(lanes=(2, 4)), seeds, st.integers(1, 4))
def test_the_same_accumulators_may_be_used_again_at_every_distance(engine, seed, words):
    """Ops of one column on K = 1 to 4 words of the same place, with and without gaps between the words."""
    rng = np.random.default_rng(seed)
    formats, lanes = engine.formats, engine.lanes
    jobs = []
    for _ in range(12):
        count = int(rng.integers(1, 5))
        source, target = rng.integers(0, 2, 2).tolist()
        shape = (words * lanes, count)
        jobs.append(
            Job(
                Mode.MATVEC,
                (Part(int(rng.integers(0, 2)), words, source, target, bool(rng.random() < 0.1)),),
                np.arange(count),
                integers(rng, formats.activation, count),
                integers(rng, formats.weight, shape),
                integers(rng, formats.weight_gradient, shape),
            )
        )
    g = integers(rng, formats.gradient, (PLACES, 2, lanes))
    arrivals = some_arrivals(rng, jobs, 0.4)
    check_values(run_lanes(engine, jobs, g, 1, arrivals), engine, jobs, g, 1)


def test_arguments_are_checked():
    message = "accumulator_words must be an integer of at least 1, not 0"
    assert_refused(Lanes, message, engine=a_small_engine(2), accumulator_words=0)
