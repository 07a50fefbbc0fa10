"""Encoders of several tiles: each lists its own elements, and all begin and end an op in the same cycle."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Module
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import run, stream_get, stream_put

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import encode
from deltatrain.accel.tiles import own_elements, tile_of
from deltatrain.rtl.encoder.encoder import DeltaEncoder, least_field

ELEMENTS, BITS, DEPTH = 2, 8, 8


@settings(max_examples=30)
@given(st.sampled_from([2, 4]), st.integers(1, 21), st.integers(0, 2**32 - 1), st.data())
def test_an_op_takes_as_long_as_the_slowest_tile(tiles, width, seed, data):
    engine = Architecture.named("tiny", {"engine.lanes": ELEMENTS, "engine.encoder_elements": ELEMENTS}).engine
    rng = np.random.default_rng(seed)
    masks = rng.random((data.draw(st.integers(1, 8)), width)) < rng.choice([0, 0.1, 0.5, 1])
    values = np.cumsum(masks, axis=0)  # what fires moves by 1
    starts = np.cumsum([data.draw(st.integers(0, 12)) for _ in masks]).tolist()
    owner, own = tile_of(np.arange(width), ELEMENTS, tiles), own_elements(width, ELEMENTS, tiles).tolist()
    m = Module()
    encoders = [DeltaEncoder(elements=ELEMENTS, value_bits=BITS, depth=DEPTH, is_part=True) for _ in range(tiles)]
    m.submodules += encoders
    m.d.comb += [one.all_ended.eq(Cat(other.ended for other in encoders).all()) for one in encoders]
    benches = []
    for number, dut in enumerate(encoders):
        mine = np.zeros((len(masks), -(-own[number] // ELEMENTS) * ELEMENTS), dtype=np.int64)
        mine[:, : own[number]] = values[:, owner == number]
        words = mine.reshape(-1, ELEMENTS).tolist()
        ops = [
            {"base": 0, "least": least_field(1, BITS), "width": own[number], "first": k == 0} for k in range(len(masks))
        ]
        fired = int(masks[:, owner == number].sum())
        benches += [
            lambda ctx, d=dut, o=ops: stream_put(ctx, d.ops, o, not_before=starts),
            lambda ctx, d=dut, w=words: stream_put(ctx, d.values, w),
            lambda ctx, d=dut, n=fired: stream_get(ctx, d.entries, n),
            lambda ctx, d=dut: stream_get(ctx, d.counts, len(masks)),
        ]
    results = run(m, *benches)
    law, free = [], 0
    for start, scan in zip(starts, encode.scan_cycles(masks, engine, tiles).tolist(), strict=True):
        free = max(free, start) + scan
        law.append(free + encode.PIPELINE_CYCLES)
    for number, (entries, counts) in enumerate(zip(results[2::4], results[3::4], strict=True)):
        mine = masks[:, owner == number]
        assert [cycle for cycle, _ in counts] == law
        assert [length for _, length in counts] == mine.sum(axis=1).tolist()
        assert [entry["index"] for _, entry in entries] == np.nonzero(mine)[1].tolist()
