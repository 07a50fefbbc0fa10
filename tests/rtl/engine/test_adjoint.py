"""The encoder's way back against `accel.modes.encode.adjoint`, bit for bit and cycle for cycle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from components import assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import always, pattern, plain, run, stream_get, stream_put

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import encode
from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.engine.adjoint import LATENCY_CYCLES, DeltaAdjoint

FEW = settings(max_examples=60)
DEPTH = 32

patterns = st.lists(st.booleans(), min_size=1, max_size=12).filter(any).map(pattern)
seeds = st.integers(0, 2**32 - 1)


class Case(NamedTuple):
    """Ops for the adjoint, the results that come, and the g(x) that `accel` says must be read after each."""

    lanes: int
    gradient: NumberFormat
    ops: list
    results: list
    gradients: list

    def gates(self):
        return DeltaAdjoint(lanes=self.lanes, gradient=self.gradient, depth=DEPTH)

    def cycles(self):
        return [max(1, op["clear_words"] + op["count"]) for op in self.ops]

    def reads(self):
        """Return the addresses that are read after each op."""
        places = zip(self.ops, self.gradients, strict=True)
        return [range(op["value"], op["value"] + len(words)) for op, words in places]


@st.composite
def cases(draw, most_ops=8, most_words=4):
    """Draw vectors and ops on them, the first of each after clearing; g(x) has a bank for even ops and one for odd."""
    lanes = draw(st.sampled_from([1, 2, 4, 4, 8]))
    overflow = draw(st.sampled_from(["saturate", "wrap"]))
    gradient = NumberFormat(bits=draw(st.integers(2, 16)), fraction_bits=0, overflow=overflow)
    formats = Architecture.named("tiny").engine.formats.model_copy(update={"gradient": gradient})
    rng = np.random.default_rng(draw(seeds))
    widths = draw(st.lists(st.integers(1, most_words * lanes), min_size=1, max_size=3))
    words = [-(-width // lanes) for width in widths]
    bases = np.cumsum([0, *words]).tolist()
    found, held = Case(lanes, gradient, [], [], []), {}
    ends = [gradient.lowest, gradient.highest, 0]
    for number in range(draw(st.integers(1, most_ops))):
        vector = draw(st.integers(0, len(widths) - 1))
        clears = vector not in held or draw(st.integers(0, 4)) == 0
        before = np.zeros(widths[vector], dtype=np.int64) if clears else held[vector]
        columns = np.flatnonzero(rng.random(widths[vector]) < rng.choice([0, 0.2, 0.6, 1]))
        fresh = rng.integers(*ends[:2], len(columns), endpoint=True)
        s = np.where(rng.random(len(columns)) < 0.5, rng.choice(ends, len(columns)), fresh)
        direct = draw(st.integers(0, 3)) == 0
        if direct:  # the vector was not encoded: what comes is its gradient, and what is held stays
            g_value, held[vector] = np.zeros_like(before), before
            g_value[columns] = s
        else:
            g_value, held[vector] = encode.adjoint(before, columns, s, formats)
        found.ops.append(
            {
                "held": bases[vector],
                "value": number % 2 * DEPTH // 2,
                "clear_words": words[vector] * clears,
                "count": len(columns),
                "direct": direct,
            }
        )
        pairs = zip(columns.tolist(), s.tolist(), strict=True)
        found.results.extend({"index": j, "value": value} for j, value in pairs)
        padded = np.zeros(words[vector] * lanes, dtype=np.int64)
        padded[: widths[vector]] = g_value
        found.gradients.append([tuple(one) for one in padded.reshape(-1, lanes).tolist()])
    return found


def run_case(case, *, results=always, addresses=always, words=always):
    """Run `case`, reading each g(x) as soon as it is done; return when ops and results were taken, ops were done.

    An op is offered when the vector of its bank has been asked for. Reading and the next op go on at the same time.
    """
    dut = case.gates()
    asked = [0]  # ops whose g(x) has been asked for

    async def put_ops(ctx):
        cycle, taken = 0, []
        for number, op in enumerate(case.ops):
            while asked[0] < number - 1:
                await ctx.tick()
                cycle += 1
            ctx.set(dut.ops.payload, op)
            ctx.set(dut.ops.valid, 1)
            ready = 0
            while not ready:
                _, _, ready = await ctx.tick().sample(dut.ops.ready)
                cycle += 1
            taken.append(cycle - 1)
            ctx.set(dut.ops.valid, 0)
        return taken

    async def ask(ctx):
        cycle, done = 0, []
        begun = 0

        async def tick(*samples):
            nonlocal cycle, begun
            if ctx.get(dut.done):
                done.append(cycle)
            cycle += 1
            return (await ctx.tick().sample(*samples))[2:]

        for places in case.reads():
            while len(done) == begun and not ctx.get(dut.done):
                await tick()
            begun += 1
            for address in places:
                while not addresses(cycle):
                    await tick()
                ctx.set(dut.addresses.payload, address)
                ctx.set(dut.addresses.valid, 1)
                ready = 0
                while not ready:
                    (ready,) = await tick(dut.addresses.ready)
                ctx.set(dut.addresses.valid, 0)
            asked[0] += 1
        return done

    expected = [word for gradient in case.gradients for word in gradient]
    taken_ops, taken_results, done, given_words = run(
        dut,
        put_ops,
        lambda ctx: stream_put(ctx, dut.results, case.results, results),
        ask,
        lambda ctx: stream_get(ctx, dut.words, len(expected), words),
    )
    assert [word for _, word in given_words] == expected
    return taken_ops, taken_results, done


@FEW
@given(cases(), patterns, patterns, patterns)
def test_gradients_under_stalls(case, results, addresses, words):
    taken_ops, _, done = run_case(case, results=results, addresses=addresses, words=words)
    assert len(taken_ops) == len(case.ops)
    assert done == [cycle + LATENCY_CYCLES for cycle in taken_ops][: len(done)]


@FEW
@given(cases())
def test_gradients_without_stalls(case):
    run_case(case)


@FEW
@given(cases(), patterns)
def test_ops_take_a_cycle_for_each_word_cleared_and_each_result(case, results):
    dut = case.gates()

    async def watch_done(ctx):
        cycles = []
        for cycle in range(10_000):
            if ctx.get(dut.done):
                cycles.append(cycle)
            if len(cycles) == len(case.ops):
                break
            await ctx.tick()
        return cycles

    taken_ops, taken_results, done = run(
        dut,
        lambda ctx: stream_put(ctx, dut.ops, case.ops),
        lambda ctx: stream_put(ctx, dut.results, case.results, results),
        watch_done,
    )
    free, offered, number = 0, 0, 0
    for op, cycle in zip(case.ops, taken_ops, strict=True):
        first = free
        free += op["clear_words"]
        for _ in range(op["count"]):
            while not results(offered):
                offered += 1
            offered = max(offered, free)
            assert taken_results[number] == offered
            free = offered = offered + 1
            number += 1
        free = max(free, first + 1)
        assert cycle == free - 1
    assert done == [cycle + LATENCY_CYCLES for cycle in taken_ops]


def test_one_column_in_cycle_after_cycle():
    """Ops of one result each: what one leaves in g(x-hat) the next one reads, in the very next cycle."""
    gradient = NumberFormat(bits=8, fraction_bits=0)
    dut = DeltaAdjoint(lanes=4, gradient=gradient, depth=DEPTH)
    s = [1, -2, 127, -128, 127, 0, 5]
    ops = [{"held": 3, "value": number, "clear_words": 0, "count": 1, "direct": 0} for number in range(len(s))]

    async def read(ctx):
        for _ in range(len(s) + LATENCY_CYCLES):
            await ctx.tick()
        words = []
        for address in range(len(s)):
            ctx.set(dut.addresses.payload, address)
            ctx.set(dut.addresses.valid, 1)
            ctx.set(dut.words.ready, 1)
            await ctx.tick()
            words.append(plain(ctx.get(dut.words.payload)))
        return words

    taken_ops, taken, words = run(
        dut,
        lambda ctx: stream_put(ctx, dut.ops, ops),
        lambda ctx: stream_put(ctx, dut.results, [{"index": 2, "value": value} for value in s]),
        read,
    )
    assert taken_ops == taken == list(range(len(s)))
    held = [0, *(min(-value, 127) for value in s)]
    sums = [max(-128, min(127, g + value)) for g, value in zip(held, s, strict=False)]
    assert words == [(0, 0, g, 0) for g in sums]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lanes": 6}, "lanes must be a power of two, not 6"),
        ({"depth": 1}, "depth must be an integer of at least 2, not 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    gradient = NumberFormat(bits=16, fraction_bits=14)
    assert_refused(DeltaAdjoint, message, **{"lanes": 4, "gradient": gradient, "depth": 64} | arguments)
