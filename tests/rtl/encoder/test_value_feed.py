"""Feeding the encoder: words bit for bit, and every cycle."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import connect
from components import assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import first_of, reading
from streams import always, pattern, run, stream_get, stream_put

from deltatrain.rtl.encoder.value_feed import READ_CYCLES, ValueFeed, VectorMemory
from deltatrain.rtl.parts.layouts import word

FEW = settings(max_examples=80)
DEPTH = {VectorMemory.X: 5, VectorMemory.H: 9}

patterns = st.lists(st.booleans(), min_size=1, max_size=12).filter(any).map(pattern)
seeds = st.integers(0, 2**32 - 1)
shapes = st.tuples(st.integers(2, 16), st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 4]))


@st.composite
def many_ops(draw, least=0):
    """Draw vectors of at least `least` words in either memory, up to its end."""
    found = []
    for _ in range(draw(st.integers(1, 8))):
        memory = draw(st.sampled_from(VectorMemory))
        base = draw(st.integers(0, DEPTH[memory] - 1))
        found.append({"memory": memory, "base": base, "words": draw(st.integers(least, DEPTH[memory] - base))})
    return found


def check(shape, ops, seed, *, may_offer=always, is_ready=always, not_before=None):
    """Check words and cycles against the law; return the law, and how many groups each op has."""
    value_bits, lanes, elements = shape
    rng = np.random.default_rng(seed)
    span = 1 << (value_bits - 1)
    held = {memory: rng.integers(-span, span, (depth, lanes)).tolist() for memory, depth in DEPTH.items()}
    m = Module()
    depths = {"x_words": DEPTH[VectorMemory.X], "h_words": DEPTH[VectorMemory.H]}
    dut = ValueFeed(value_bits=value_bits, lanes=lanes, elements=elements, **depths)
    m.submodules.feed = dut
    for name, ports, memory in (("x", dut.x, VectorMemory.X), ("h", dut.h, VectorMemory.H)):
        shape = word(value_bits, lanes)
        m.submodules[name] = words = Memory(shape=shape, depth=DEPTH[memory], init=held[memory])
        for port in ports if isinstance(ports, list) else [ports]:
            connect(m, port, words.read_port())
    read = [held[op["memory"]][op["base"] : op["base"] + op["words"]] for op in ops]
    vectors = [[value for one in words for value in one] for words in read]
    groups = [[one[at : at + elements] for at in range(0, len(one), elements)] for one in vectors]
    expected = [group for of_op in groups for group in of_op]
    parts = max(1, lanes // elements)
    ops = [op | {"words": op["words"] * parts} for op in ops]
    taken, out = run(
        m,
        lambda ctx: stream_put(ctx, dut.ops, ops, may_offer, not_before),
        lambda ctx: stream_get(ctx, dut.values, len(expected), is_ready),
    )
    lengths = [len(of_op) for of_op in groups]
    law = reading(lengths, not_before=not_before, may_offer=may_offer, is_ready=is_ready, latency=READ_CYCLES)
    assert [list(one)[: len(group)] for (_, one), group in zip(out, expected, strict=True)] == expected
    assert [cycle for cycle, _ in out] == law.words
    assert taken == law.taken
    return law, lengths


@FEW
@given(shapes, many_ops(), seeds, patterns, patterns)
def test_words_and_cycles_under_stalls(shape, ops, seed, may_offer, is_ready):
    check(shape, ops, seed, may_offer=may_offer, is_ready=is_ready)


@FEW
@given(shapes, many_ops(), seeds, st.data())
def test_an_idle_feed_offers_after_its_law_s_cycles_and_then_one_a_cycle(shape, ops, seed, data):
    not_before = np.cumsum([data.draw(st.integers(0, 15)) for _ in ops]).tolist()
    law, lengths = check(shape, ops, seed, not_before=not_before)
    free, words = 0, []
    for length, known in zip(lengths, not_before, strict=True):
        begins = max(free, known)
        words += range(begins + READ_CYCLES, begins + READ_CYCLES + length)
        free = begins + max(1, length)
    assert law.words == words


@FEW
@given(shapes, many_ops(least=1), seeds, patterns)
def test_vectors_that_stream_lose_no_cycle_but_those_of_the_consumer(shape, ops, seed, is_ready):
    cycle = READ_CYCLES - 1
    for taken in check(shape, ops, seed, is_ready=is_ready)[0].words:
        cycle = first_of(is_ready, cycle + 1)
        assert taken == cycle


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"value_bits": 1}, "value_bits must be an integer of at least 2, not 1"),
        ({"lanes": 6}, "lanes must be a power of two, not 6"),
        ({"elements": 3}, "elements must be a power of two, not 3"),
        ({"x_words": 1}, "x_words must be an integer of at least 2, not 1"),
        ({"h_words": 2.0}, "h_words must be an integer of at least 2, not 2.0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    assert_refused(ValueFeed, message, **{"value_bits": 8, "lanes": 4, "x_words": 8, "h_words": 8} | arguments)
