"""The store of W or dW against a list of words, and against the rule of its cycles, under stalls on every port."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import pytest
from components import assert_refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streams import always, pattern, plain, run, stream_get, stream_put

from deltatrain.rtl.engine.matrix_store import RETURN_CYCLES, MatrixStore

few = settings(suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 2**32 - 1)

BITS, LANES = 5, 2
BUFFER = 2
"""Words that may have been addressed and not taken."""
HOST_WORDS = 3
"""Words that only the host touches."""


@dataclass(frozen=True)
class Job:
    """An op with its list, and the words that return."""

    base: int
    words: int
    columns: tuple[int, ...]
    new_words: tuple[tuple[int, ...], ...] = ()

    @property
    def descriptor(self) -> dict[str, int]:
        return {
            "base": self.base,
            "words": self.words,
            "columns": len(self.columns),
            "writes_back": int(bool(self.new_words)),
        }

    @property
    def addresses(self) -> list[int]:
        return [self.base + column * self.words + k for column in self.columns for k in range(self.words)]


def some_words(rng, count):
    return [tuple(row) for row in rng.integers(-(1 << BITS - 1), 1 << BITS - 1, (count, LANES)).tolist()]


def some_jobs(rng, depth, ops, most_words=4, most_columns=4, share_written=0.5):
    """Return ops anywhere in the memory, many of them on the same few words."""
    jobs = []
    for _ in range(ops):
        words = int(rng.integers(1, min(most_words, depth) + 1))
        base = int(rng.integers(0, (depth - words + 1) if rng.random() < 0.5 else 1))
        held = min((depth - base) // words, 2 * most_columns)
        columns = rng.permutation(held)[: rng.integers(0, min(held, most_columns) + 1)]
        returned = some_words(rng, len(columns) * words) if rng.random() < share_written else []
        jobs.append(Job(base, words, tuple(columns.tolist()), tuple(returned)))
    return jobs


def golden(jobs, memory):
    """Return all words that are read, and change `memory` to what is there at the end."""
    read = []
    for job in jobs:
        read += [memory[address] for address in job.addresses]
        for address, new in zip(job.addresses, job.new_words, strict=bool(job.new_words)):
            memory[address] = new
    return read


@dataclass
class Times:
    """The rule: when each op and entry is offered and taken, each word taken, and each new word returned."""

    op_from: list[int]
    op_taken: list[int]
    entry_taken: list[int]
    taken: list[int]
    returned: list[int]


def rule(jobs, arrivals, entry_from, is_ready, return_cycles):
    """Return what must happen when.

    An address follows the one before it, once its op and its entry are there and at most one word addressed before is
    left at the start of the cycle. A word is offered in the next cycle, or behind the word before it. An op that reads
    what an earlier one writes comes in the cycle after the last of these words returned, the others when they arrive.
    """
    times = Times([], [], [], [], [])
    free, written_until = 0, {}
    for job, arrival in zip(jobs, arrivals, strict=True):
        there = max([arrival, *(written_until[address] + 1 for address in job.addresses if address in written_until)])
        times.op_from.append(there)
        for number, address in enumerate(job.addresses):
            before = times.taken[-BUFFER] + 1 if len(times.taken) >= BUFFER else 0
            free = max(free, there, entry_from[len(times.entry_taken)], before)
            offered = max(free + 1, times.taken[-1] + 1 if times.taken else 0)
            times.taken.append(next(cycle for cycle in range(offered, offered + 1000) if is_ready(cycle)))
            if job.new_words:
                earliest = times.returned[-1] + 1 if times.returned else 0
                times.returned.append(max(times.taken[-1] + return_cycles, earliest))
                written_until[address] = times.returned[-1]
            if (number + 1) % job.words == 0:
                times.entry_taken.append(free)
            free += 1
        if not job.columns:
            free = max(free, there) + 1
        times.op_taken.append(free - 1)
    return times


async def take_and_return(ctx, dut, jobs, is_ready, return_cycles):
    """Take all words when ready; return the new ones a fixed time later. Return words with their cycles."""
    news = [new for job in jobs for new in (job.new_words or [None] * len(job.addresses))]
    received, due, cycle = [], deque(), 0
    while len(received) < len(news) or due:
        ctx.set(dut.read_words.ready, is_ready(cycle))
        returns = bool(due) and due[0][0] <= cycle
        ctx.set(dut.new_words.valid, returns)
        if returns:
            ctx.set(dut.new_words.payload, due.popleft()[1])
        _, _, valid, payload, ready = await ctx.tick().sample(
            dut.read_words.valid, dut.read_words.payload, dut.new_words.ready
        )
        assert ready
        if valid and is_ready(cycle):
            if news[len(received)] is not None:
                due.append((cycle + return_cycles, news[len(received)]))
            received.append((cycle, plain(payload)))
        cycle += 1
    ctx.set(dut.new_words.valid, 0)
    return received


def check(rng, depth, jobs, arrivals, entry_from, is_ready, return_cycles):
    """Load the memory, run `jobs`, read the memory; compare all with the list of words and with the rule.

    While ops are under way the host goes on writing, to words behind theirs.
    """
    arrivals, entry_from = [t + depth for t in arrivals], [t + depth for t in entry_from]  # the loading comes before
    times = rule(jobs, arrivals, entry_from, is_ready, return_cycles)
    places = [*range(depth), *rng.integers(depth, depth + HOST_WORDS, 20).tolist(), *range(depth, depth + HOST_WORDS)]
    writes = list(zip(places, some_words(rng, len(places)), strict=True))
    memory = dict(writes)
    end = max([0, *times.op_taken, *times.returned, len(writes) + len(times.returned)]) + 1
    dut = MatrixStore(value_bits=BITS, lanes=LANES, words=len(memory))
    loads = [{"address": address, "word": word} for address, word in writes]
    columns = [column for job in jobs for column in job.columns]
    op_taken, entry_taken, received, loaded, _, final = run(
        dut,
        lambda ctx: stream_put(ctx, dut.ops, [job.descriptor for job in jobs], not_before=times.op_from),
        lambda ctx: stream_put(ctx, dut.entries, columns, not_before=entry_from),
        lambda ctx: take_and_return(ctx, dut, jobs, is_ready, return_cycles),
        lambda ctx: stream_put(ctx, dut.host_writes, loads),
        lambda ctx: stream_put(ctx, dut.host_addresses, range(len(memory)), not_before=[end] * len(memory)),
        lambda ctx: stream_get(ctx, dut.host_words, len(memory), is_ready),
    )
    assert [word for _, word in received] == golden(jobs, memory)
    assert [word for _, word in final] == [memory[address] for address in range(len(memory))]
    assert loaded == [cycle for cycle in range(loaded[-1] + 1) if cycle not in times.returned]
    assert [cycle for cycle, _ in received] == times.taken
    assert entry_taken == times.entry_taken
    assert op_taken == times.op_taken
    return times


@settings(few, max_examples=60)
@given(seeds, st.integers(2, 40), st.integers(1, RETURN_CYCLES), st.sampled_from([0.0, 0.3, 2.0]))
def test_words_are_read_and_stored_at_the_rule_s_pace(seed, depth, return_cycles, slowness):
    rng = np.random.default_rng(seed)
    jobs = some_jobs(rng, depth, 12)
    entries = sum(len(job.columns) for job in jobs)
    arrivals, entry_from = (
        np.cumsum(rng.poisson(rng.random() * slowness, count)).tolist() for count in (len(jobs), entries)
    )
    is_ready = pattern([*(rng.random(29) < rng.choice([0.2, 0.8, 1.0])).tolist(), True])
    check(rng, depth, jobs, arrivals, entry_from, is_ready, return_cycles)


@settings(few, max_examples=25)
@given(seeds, st.integers(1, 4), st.integers(1, RETURN_CYCLES))
def test_a_word_a_cycle_across_columns_and_ops(seed, words, return_cycles):
    """Ops of one kind on words of their own: without stalls one comes after the other, written back or not."""
    rng = np.random.default_rng(seed)
    jobs, base = [], 0
    for number in range(12):
        count = int(rng.integers(0, 4)) if number else 1
        returned = some_words(rng, count * words) if rng.random() < 0.8 else []
        jobs.append(Job(base, words, tuple(range(count)), tuple(returned)))
        base += count * words
    entries = sum(len(job.columns) for job in jobs)
    times = check(rng, base, jobs, [0] * 12, [0] * entries, always, return_cycles)
    law = np.cumsum([max(1, len(job.columns) * words) for job in jobs])
    assert times.op_taken == (base + law - 1).tolist()
    ends = np.repeat(law, [len(job.addresses) for job in jobs])
    numbers_from_the_end = [k for job in jobs for k in reversed(range(len(job.addresses)))]
    assert times.taken == (base + ends - numbers_from_the_end).tolist()


def test_the_first_word_is_offered_two_cycles_after_soon():
    """At `soon` the op is there; a cycle later its first column, which another memory had to be asked for."""
    soon = 4
    times = check(np.random.default_rng(1), 2, [Job(1, 1, (0,), ((3, -4),))], [soon], [soon + 1], always, 1)
    assert times.taken == [2 + soon + 2]


@settings(few, max_examples=15)
@given(seeds, st.integers(1, 4), st.integers(RETURN_CYCLES + 1, 4 * RETURN_CYCLES))
def test_words_that_return_late_are_stored_where_they_were_read(seed, words, return_cycles):
    """More are under way than places are kept for, so that reading has to wait; each op has words of its own."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 5, 8).tolist()
    bases = [words * sum(counts[:number]) for number in range(len(counts))]
    jobs = [
        Job(base, words, tuple(range(count)), tuple(some_words(rng, count * words)))
        for base, count in zip(bases, counts, strict=True)
    ]
    depth = words * sum(counts)
    dut = MatrixStore(value_bits=BITS, lanes=LANES, words=depth)
    memory = some_words(rng, depth)
    loads = [{"address": address, "word": word} for address, word in enumerate(memory)]
    columns = [column for job in jobs for column in job.columns]
    end = depth * (return_cycles + 3) + return_cycles
    _, _, received, _, _, final = run(
        dut,
        lambda ctx: stream_put(ctx, dut.ops, [job.descriptor for job in jobs], not_before=[depth] * len(jobs)),
        lambda ctx: stream_put(ctx, dut.entries, columns),
        lambda ctx: take_and_return(ctx, dut, jobs, always, return_cycles),
        lambda ctx: stream_put(ctx, dut.host_writes, loads),
        lambda ctx: stream_put(ctx, dut.host_addresses, range(depth), not_before=[end] * depth),
        lambda ctx: stream_get(ctx, dut.host_words, depth, always),
    )
    assert [word for _, word in received] == golden(jobs, memory)
    assert [word for _, word in final] == memory


