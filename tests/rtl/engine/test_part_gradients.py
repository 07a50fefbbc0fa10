"""What one of several tiles does with the results of its lanes, against `accel.modes`, with every port pausing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import pattern, run, stream_get, stream_put

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import encode
from deltatrain.accel.number import rescale
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.engine.engine_op import Stream
from deltatrain.rtl.engine.part_gradients import PartGradients

LANES, WORDS = 2, 3
WIDTH = LANES * WORDS
SIZES = TileSizes(
    accumulator_words=2,
    regions=2,
    input_words=2,
    vector_words=3 * WORDS,
    held_words=2,
    state_words=2,
    tape_words=2,
    lists=2,
    list_entries=2,
    weight_words=2,
    gradient_words=2,
    loaded_lists=0,
    loaded_entries=0,
    most_classes=2,
    tiles=2,
    received_lists=2,
    received_entries=2,
    waiting_sums=4,
)
FORMATS = Architecture.named("tiny").engine.formats
patterns = st.lists(st.booleans(), min_size=1, max_size=8).filter(any).map(pattern)


class Case(NamedTuple):
    """Ops with the number of own elements of each, what the lanes give, what must be waiting, and what comes back."""

    ops: list
    own: list
    results: list
    sums: list
    counts: list
    reduced: list
    gradients: dict  # what must be read from the two ports, word by word


@st.composite
def cases(draw):
    """Draw a sample's way back: what is held is cleared, then products whose sums are exchanged, then the read-out."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    span = FORMATS.memory.highest >> int(rng.choice([0, 12, 24]))
    clear = {"stream": Stream.RECURRENT, "adjoint": {"held": 0, "clear_words": WORDS}}
    case = Case([clear], [0], [], [], [], [], {"recurrent": [], "above": []})
    held = np.zeros(WIDTH, dtype=np.int64)
    for _ in range(draw(st.integers(0, 4))):
        fired = np.flatnonzero(rng.random(WIDTH) < rng.choice([0, 0.5, 1]))
        others = int(rng.integers(4))
        came = rng.integers(-span, span, len(fired) + others, endpoint=True).tolist()
        s = rng.integers(FORMATS.gradient.lowest, FORMATS.gradient.highest, len(fired), endpoint=True)
        adjoint = {"held": 0, "value": 0, "count": len(came)}
        case.ops.append({"stream": Stream.RECURRENT, "adjoint": adjoint})
        case.own.append(len(fired))
        case.results.extend((100 + k, value) for k, value in enumerate(came))
        case.sums.extend((100 + k, value) for k, value in enumerate(came))
        case.counts.append(len(came))
        g, held = encode.adjoint(held, fired, s, FORMATS)
        case.reduced.append(list(zip(fired.tolist(), s.tolist(), strict=True)))
        case.gradients["recurrent"].append(g.tolist())
    raw = rng.integers(-span, span, WIDTH, endpoint=True)
    case.ops.append({"stream": Stream.ABOVE, "adjoint": {"value": WORDS, "direct": 1, "count": WIDTH}})
    case.own.append(0)
    case.results.extend(enumerate(raw.tolist()))
    g = rescale(raw, FORMATS.backward_sum.fraction_bits, FORMATS.gradient)
    case.gradients["above"] = g.reshape(WORDS, LANES).tolist()
    return case


async def enter(ctx, dut, case):
    """Enter the ops, each when there is room for it."""
    for op, own in zip(case.ops, case.own, strict=True):
        ctx.set(dut.op, op)
        ctx.set(dut.own, own)
        while not ctx.get(dut.has_room):
            await ctx.tick()
        ctx.set(dut.enter, 1)
        await ctx.tick()
        ctx.set(dut.enter, 0)


async def come_back(ctx, dut, case, offers):
    """Give back each op's own results when all its sums are gone, and read its gradients before the next; then all."""
    cycle = 0
    for name in case.gradients:
        ctx.set(getattr(dut, f"g_{name}").en, 0)  # as read ports are, it is enabled by itself

    async def read(name, word):
        port = getattr(dut, f"g_{name}")
        ctx.set(port.en, 1)
        ctx.set(port.addr, word)
        await ctx.tick()
        ctx.set(port.en, 0)
        return [int(value) for value in ctx.get(port.data)]

    found = {"recurrent": [], "above": []}
    for results in case.reduced:
        for j, value in results:
            while not offers(cycle):
                cycle += 1
                await ctx.tick()
            ctx.set(dut.reduced.payload, {"index": j, "value": value})
            ctx.set(dut.reduced.valid, 1)
            ready = 0
            while not ready:
                _, _, ready = await ctx.tick().sample(dut.reduced.ready)
            ctx.set(dut.reduced.valid, 0)
            cycle += 1
        await ctx.tick().repeat(3)
        found["recurrent"].append([value for word in range(WORDS) for value in await read("recurrent", word)])
    await ctx.tick().repeat(500)  # whatever pauses, all results have come
    found["above"] = [await read("above", WORDS + word) for word in range(WORDS)]
    return found


@settings(max_examples=25)
@given(cases(), patterns, patterns, patterns)
def test_sums_wait_in_their_order_and_gradients_come_back(case, gives, takes, offers):
    dut = PartGradients(lanes=LANES, formats=FORMATS, sizes=SIZES)
    results = [{"index": j, "value": value} for j, value in case.results]
    _, _, sums, counts, gradients = run(
        dut,
        lambda ctx: enter(ctx, dut, case),
        lambda ctx: stream_put(ctx, dut.results, results, gives),
        lambda ctx: stream_get(ctx, dut.sums, len(case.sums), takes),
        lambda ctx: stream_get(ctx, dut.sum_counts, len(case.counts), takes),
        lambda ctx: come_back(ctx, dut, case, offers),
    )
    assert [tuple(item.values()) for _, item in sums] == case.sums
    assert [count for _, count in counts] == case.counts
    assert gradients == case.gradients
