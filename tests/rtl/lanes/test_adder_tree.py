"""The adder tree against Python's sum."""

from __future__ import annotations

import numpy as np
import pytest
from components import assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import run

from deltatrain.rtl.lanes.adder_tree import AdderTree, levels


@settings(max_examples=30)
@given(st.integers(2, 17), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_a_sum_as_many_cycles_after_its_terms_as_there_are_levels(terms, bits, seed):
    rng, words = np.random.default_rng(seed), 12
    active = (rng.random(words) < rng.random()).tolist()
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    values = np.where(
        rng.random((words, terms)) < rng.random(),
        rng.choice([low, high], (words, terms)),
        rng.integers(low, high, (words, terms), endpoint=True),
    ).tolist()
    tree = AdderTree(bits=bits, terms=terms, tag=8)

    async def bench(ctx):
        sums = []
        for cycle in range(words + levels(terms)):
            if cycle < words:
                ctx.set(tree.tag, cycle + 1)
                ctx.set(tree.active, active[cycle])
                for lane, value in enumerate(values[cycle]):
                    ctx.set(tree.terms[lane], value)
            _, _, total, there, tag = await ctx.tick().sample(tree.sum, tree.sum_active, tree.sum_tag)
            if cycle >= levels(terms):
                sums.append((tag, total if there else None))
        return sums

    expected = [sum(word) if there else None for word, there in zip(values, active, strict=True)]
    assert run(tree, bench)[0] == list(enumerate(expected, start=1))


@pytest.mark.parametrize(("terms", "expected"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (16, 4), (17, 5)])
def test_levels(terms, expected):
    assert levels(terms) == expected


def test_arguments_are_checked():
    assert_refused(AdderTree, "bits must be an integer of at least 1, not 0", bits=0, terms=2, tag=1)
    assert_refused(AdderTree, "terms must be an integer of at least 1, not 0", bits=2, terms=0, tag=1)
