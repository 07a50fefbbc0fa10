"""The queue behind a memory: nothing lost, no cycle lost."""

from __future__ import annotations

import pytest
from amaranth.hdl import Module, unsigned
from components import assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import first_of, reading
from streams import always, pattern, run, stream_get, stream_put

from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.fall_through_queue import FallThroughQueue

FEW = settings(max_examples=60)

patterns = st.lists(st.booleans(), min_size=1, max_size=12).filter(any).map(pattern)
items = st.lists(st.integers(0, 255), min_size=1, max_size=40)


def run_behind_pipeline(latency, payloads, may_offer, is_ready):
    """Return when items enter a pipeline that reserves a place for each, and cycle and item of what comes out."""
    m = Module()
    m.submodules.queue = queue = FallThroughQueue(shape=unsigned(8), depth=latency + 1)
    i = type(queue.o.signature)(unsigned(8)).create()
    m.d.comb += [i.ready.eq(queue.free), queue.reserve.eq(i.valid & i.ready)]
    m.d.comb += [queue.push.eq(delayed(m, queue.reserve, latency)), queue.item.eq(delayed(m, i.payload, latency))]
    return run(
        m,
        lambda ctx: stream_put(ctx, i, payloads, may_offer),
        lambda ctx: stream_get(ctx, queue.o, len(payloads), is_ready),
    )


@FEW
@given(st.integers(1, 4), items, patterns, patterns)
def test_items_in_order_and_cycles_as_modelled(latency, payloads, may_offer, is_ready):
    entered, out = run_behind_pipeline(latency, payloads, may_offer, is_ready)
    law = reading([1] * len(payloads), may_offer=may_offer, is_ready=is_ready, latency=latency)
    assert [item for _, item in out] == payloads
    assert [cycle for cycle, _ in out] == law.words
    assert entered == law.taken


@FEW
@given(st.integers(1, 4), items, patterns)
def test_a_consumer_that_pauses_loses_no_more_than_its_pauses(latency, payloads, is_ready):
    _, out = run_behind_pipeline(latency, payloads, always, is_ready)
    cycle = latency - 1
    for taken, _ in out:
        cycle = first_of(is_ready, cycle + 1)
        assert taken == cycle


def test_bad_depth_is_refused():
    assert_refused(FallThroughQueue, "depth must be an integer of at least 1, not 0", shape=unsigned(8), depth=0)


@pytest.mark.parametrize("latency", [1, 2])
def test_without_stalls_an_item_takes_the_latency_and_one_follows_every_cycle(latency):
    entered, out = run_behind_pipeline(latency, list(range(20)), always, always)
    assert entered == list(range(20))
    assert out == [(latency + k, k) for k in range(20)]
