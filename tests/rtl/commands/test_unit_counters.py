"""What a unit's cycles went into, against a list of what it did in each of them."""

from __future__ import annotations

from collections import Counter

from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.program import TILE_UNITS
from deltatrain.rtl.commands.unit_counters import CAUSES, UnitCounters

PHASES = 3
awaited = st.sets(st.sampled_from(TILE_UNITS), min_size=1)
ops = st.lists(
    st.tuples(
        st.lists(awaited, max_size=4),  # for whom it waits, cycle by cycle
        st.lists(st.booleans(), min_size=1, max_size=5),  # then whether it gets on, or lacks a word of a stream
        st.integers(0, PHASES - 1),
    ),
    max_size=8,
)


def spent(cycles):
    """Return (phase, what) -> cycles as the gates count them; a cycle is (running, whom it waits for, works, phase)."""
    counters = UnitCounters(phases=PHASES)
    found = {}

    async def bench(ctx):
        for running, waits, works, phase in cycles:
            ctx.set(counters.running, running)
            ctx.set(counters.active, waits is None)
            ctx.set(counters.works, works)
            ctx.set(counters.unmet, sum(1 << TILE_UNITS.index(unit) for unit in waits or ()))
            ctx.set(counters.phase, phase)
            await ctx.tick()
        for phase in range(PHASES):
            found[phase, "busy"] = ctx.get(counters.spent[phase].busy_cycles)
            for number, cause in enumerate(CAUSES):
                found[phase, cause] = ctx.get(counters.spent[phase].stall_cycles[number])

    simulator = Simulator(counters)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return {what: count for what, count in found.items() if count}


@settings(max_examples=60)
@given(ops, st.integers(0, 3))
def test_cycles_go_to_the_op_they_were_spent_for(ops, before):
    """Waiting goes to the op that waits, and to the unit that its last cycle waited for, of several the last."""
    cycles, expected = [(0, {"engine"}, 0, 0)] * before, Counter()
    for waits, works, phase in ops:
        cycles += [(1, whom, 0, 0) for whom in waits]
        cycles += [(1, None, gets_on, phase) for gets_on in works]
        if waits:
            expected[phase, max(waits[-1], key=TILE_UNITS.index)] += len(waits)
        expected[phase, "busy"] += sum(works)
        expected[phase, "stream"] += len(works) - sum(works)
    assert spent(cycles) == +expected
