"""The memory that gives every element once, against a dictionary, every port driven at random in every cycle."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib.wiring import Component, Out, connect, flipped
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import plain, run

from deltatrain.rtl.engine.scatter import ScatterMemory

DEPTH = 4


shares = st.floats(0.05, 1)


@settings(max_examples=40)
@given(st.sampled_from([1, 2, 4]), st.integers(0, 2**32 - 1), shares, shares, shares)
def test_every_element_is_given_once(lanes, seed, place_share, ask_share, ready_share):
    rng = np.random.default_rng(seed)
    dut = ScatterMemory(lanes=lanes, value_bits=5, depth=DEPTH)

    async def drive(ctx):
        holds, in_flight = {}, []  # what a word asked for now contains; (cycle of place, element, value)
        owed, asked = [], False
        address = 0
        for cycle in range(120):
            # Elements placed two cycles ago are there now.
            holds |= {element: value for since, element, value in in_flight if since == cycle - 2}
            in_flight = [one for one in in_flight if one[0] > cycle - 2]
            ctx.set(dut.value, in_flight[0][2] if in_flight else 0)
            element = (int(rng.integers(DEPTH)), int(rng.integers(lanes)))
            waits = element in holds or element in [one[1] for one in in_flight]
            places = rng.random() < place_share and not waits
            ctx.set(dut.place, {"valid": places, "address": element[0], "lane": element[1]})
            if places:
                in_flight.append((cycle, element, int(rng.integers(-16, 16))))
            if not asked:  # what is offered stays
                asked, address = rng.random() < ask_share, int(rng.integers(DEPTH))
            ctx.set(dut.addresses.payload, address)
            ctx.set(dut.addresses.valid, asked)
            is_ready = rng.random() < ready_share
            ctx.set(dut.words.ready, is_ready)
            _, _, taken, valid, payload = await ctx.tick().sample(
                dut.addresses.ready, dut.words.valid, dut.words.payload
            )
            assert valid == bool(owed)
            if valid:
                assert plain(payload) == owed[0]
            if valid and is_ready:
                owed.pop(0)
            assert bool(taken) == (not owed)
            if asked and taken:
                owed.append(tuple(holds.pop((address, lane), 0) for lane in range(lanes)))
                asked = False

    run(dut, drive)


class Restarted(Component):
    """A memory whose registers are reset while `clears`."""

    def __init__(self, memory):
        self.memory, self.clears = memory, Signal()
        super().__init__({"inside": Out(memory.signature)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = ResetInserter(self.clears)(self.memory)
        connect(m, self.memory, flipped(self.inside))
        return m


def test_after_a_reset_and_as_many_cycles_as_words_nothing_is_held():
    dut = Restarted(ScatterMemory(lanes=2, value_bits=5, depth=DEPTH))
    inside, found = dut.inside, []

    async def drive(ctx):
        for address in range(DEPTH):
            ctx.set(inside.place, {"valid": 1, "address": address, "lane": address % 2})
            await ctx.tick()
            ctx.set(inside.value, 7)
        ctx.set(inside.place.valid, 0)
        await ctx.tick()
        ctx.set(inside.words.ready, 1)
        for clears in (False, True):
            if clears:  # one word was given, the others are held
                ctx.set(dut.clears, 1)
                await ctx.tick()
                ctx.set(dut.clears, 0)
                await ctx.tick().repeat(DEPTH + 1)
            ctx.set(inside.addresses.valid, 1)
            for address in range(DEPTH) if clears else range(1):
                ctx.set(inside.addresses.payload, address)
                await ctx.tick()
                assert ctx.get(inside.words.valid)
                found.append(plain(ctx.get(inside.words.payload)))
            ctx.set(inside.addresses.valid, 0)
            await ctx.tick()

    run(dut, drive)
    assert found == [(7, 0)] + [(0, 0)] * DEPTH
