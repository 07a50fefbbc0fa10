"""One stream for several takers."""

from __future__ import annotations

from components import assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import pattern, run, stream_get, stream_put

from deltatrain.rtl.tiles.fork import Fork

patterns = st.lists(st.booleans(), min_size=1, max_size=12).filter(any).map(pattern)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 255), max_size=12), patterns, st.lists(patterns, min_size=1, max_size=4))
def test_everybody_gets_every_item_once_and_nobody_runs_ahead(items, offers, ready):
    dut = Fork(shape=8, outlets=len(ready))
    taken, *got = run(
        dut,
        lambda ctx: stream_put(ctx, dut.i, items, offers),
        *(lambda ctx, k=k, one=one: stream_get(ctx, dut.o[k], len(items), one) for k, one in enumerate(ready)),
    )
    for one in got:
        assert [item for _, item in one] == items
    assert taken == [max(cycles) for cycles in zip(*([cycle for cycle, _ in one] for one in got), strict=True)]


def test_nobody_to_give_to():
    assert_refused(Fork, "outlets must be an integer of at least 1, not 0", shape=8, outlets=0)
