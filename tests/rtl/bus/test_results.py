"""Packets of results: whole ones come out in order whoever stalls, others never, and there is room for them."""

from __future__ import annotations

import random

import pytest
from streams import run

from deltatrain.rtl.bus.results import PACKETS, Results, item_bytes

BITS = 21
VALUES = range(-(1 << BITS - 1), 1 << BITS - 1)


@pytest.mark.parametrize(("bits", "wanted"), [(1, 4), (32, 4), (33, 8), (40, 8), (64, 8)])
def test_an_item_has_a_power_of_two_of_bytes(bits, wanted):
    assert item_bytes(bits) == wanted


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("most", [1, 3, 4])
def test_whole_packets_come_out_and_no_others(most, seed):
    dut, rng = Results(bits=BITS, most=most), random.Random(seed)
    owed, begun, made, found = [], [], [], []
    takes = rng.choice([0.1, 0.5, 1.0])

    async def play(ctx):
        """Begin packets while there is room, fill the first that is not whole, and sometimes forget those."""
        for cycle in range(1500):
            forgets = rng.random() < 0.02 and cycle < 1300
            begins = cycle < 1300 and rng.random() < 0.5 and ctx.get(dut.has_room)
            fills = bool(begun) and (rng.random() < 0.7 or cycle >= 1300)
            value = rng.choice([VALUES[0], VALUES[-1], rng.choice(VALUES)])
            last = fills and len(begun[0]) + 1 == made[0]
            ctx.set(dut.begins, bool(begins))
            ctx.set(dut.result, {"valid": fills, "value": value, "last": last})
            ctx.set(dut.forgets, forgets)
            if fills:
                begun[0].append(value)
            if begins:
                begun.append([])
                made.append(rng.randint(1, most))
            if last:
                made.pop(0)
                packet = begun.pop(0)
                owed.extend([] if forgets else [packet])
            if forgets:
                begun.clear()
                made.clear()
            await ctx.tick()
            assert not (ctx.get(dut.has_room) and len(begun) + ctx.get(dut.waiting) == PACKETS)

    async def take(ctx):
        packet = []
        for _ in range(1500):
            ready = rng.random() < takes or len(found) == len(owed)
            ctx.set(dut.items.ready, ready)
            if ready and ctx.get(dut.items.valid):
                packet.append(ctx.get(dut.items.payload.value))
                if ctx.get(dut.items.payload.last):
                    found.append(packet)
                    packet = []
            await ctx.tick()
        assert not packet

    run(dut, play, take)
    assert found == owed
    assert len(found) > 20


def test_a_packet_is_seen_when_it_is_whole_and_stays_until_it_is_taken():
    dut = Results(bits=BITS, most=2)

    async def play(ctx):
        ctx.set(dut.begins, 1)
        await ctx.tick()
        ctx.set(dut.begins, 0)
        for value, last in ((5, 0), (-7, 1)):
            ctx.set(dut.result, {"valid": 1, "value": value, "last": last})
            assert not ctx.get(dut.items.valid)
            await ctx.tick()
        ctx.set(dut.result, {"valid": 0, "value": 0, "last": 0})
        ctx.set(dut.forgets, 1)
        assert ctx.get(dut.waiting) == 1
        for _ in range(5):
            await ctx.tick()
            assert ctx.get(dut.items.valid)
            assert ctx.get(dut.items.payload.value) == 5

    run(dut, play)
