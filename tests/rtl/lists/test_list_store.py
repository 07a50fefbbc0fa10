"""The ring of entries and the table of lists: every read against a record of all writes."""

from __future__ import annotations

import numpy as np
import pytest
from components import assert_refused
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reading import first_of
from streams import always, pattern, plain, run, stream_put

from deltatrain.rtl.lists.list_store import ListStore

FEW = settings(max_examples=60)
ENTRIES, LISTS, READERS = 16, 5, 3

patterns = st.lists(st.booleans(), min_size=1, max_size=12).filter(any).map(pattern)
seeds = st.integers(0, 2**32 - 1)
many_lengths = st.lists(st.one_of(st.just(0), st.integers(0, ENTRIES)), min_size=1, max_size=10)


async def look(ctx, dut, reader, rng, cycles):
    """Look up any list and read any entry in each cycle; return number, place, address and the entry a cycle later."""
    seen = []
    for _ in range(cycles):
        number, address = int(rng.integers(LISTS)), int(rng.integers(ENTRIES))
        ctx.set(dut.table[reader].list, number)
        ctx.set(dut.ring[reader].addr, address)
        _, _, place = await ctx.tick().sample(dut.table[reader].place)
        seen.append((number, plain(place), address, plain(ctx.get(dut.ring[reader].data))))
    return seen


async def watch(ctx, signal, cycles):
    """Return the cycles in which `signal` is high."""
    samples = [(await ctx.tick().sample(signal))[2] for _ in range(cycles)]
    return [cycle for cycle, high in enumerate(samples) if high]


def schedule(lengths, entries, counts, lists):
    """Return when entries, and when counts, are taken, if they and the lists' numbers are offered as patterns say.

    No count comes before the cycle after its list's last entry: then the next list may have its first.
    """
    taken, told = [], []
    for length in lengths:
        for _ in range(length):
            taken.append(first_of(entries, taken[-1] + 1 if taken else 0))
        free = told[-1] + 1 if told else 0
        count = first_of(counts, max(free, taken[-1] + 1 if taken else 0))
        told.append(max(count, first_of(lists, free)))
    return taken, told


@FEW
@given(many_lengths, patterns, patterns, patterns, seeds)
@example([3, 0, 0, 16, 1, 16], always, always, always, 0)
def test_every_port_sees_what_was_written_before_and_written_follows_each_count(lengths, entries, counts, lists, seed):
    rng = np.random.default_rng(seed)
    dut = ListStore(value_bits=8, entries=ENTRIES, lists=LISTS, readers=READERS)
    values = [{"index": k + 1, "value": int(rng.integers(-128, 128))} for k in range(sum(lengths))]
    numbers = rng.integers(LISTS, size=len(lengths)).tolist()
    ends = np.cumsum(lengths).tolist()
    taken, told = schedule(lengths, entries, counts, lists)
    complete = [taken[end - 1] + 1 if end else 0 for end in ends]
    cycles = told[-1] + 8
    taken_entries, taken_counts, taken_numbers, written, *seen = run(
        dut,
        lambda ctx: stream_put(ctx, dut.entries, values, entries),
        lambda ctx: stream_put(ctx, dut.counts, lengths, counts, complete),
        lambda ctx: stream_put(ctx, dut.lists, numbers, lists),
        lambda ctx: watch(ctx, dut.written, cycles),
        *(lambda ctx, r=r: look(ctx, dut, r, np.random.default_rng([seed, r]), cycles) for r in range(READERS)),
    )
    assert taken_entries == taken
    assert taken_counts == taken_numbers == told
    assert written == [cycle + 1 for cycle in told]
    for of_reader in seen:
        for cycle, (number, place, address, entry) in enumerate(of_reader):
            ring = {k % ENTRIES: values[k] for k, at in enumerate(taken) if at < cycle}
            assert entry == ring.get(address, {"index": 0, "value": 0})
            table = {numbers[k]: (k, ends[k]) for k, at in enumerate(told) if at < cycle}
            known, end = table.get(number, (None, 0))
            length = 0 if known is None else lengths[known]
            assert place == {"base": (end - length) % ENTRIES, "count": length}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"value_bits": 1}, "value_bits must be an integer of at least 2, not 1"),
        ({"entries": 1}, "entries must be an integer of at least 2, not 1"),
        ({"entries": 48}, "entries must be a power of two, not 48"),
        ({"lists": 1}, "lists must be an integer of at least 2, not 1"),
        ({"readers": 0}, "readers must be an integer of at least 1, not 0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    assert_refused(ListStore, message, **{"value_bits": 8, "entries": 16, "lists": 5, "readers": 2} | arguments)
