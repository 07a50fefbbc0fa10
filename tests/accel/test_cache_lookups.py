"""The compiled tags of the column cache against the same in Python, for any lookups, ranks and shape."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tags_step_by_step import Tags

from deltatrain.accel.cache_lookups import FLUSH, Asked, looked_up

RUNS, MOST_SINCE = 40, 5


@st.composite
def asked_of_tags(draw: st.DrawFn) -> Asked:
    """Draw ops that look up few runs, or many, and flushes between them; ranks rise with time or are in any order."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    counts = np.array(draw(st.lists(st.integers(0, 30), max_size=12)), np.int64)
    end = np.cumsum(counts)
    start = np.where(random.random(len(counts)) < 0.2, FLUSH, end - counts)
    number = int(counts.sum())
    line = random.integers(0, draw(st.integers(1, RUNS)), number)
    rank = np.arange(number) if draw(st.booleans()) else random.permutation(number)
    return Asked(start, end, random.random(len(counts)) < draw(st.sampled_from([0.0, 0.5, 1.0])), line, rank)


@settings(max_examples=300)
@given(asked_of_tags(), st.integers(1, 9), st.integers(1, 9))
def test_every_lookup_finds_what_it_finds_in_python(asked: Asked, sets: int, ways: int) -> None:
    tags = Tags(sets, ways, MOST_SINCE)
    tags.go_through(asked)
    found = looked_up(asked, RUNS, (sets, ways), MOST_SINCE)
    looked = np.concatenate([[], *(np.arange(a, b) for a, b in zip(asked.start, asked.end, strict=True) if a != FLUSH)])
    for name in ("hit", "out", "behind", "since"):
        assert getattr(found, name)[looked.astype(int)].tolist() == getattr(tags, name), name
    begin, flushes = 0, []
    for op in np.flatnonzero(asked.start == FLUSH):
        end = int(found.flushed_end[op])
        lines, since = found.flushed[begin:end].tolist(), found.flushed_since[begin:end].tolist()
        flushes.append((lines, since, int(found.gone[op]), bool(found.touched[op])))
        begin = end
    assert flushes == tags.flushes
