"""The long queue in one memory against a deque, cycle by cycle."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from amaranth.sim import Simulator
from components import assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.rtl.parts.memory_queue import MemoryQueue
from deltatrain.sim.gates.export.verilog import verilog


@settings(max_examples=40)
@given(
    st.integers(1, 9), st.integers(0, 2**16), st.sampled_from([0.1, 0.5, 0.9, 1.0]), st.sampled_from([0.1, 0.5, 1.0])
)
def test_items_fall_through_and_keep_their_order(depth: int, seed: int, offering: float, taking: float) -> None:
    random = np.random.default_rng(seed)
    queue = MemoryQueue(shape=8, depth=depth)
    simulator = Simulator(queue)
    simulator.add_clock(1e-6)

    async def bench(ctx):
        held: deque[int] = deque()
        for cycle in range(120):
            comes, goes = bool(random.random() < offering), bool(random.random() < taking)
            ctx.set(queue.i.valid, comes)
            ctx.set(queue.i.payload, cycle)
            ctx.set(queue.o.ready, goes)
            room = len(held) < depth
            assert ctx.get(queue.i.ready) == room
            assert ctx.get(queue.o.valid) == bool(held or comes)
            if held or comes:
                assert ctx.get(queue.o.payload) == (held[0] if held else cycle)
            if comes and room:
                held.append(cycle)
            if goes and held:
                held.popleft()
            await ctx.tick()

    simulator.add_testbench(bench)
    simulator.run()


def test_a_queue_of_one_place_can_be_written_as_verilog() -> None:
    assert "module one" in verilog(MemoryQueue(shape=8, depth=1), "one")


@pytest.mark.parametrize("depth", [0, -1, 1.5, True])
def test_a_queue_has_places(depth: object) -> None:
    assert_refused(MemoryQueue, "depth must be an integer of at least 1", shape=8, depth=depth)
