"""Who waits for whom: counts of what is done, and commands held up until it is."""

from __future__ import annotations

import itertools

from amaranth.hdl import unsigned
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.modes import SOON_CYCLES
from deltatrain.rtl.commands.waits import DoneCounts, Wait

UNITS = ("encoder", "engine", "load")
LATE = 20  # a cycle from which on everything is taken


def run(component, *benches):
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    simulator.run()


@settings(max_examples=30)
@given(st.lists(st.integers(0, 7), min_size=3, max_size=20))
def test_an_op_is_counted_a_cycle_after_it_is_stored_and_done_when_the_law_says(announced):
    """A bit of `announced` for each unit."""
    counts, seen = DoneCounts(UNITS), []
    sides = (counts.soon_counts, counts.ready_counts, counts.done_counts)
    announced = [*announced, *[0] * SOON_CYCLES]

    async def bench(ctx):
        for bits in announced:
            ctx.set(counts.soon, bits)
            seen.append([[ctx.get(side[n]) for n in range(3)] for side in sides])
            await ctx.tick()

    run(counts, bench)
    totals = [list(itertools.accumulate(bits >> unit & 1 for bits in announced)) for unit in range(3)]
    stored = [[0] * 3] * SOON_CYCLES + [list(at) for at in zip(*totals, strict=True)]
    for late, found in zip((1, SOON_CYCLES - 1, SOON_CYCLES), zip(*seen, strict=True), strict=True):
        assert list(found) == stored[SOON_CYCLES - late :][: len(seen)]


@settings(max_examples=60)
@given(*(st.lists(st.integers(0, 3), min_size=3, max_size=3) for _ in range(2)), st.sampled_from([1, 2]))
def test_a_command_waits_until_as_many_ops_are_done_as_it_says(done, wanted, places):
    """What it waits for is known in the cycle after, in which it is offered if that is nothing."""
    wait, seen = Wait(unsigned(4), UNITS, places), {}

    async def bench(ctx):
        for unit in range(3):
            ctx.set(wait.counts[unit], done[unit])
            ctx.set(wait.i.payload.waits[unit], wanted[unit])
        ctx.set(wait.i.payload.op, 9)
        ctx.set(wait.o.ready, 1)
        for offered in (0, 1):
            ctx.set(wait.i.valid, offered)
            taken = ctx.get(wait.i.ready)
            await ctx.tick()
            seen[offered] = [taken, *map(ctx.get, (wait.o.valid, wait.unmet, wait.o.payload))]

    run(wait, bench)
    missing = [have < want for have, want in zip(done, wanted, strict=True)]
    for offered, (taken, valid, unmet, op) in seen.items():
        assert taken == valid == (offered and not any(missing))
        assert unmet == offered * sum(bit << unit for unit, bit in enumerate(missing))
        assert op == 9 or not valid


@settings(max_examples=60)
@given(st.data())
def test_each_op_is_offered_in_the_cycle_after_it_need_not_wait_any_more(data):
    """Until it is taken; the next follows without a gap, and nothing is lost."""
    wanted = sorted(data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=6)))
    ready = data.draw(st.lists(st.booleans(), min_size=40, max_size=40))
    wait, seen = Wait(unsigned(4), UNITS, data.draw(st.sampled_from([1, 2]))), []

    async def offer(ctx):
        for number, count in enumerate(wanted):
            ctx.set(wait.i.payload, {"waits": [count, 0, 0], "op": number})
            ctx.set(wait.i.valid, 1)
            await ctx.tick().until(wait.i.ready)
        ctx.set(wait.i.valid, 0)

    async def count_up(ctx):
        for cycle, takes in enumerate(ready):
            ctx.set(wait.counts[0], cycle // 2)
            ctx.set(wait.o.ready, takes or cycle > LATE)
            await ctx.tick()

    async def watch(ctx):
        for _ in ready:
            _, _, valid, op = await ctx.tick().sample(wait.o.valid, wait.o.payload)
            seen.append((valid, op))

    run(wait, offer, count_up, watch)
    expected, free = [], 0
    for count in wanted:
        offered = max(free, 2 * count + 1)
        taken = next(cycle for cycle in itertools.count(offered) if cycle > LATE or ready[cycle])
        expected.append(range(offered, taken + 1))
        free = taken + 1
    found = [
        [cycle for cycle, (valid, op) in enumerate(seen) if valid and op == number] for number in range(len(wanted))
    ]
    assert found == [list(cycles) for cycles in expected]
