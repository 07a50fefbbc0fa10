"""Columns of several tiles: every tile gets its part of each word, and parts make whole words again."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import pattern, run, stream_get, stream_put

from deltatrain.rtl.tiles.shared_columns import SharedColumns

patterns = st.lists(st.booleans(), min_size=1, max_size=8).filter(any).map(pattern)


@settings(max_examples=30)
@given(st.integers(2, 4), st.integers(1, 3), st.integers(1, 9), st.data(), st.integers(0, 2**32 - 1))
def test_words_are_dealt_out_and_put_together_whoever_waits(tiles, lanes, count, data, seed):
    dut = SharedColumns(value_bits=6, lanes=lanes, tiles=tiles)
    rng = np.random.default_rng(seed)
    come, go = (rng.integers(-32, 32, (count, tiles, lanes)) for _ in range(2))
    offers, takes = data.draw(patterns), data.draw(patterns)
    of_tiles = [(data.draw(patterns), data.draw(patterns)) for _ in range(tiles)]
    benches = [
        lambda ctx: stream_put(ctx, dut.together.words, come.reshape(count, -1).tolist(), offers),
        lambda ctx: stream_get(ctx, dut.together.new_words, count, takes),
    ]
    for number, (may_offer, is_ready) in enumerate(of_tiles):
        tile, made = dut.tiles[number], go[:, number].tolist()
        benches += [
            lambda ctx, t=tile, r=is_ready: stream_get(ctx, t.words, count, r),
            lambda ctx, t=tile, w=made, o=may_offer: stream_put(ctx, t.new_words, w, o),
        ]
    _, together, *of_each = run(dut, *benches)
    assert [list(item) for _, item in together] == go.reshape(count, -1).tolist()
    for number, got in enumerate(of_each[::2]):
        assert [list(item) for _, item in got] == come[:, number].tolist()
