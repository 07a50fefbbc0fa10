"""The banks of M: what the ops and the gates are told, against the list of all that was ever added."""

from __future__ import annotations

import numpy as np
from components import assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import run

from deltatrain.rtl.lanes.banks import PARTS, AccumulatorBanks

REGIONS = 2
SHARED, X_ONLY, H_ONLY = range(PARTS)


class Told:
    """Two banks of each part, holding the names of the ops added to them, used as the gates say."""

    def __init__(self, dut, ctx):
        self.dut, self.ctx = dut, ctx
        self.banks = {(region, part): [None, None] for region in range(REGIONS) for part in range(PARTS)}

    async def op(self, name, region, *, recurrent, fires, starts, ends):
        given_bits = {"region": region, "recurrent": recurrent, "fires": fires, "starts": starts, "ends": ends}
        for port, value in given_bits.items():
            self.ctx.set(getattr(self.dut, port), value)
        self.ctx.set(self.dut.take, 1)
        source, target, zero = (self.ctx.get(getattr(self.dut, p)) for p in ("source", "target", "from_zero"))
        for bit, part in enumerate((SHARED, H_ONLY if recurrent else X_ONLY)):
            banks = self.banks[region, part]
            if fires:
                before = [] if zero >> bit & 1 else banks[source >> bit & 1]
                banks[target >> bit & 1] = [*before, name]
        await self.ctx.tick()
        self.ctx.set(self.dut.take, 0)

    def read(self, region, part):
        self.ctx.set(self.dut.read_region, region)
        bank, zero = (self.ctx.get(port) >> part & 1 for port in (self.dut.read_banks, self.dut.read_zeros))
        return [] if zero else self.banks[region, part][bank]


def expected(history, part):
    """Return what was added to `part` by ops (name, recurrent) that fired."""
    return [name for name, recurrent in history if part == SHARED or recurrent == (part == H_ONLY)]


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_gates_read_their_step_also_while_the_next_one_accumulates(seed):
    """Samples of some steps; W_x of the next step goes ahead of the gates, as the machine's order of ops allows."""
    rng = np.random.default_rng(seed)
    share = rng.random()

    async def bench(ctx):
        told = Told(dut, ctx)
        number = 0
        for _ in range(3):
            histories = [[] for _ in range(REGIONS)]
            for step in range(5):
                settled = [list(history) for history in histories]
                for recurrent in (False, True):
                    for region in range(REGIONS):
                        fires, number = bool(rng.random() < share), number + 1
                        starts = step == 0 and not recurrent
                        await told.op(number, region, recurrent=recurrent, fires=fires, starts=starts, ends=recurrent)
                        histories[region] += [(number, recurrent)] if fires else []
                        for other in range(REGIONS):
                            done = recurrent and other <= region
                            if step == 0 and not done:
                                continue
                            for part in range(PARTS):
                                seen = expected(histories[other] if done else settled[other], part)
                                assert told.read(other, part) == seen

    dut = AccumulatorBanks(regions=REGIONS)
    run(dut, bench)


def test_arguments_are_checked():
    assert_refused(AccumulatorBanks, "regions must be an integer of at least 1, not 0", regions=0)
