"""The ring that is read several entries at once, and the lists that come back, against a record of all writes."""

from __future__ import annotations

import numpy as np
import pytest
from components import assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import plain, run

from deltatrain.rtl.lists.entry_ring import EntryRing
from deltatrain.rtl.lists.loaded_lists import LoadedLists

FEW = settings(max_examples=25)
CYCLES = 60
seeds = st.integers(0, 2**32 - 1)
NOTHING = {"index": 0, "value": 0}


def entry(rng):
    return {"index": int(rng.integers(1 << 16)), "value": int(rng.integers(-128, 128))}


@FEW
@given(
    st.sampled_from([(2, 1, 1), (4, 2, 1), (16, 1, 1), (16, 2, 1), (16, 4, 1), (32, 8, 1), (8, 4, 2), (32, 4, 2)]),
    seeds,
)
def test_a_word_is_the_entries_that_follow_and_every_port_keeps_its_answer(shape, seed):
    entries, many, rings = shape
    rng, depth = np.random.default_rng(seed), entries // rings
    dut = EntryRing(value_bits=8, entries=entries, readers=2, word_entries=many, halves=rings == 2)

    async def drive(ctx):
        known, wanted = {}, [NOTHING, NOTHING, *[(NOTHING,) * many] * rings]
        words = dut.read_word if rings == 2 else [dut.read_word] if many > 1 else []
        ports = [*dut.read, *words]
        for _ in range(CYCLES):
            written, new = int(rng.integers(entries)), entry(rng)
            writes = bool(rng.integers(2))
            ctx.set(dut.write.en, writes)
            ctx.set(dut.write.addr, written)
            ctx.set(dut.write.data, new)
            asked = rng.integers(2, size=len(ports)).astype(bool).tolist()
            addresses = [*rng.integers(entries, size=2).tolist(), *rng.integers(depth, size=len(words)).tolist()]
            for port, en, address in zip(ports, asked, addresses, strict=True):
                ctx.set(port.en, en)
                ctx.set(port.addr, address)
            await ctx.tick()
            for number, (en, address) in enumerate(zip(asked, addresses, strict=True)):
                if en and number < 2:
                    wanted[number] = known.get(address, NOTHING)
                elif en:
                    first = (number - 2) * depth
                    wanted[number] = tuple(known.get(first + (address + k) % depth, NOTHING) for k in range(many))
            if writes:
                known[written] = new
            for port, value in zip(ports, wanted, strict=False):
                assert plain(ctx.get(port.data)) == value

    run(dut, drive)


@FEW
@given(seeds)
def test_loaded_lists_are_looked_up_by_pairs_and_read_entry_by_entry(seed):
    dut, rng = LoadedLists(value_bits=8, entries=32, lists=6, readers=2, word_entries=4), np.random.default_rng(seed)

    async def drive(ctx):
        words, places = np.full(32, None), {}
        wanted = [NOTHING, NOTHING]
        for _ in range(CYCLES):
            address, values = int(rng.integers(8)), [entry(rng) for _ in range(4)]
            pair = int(rng.integers(3))
            noted = [{"base": int(rng.integers(32)), "count": int(rng.integers(99))} for _ in range(2)]
            asked = [(int(rng.integers(6)), bool(rng.integers(2)), int(rng.integers(32))) for _ in range(2)]
            ctx.set(dut.write.entries.en, writes := bool(rng.integers(2)))
            ctx.set(dut.write.entries.addr, address)
            ctx.set(dut.write.entries.data, values)
            ctx.set(dut.write.note, notes := bool(rng.integers(2)))
            ctx.set(dut.write.pair, pair)
            ctx.set(dut.write.places, dict(zip("xh", noted, strict=True)))
            for reader, (number, en, at) in enumerate(asked):
                ctx.set(dut.read[reader].table.list, number)
                ctx.set(dut.read[reader].ring.en, en)
                ctx.set(dut.read[reader].ring.addr, at)
                assert plain(ctx.get(dut.read[reader].table.place)) == places.get(number, {"base": 0, "count": 0})
            await ctx.tick()
            for reader, (_, en, at) in enumerate(asked):
                if en:
                    wanted[reader] = words[at] or NOTHING
                assert plain(ctx.get(dut.read[reader].ring.data)) == wanted[reader]
            if writes:
                words[4 * address : 4 * address + 4] = values
            if notes:
                places |= {2 * pair: noted[0], 2 * pair + 1: noted[1]}

    run(dut, drive)


@pytest.mark.parametrize(
    ("component", "wrong", "message"),
    [
        (EntryRing, {"word_entries": 3}, "word_entries must be a power of two, not 3"),
        (EntryRing, {"word_entries": 16}, "entries must be an integer of at least 32, not 16"),
        (LoadedLists, {"word_entries": 1}, "word_entries must be an integer of at least 2, not 1"),
        (LoadedLists, {"entries": 24}, "entries must be a power of two, not 24"),
        (LoadedLists, {"lists": 5}, "lists must be even, not 5"),
    ],
)
def test_bad_arguments_are_refused(component, wrong, message):
    lists = {"lists": 4} if component is LoadedLists else {}
    assert_refused(
        component, message, **{"value_bits": 8, "entries": 16, "readers": 1, "word_entries": 2} | lists | wrong
    )
