"""Which elements are a tile's own, against `accel.tiles`; and division by a constant, against that of integers."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.tiles import own_elements, tile_of
from deltatrain.rtl.parts.division import divided
from deltatrain.rtl.parts.layouts import INDEX_BITS
from deltatrain.rtl.tiles.part import Part, dealt

MOST = (1 << INDEX_BITS) - 1
numbers = st.lists(st.one_of(st.integers(0, 40), st.integers(0, MOST)), min_size=1, max_size=12)


def evaluated(value_of, inputs, bits=INDEX_BITS):
    """Return what `value_of` makes of a signal of `bits` for each of `inputs`."""
    given_value, m = Signal(bits), Module()
    value = value_of(given_value)
    found = Signal(value.shape())
    m.d.comb += found.eq(value)
    results = []

    async def bench(ctx):
        for number in inputs:
            ctx.set(given_value, number)
            await ctx.delay(1e-9)
            results.append(ctx.get(found))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return results


@settings(max_examples=30)
@given(numbers, st.sampled_from([1, 2, 4, 16]), st.integers(2, 9))
def test_elements_and_widths_of_a_tile(inputs, lanes, tiles):
    owner = tile_of(np.array(inputs), lanes, tiles)
    assert evaluated(lambda index: dealt(index, lanes, tiles)[0], inputs) == owner.tolist()
    for number in range(tiles):
        part = Part(number, tiles, lanes)
        own = [int(own_elements(width, lanes, tiles)[number]) for width in inputs]
        assert evaluated(part.own_width, inputs) == own
        assert evaluated(part.own_words, inputs) == [-(-width // lanes) for width in own]
        mine = [element for element, at in zip(inputs, owner.tolist(), strict=True) if at == number]
        before = [int((tile_of(np.arange(element), lanes, tiles) == number).sum()) for element in mine]
        assert evaluated(lambda index: dealt(index, lanes, tiles)[1], mine) == before
        assert evaluated(part.everywhere, before) == mine


@settings(max_examples=40)
@given(st.integers(1, 10), st.integers(1, 300))
def test_every_value_is_divided_exactly(bits, divisor):
    values = list(range(1 << bits))
    assert evaluated(lambda value: divided(value, divisor).quotient, values, bits) == [x // divisor for x in values]
    if divisor > 1:
        assert evaluated(lambda value: divided(value, divisor).remainder, values, bits) == [x % divisor for x in values]
