"""Random engines, ops and stalls for the lane array, and the comparison of what it did with the golden model."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from lane_bench import SINKS, Job, Part, bits_of, golden

from deltatrain.accel.engine import Engine, Formats
from deltatrain.rtl.lanes.op import Mode
from deltatrain.rtl.lanes.unit import RESULT_CYCLES

PLACES = 12
COLUMNS = 40

overflows = st.sampled_from(["saturate", "wrap"])


def number(bits, fraction_bits, overflow="saturate"):
    return {"bits": bits, "fraction_bits": fraction_bits, "overflow": overflow}


@st.composite
def engines(draw, lanes=(1, 2, 3, 4, 5, 8)):
    """Draw an engine with weights of 8 or 16 bits and activations of 16."""
    weight_bits = draw(st.sampled_from([8, 16]))
    weight = number(weight_bits, draw(st.integers(0, weight_bits - 1)), draw(overflows))
    activation, gradient, learning_rate = (number(16, draw(st.integers(0, 15))) for _ in range(3))
    fractions = activation["fraction_bits"] + gradient["fraction_bits"] + learning_rate["fraction_bits"]
    finer = max(0, weight["fraction_bits"] - fractions)  # the step of an update has at most 64 bits
    formats = Formats(
        weight=weight,
        activation=activation,
        gate=number(16, 14),
        state=number(16, 11),
        gradient=gradient | {"overflow": draw(overflows)},
        learning_rate=learning_rate,
        memory_bits=draw(st.integers(weight_bits + 16, 48)),
        memory_overflow=draw(overflows),
        weight_gradient_bits=draw(st.integers(32, 48 - finer)),
        weight_gradient_overflow=draw(overflows),
    )
    return Engine(
        clock_hz=100_000_000,
        lanes=draw(st.sampled_from(lanes)),
        encoder_elements=1,
        elementwise_lanes=1,
        formats=formats,
    )


def integers(rng, number, shape):
    """Return integers of a format: any, small ones, and its ends, each kind in a share drawn anew."""
    anywhere = rng.integers(number.lowest, number.highest, shape, endpoint=True)
    small = rng.integers(-3, 3, shape, endpoint=True)
    ends = rng.choice([number.lowest, number.highest, 0], shape)
    return np.choose(rng.choice(3, shape, p=rng.dirichlet([1, 1, 1])), [anywhere, small, ends])


def a_job(rng, engine, modes=tuple(Mode), most_columns=4, most_words=3, may_mix=True):
    """Return a random op of few columns and words, in one part or in two, which may share a word if they may mix."""
    formats, lanes = engine.formats, engine.lanes
    count, words = int(rng.integers(0, most_columns + 1)), int(rng.integers(1, most_words + 1))
    edges = [words] if words == 1 or rng.random() < 0.5 else [int(rng.integers(1, words))]
    sizes = [edges[0], words - edges[0]] if edges[0] < words else [words]
    free = PLACES - words
    first = int(rng.integers(0, free + 1))
    addresses = [first, first + sizes[0] + int(rng.integers(0, free - first + 1))][: len(sizes)]
    if len(sizes) == 2 and rng.random() < 0.5:  # the upper part may lie below the lower one
        addresses = [addresses[1] + sizes[1] - sizes[0], first]
    parts = tuple(
        Part(address, size, *rng.integers(0, 2, 2).tolist(), bool(rng.random() < 0.3))
        for address, size in zip(addresses, sizes, strict=True)
    )
    mode = modes[rng.integers(len(modes))]
    # Half of the upper parts begin in the last word of the lower one.
    mixed = may_mix and len(parts) == 2 and lanes > 1 and rng.random() < 0.5
    upper_lane = int(rng.integers(1, lanes)) if mixed else 0
    shape = ((words - mixed) * lanes, count)
    return Job(
        mode,
        parts,
        np.arange(count) if mode is Mode.UPDATE else np.sort(rng.choice(COLUMNS, count, replace=False)),
        integers(rng, formats.activation, count),
        integers(rng, formats.weight, shape),
        integers(rng, formats.weight_gradient, shape),
        upper_lane,
    )


def some_jobs(rng, engine, ops, **sizes):
    """Return `ops` ops, g(M) and a learning rate."""
    jobs = [a_job(rng, engine, **sizes) for _ in range(ops)]
    g = integers(rng, engine.formats.gradient, (PLACES, 2, engine.lanes))
    return jobs, g, int(integers(rng, engine.formats.learning_rate, ()))


def some_arrivals(rng, jobs, slowness):
    """Return when each item of each source arrives, with gaps of `slowness` cycles on average."""
    counts = {name: sum(len(job.taken(1)[name]) for job in jobs) for name in ("ops", "entries")}
    for name, modes in (("weights", "matvec matvec_t update"), ("weight_gradients", "outer update")):
        counts[name] = sum(job.count * job.words for job in jobs if job.mode.name.lower() in modes.split())
    return {name: np.cumsum(rng.poisson(rng.random() * slowness, count)) for name, count in counts.items()}


def some_pushing_back(rng):
    """Return for each sink a random pattern of when it is ready, at least once a period."""
    patterns = {name: [*(rng.random(29) < rng.random()).tolist(), True] for name in SINKS}
    return {name: (lambda cycle, p=pattern: p[cycle % len(p)]) for name, pattern in patterns.items()}


def check_values(seen, engine, jobs, g, rate):
    expected, bits = golden(engine, jobs, g, rate), bits_of(engine.formats)
    for sink in SINKS:
        assert seen.payloads(sink, engine.lanes, bits[sink]) == getattr(expected, sink), sink
    assert (seen.memory == expected.memory).all()
    assert len(seen.done) == len(jobs)


def check_done_after_the_last_was_taken(seen, jobs):
    taken = dict.fromkeys(SINKS, 0)
    for job, done in zip(jobs, seen.done, strict=True):
        words = job.count * job.words
        made = {
            Mode.MATVEC: {},
            Mode.MATVEC_T: {"results": job.count},
            Mode.OUTER: {"new_weight_gradients": words},
            Mode.UPDATE: {"new_weights": words, "new_weight_gradients": words},
        }[job.mode]
        for name, count in made.items():
            taken[name] += count
            assert count == 0 or seen.received[name][taken[name] - 1][0] + RESULT_CYCLES <= done


def a_small_engine(lanes):
    formats = Formats(
        weight=number(8, 6),
        activation=number(16, 8),
        gate=number(16, 14),
        state=number(16, 11),
        gradient=number(16, 14),
        learning_rate=number(16, 15),
        memory_bits=26,
        memory_overflow="saturate",
        weight_gradient_bits=33,
    )
    return Engine(clock_hz=100_000_000, lanes=lanes, encoder_elements=1, elementwise_lanes=1, formats=formats)
