"""Driving a design's stream ports in Amaranth's simulator, with stalls, and running it to its end."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

from amaranth.sim import Simulator

Pattern = Callable[[int], bool]
"""Whether a port may begin to offer, or is ready, in a cycle."""


def always(cycle: int) -> bool:
    return True


def pattern(bits):
    """Return the pattern that repeats `bits`."""
    return lambda cycle: bits[cycle % len(bits)]


def plain(payload):
    """Return the sampled `payload` as integers: an integer, a tuple of an array's, a dictionary of a structure's."""
    if isinstance(payload, int):
        return payload
    names = [name for name, _ in payload.shape()]
    if names == list(range(len(names))):
        return tuple(plain(payload[i]) for i in names)
    return {name: plain(payload[name]) for name in names}


async def stream_put(
    ctx, port, payloads: Iterable, may_offer: Pattern = always, not_before: Iterable[int] | None = None
) -> list[int]:
    """Send `payloads` and return the cycles of their transfers; what is offered stays offered until it is taken.

    A payload is first offered in a cycle of `may_offer`, and not before its cycle in `not_before`.
    """
    cycle, transfers = 0, []
    for payload, earliest in zip(payloads, not_before or itertools.repeat(0), strict=False):
        while cycle < earliest or not may_offer(cycle):
            await ctx.tick()
            cycle += 1
        ctx.set(port.payload, payload)
        ctx.set(port.valid, 1)
        ready = 0
        while not ready:
            _, _, ready = await ctx.tick().sample(port.ready)
            cycle += 1
        transfers.append(cycle - 1)
        ctx.set(port.valid, 0)
    return transfers


async def stream_get(ctx, port, count: int, is_ready: Pattern = always) -> list[tuple[int, object]]:
    """Receive `count` payloads, ready in the cycles of `is_ready`; return each with the cycle of its transfer."""
    received: list[tuple[int, object]] = []
    cycle = 0
    while len(received) < count:
        ready = is_ready(cycle)
        ctx.set(port.ready, ready)
        _, _, valid, payload = await ctx.tick().sample(port.valid, port.payload)
        if ready and valid:
            received.append((cycle, plain(payload)))
        cycle += 1
    ctx.set(port.ready, 0)
    return received


def run(dut, *testbenches, most_cycles: int = 20_000) -> list:
    """Run `testbenches`, functions of a simulator context, side by side; return their results.

    The run fails if they have not ended after `most_cycles`, so that a deadlock is a failure and not a hang.
    """
    results: list = [None] * len(testbenches)
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    running = set(range(len(testbenches)))

    def enter(number, testbench):
        async def ends(ctx):
            results[number] = await testbench(ctx)
            running.discard(number)

        simulator.add_testbench(ends)

    async def watch(ctx):
        for cycle in itertools.count():
            assert cycle < most_cycles, f"testbenches {sorted(running)} are not done after {most_cycles} cycles"
            await ctx.tick()

    for number, testbench in enumerate(testbenches):
        enter(number, testbench)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    return results
