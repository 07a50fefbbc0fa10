"""Banks of one port against a list of words: what is read, and when nothing may be."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator
from components import assert_refused

from deltatrain.rtl.engine.single_port_banks import SinglePortBanks

DEPTH = 11


@pytest.mark.parametrize("banks", [1, 3, 4, 16])
def test_a_word_is_read_unless_its_bank_is_written(banks: int) -> None:
    random, part = np.random.default_rng(banks), SinglePortBanks(shape=8, depth=DEPTH, banks=banks)
    words, answer, refused = [0] * DEPTH, None, 0

    async def bench(ctx) -> None:
        nonlocal answer, refused
        for _ in range(300):
            wanted, place = (int(random.integers(DEPTH)) for _ in range(2))
            writes, new = bool(random.integers(2)), int(random.integers(256))
            ctx.set(part.read.addr, wanted)
            ctx.set(part.write.addr, place)
            ctx.set(part.write.en, writes)
            ctx.set(part.write.data, new)
            may_read = bool(ctx.get(part.may_read))
            assert may_read == (not writes or wanted % banks != place % banks)
            reads = may_read and bool(random.integers(2))
            ctx.set(part.read.en, reads)
            if answer is not None:
                assert ctx.get(part.read.data) == answer
            await ctx.tick()
            answer, refused = words[wanted] if reads else answer, refused + (not may_read)
            if writes:
                words[place] = new

    simulator = Simulator(part)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert 0 < refused < 300


def test_a_memory_without_banks_is_refused() -> None:
    assert_refused(SinglePortBanks, "banks must be an integer of at least 1, not 0", shape=8, depth=4, banks=0)
