"""Who waits for whom: counts of what is done, and commands held up until it is."""

from __future__ import annotations

import itertools

from amaranth.hdl import unsigned
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.rtl.commands.waits import DoneCounts, Wait

UNITS = ("encoder", "engine", "load")


def run(component, bench, *, clocked):
    simulator = Simulator(component)
    if clocked:
        simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@settings(max_examples=30)
@given(st.lists(st.integers(0, 7), min_size=3, max_size=20))
def test_an_op_is_done_two_cycles_after_it_soon_is(announced):
    """Counted in the very cycle; a bit of `announced` for each unit."""
    counts, seen = DoneCounts(UNITS), []

    async def bench(ctx):
        for bits in announced:
            ctx.set(counts.soon, bits)
            seen.append([[ctx.get(side[n]) for n in range(3)] for side in (counts.soon_counts, counts.done_counts)])
            await ctx.tick()

    run(counts, bench, clocked=True)
    totals = [list(itertools.accumulate(bits >> unit & 1 for bits in announced)) for unit in range(3)]
    assert [soon for soon, _ in seen] == [list(at) for at in zip(*totals, strict=True)]
    assert [done for _, done in seen[:2]] == [[0] * 3] * 2
    assert [done for _, done in seen[2:]] == [soon for soon, _ in seen[:-2]]


@settings(max_examples=60)
@given(st.lists(st.integers(0, 3), min_size=3, max_size=3), st.lists(st.integers(0, 3), min_size=3, max_size=3))
def test_a_command_waits_until_as_many_ops_are_done_as_it_says(done, wanted):
    wait, seen = Wait(unsigned(4), UNITS), {}

    async def bench(ctx):
        for offered, ready in itertools.product((0, 1), repeat=2):
            for unit in range(3):
                ctx.set(wait.counts[unit], done[unit])
                ctx.set(wait.i.payload.waits[unit], wanted[unit])
            ctx.set(wait.i.payload.op, 9)
            ctx.set(wait.i.valid, offered)
            ctx.set(wait.o.ready, ready)
            await ctx.delay(1e-9)
            seen[offered, ready] = [ctx.get(signal) for signal in (wait.o.valid, wait.i.ready, wait.unmet)]
            assert ctx.get(wait.o.payload) == 9

    run(wait, bench, clocked=False)
    missing = [have < want for have, want in zip(done, wanted, strict=True)]
    for (offered, ready), (valid, taken, unmet) in seen.items():
        assert valid == (offered and not any(missing))
        assert taken == (valid and ready)
        assert unmet == offered * sum(bit << unit for unit, bit in enumerate(missing))
