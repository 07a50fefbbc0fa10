"""The queue with its oldest item in registers against Amaranth's own, cycle by cycle."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib.fifo import SyncFIFO
from amaranth.sim import Simulator
from components import assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.rtl.parts.registered_queue import RegisteredQueue


@settings(max_examples=40)
@given(
    st.integers(1, 9), st.integers(0, 2**16), st.sampled_from([0.1, 0.5, 0.9, 1.0]), st.sampled_from([0.1, 0.5, 1.0])
)
def test_it_takes_the_cycles_of_a_plain_queue(depth: int, seed: int, offering: float, taking: float) -> None:
    random = np.random.default_rng(seed)
    m = Module()
    m.submodules.queue = queue = RegisteredQueue(shape=8, depth=depth)
    m.submodules.plain = plain = SyncFIFO(width=8, depth=depth)
    simulator = Simulator(m)
    simulator.add_clock(1e-6)

    async def bench(ctx):
        for cycle in range(120):
            comes, goes = bool(random.random() < offering), bool(random.random() < taking)
            for signal in (queue.i.valid, plain.w_en):
                ctx.set(signal, comes)
            for signal in (queue.i.payload, plain.w_data):
                ctx.set(signal, cycle)
            for signal in (queue.o.ready, plain.r_en):
                ctx.set(signal, goes)
            assert ctx.get(queue.i.ready) == ctx.get(plain.w_rdy)
            assert ctx.get(queue.o.valid) == ctx.get(plain.r_rdy)
            if ctx.get(plain.r_rdy):
                assert ctx.get(queue.o.payload) == ctx.get(plain.r_data)
            await ctx.tick()

    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("depth", [0, -1, 1.5, True])
def test_a_queue_has_places(depth: object) -> None:
    assert_refused(RegisteredQueue, "depth must be an integer of at least 1", shape=8, depth=depth)