@settings(few, max_examples=25)
@given(seeds, st.integers(2, 20))
def test_the_host_may_read_beside_ops_that_write_nothing(seed, depth):
    rng = np.random.default_rng(seed)
    jobs, initial = some_jobs(rng, depth, 8, share_written=0.0), some_words(rng, depth)
    arrivals = (depth + np.cumsum(rng.poisson(3.0, len(jobs)))).tolist()
    addresses = rng.integers(0, depth, 30).tolist()
    asked = (depth + np.cumsum(rng.poisson(1.0, len(addresses)))).tolist()
    columns = [column for job in jobs for column in job.columns]
    stalls = [pattern([*(rng.random(19) < rng.random()).tolist(), True]) for _ in range(4)]
    dut = MatrixStore(value_bits=BITS, lanes=LANES, words=depth)
    loads = [{"address": address, "word": word} for address, word in enumerate(initial)]
    _, _, received, _, _, host_received = run(
        dut,
        lambda ctx: stream_put(ctx, dut.ops, [job.descriptor for job in jobs], stalls[0], arrivals),
        lambda ctx: stream_put(ctx, dut.entries, columns, stalls[1]),
        lambda ctx: take_and_return(ctx, dut, jobs, stalls[2], 1),
        lambda ctx: stream_put(ctx, dut.host_writes, loads),
        lambda ctx: stream_put(ctx, dut.host_addresses, addresses, not_before=asked),
        lambda ctx: stream_get(ctx, dut.host_words, len(addresses), stalls[3]),
    )
    assert [word for _, word in received] == golden(jobs, list(initial))
    assert [word for _, word in host_received] == [initial[address] for address in addresses]


@pytest.mark.parametrize(
    ("name", "value", "lowest"), [("value_bits", 0, 1), ("lanes", 0, 1), ("words", 1, 2), ("words", 2.0, 2)]
)
def test_arguments_are_checked(name, value, lowest):
    message = f"{name} must be an integer of at least {lowest}, not {value}"
    assert_refused(MatrixStore, message, **{"value_bits": BITS, "lanes": LANES, "words": 4, name: value})
