"""Accumulators of compressed columns against a table of numbers, also after a reset in the middle of a sample."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from deltatrain.accel.architecture import Architecture
from deltatrain.rtl.lanes.sparse_memory import SparseMemory

DEPTH = 5
FORMATS = Architecture.named("tiny").engine.formats


class Bench:
    """Adds in steps whose M is read beside the additions of the step after."""

    def __init__(self, seed: int, *, is_part: bool = False, restores: bool = False) -> None:
        self.rng, self.reset = np.random.default_rng(seed), Signal()
        self.memory = SparseMemory(
            formats=FORMATS, accumulator_words=DEPTH, product_bits=32, is_part=is_part, restores=restores
        )
        self.restores = restores
        self.readers = [(self.memory, range(DEPTH))]
        if is_part:  # the exchange reads the last two beside the others
            self.readers = [(self.memory, range(DEPTH - 2)), (self.memory.partial, range(DEPTH - 2, DEPTH))]
        self.read: list[tuple[int, int]] = []

    def steps(self, lengths: list[int]) -> list[tuple[bool, dict[int, list[int]]]]:
        """Return for each step of each sample whether it is the first, and what is added to each accumulator."""
        drawn = []
        for length in lengths:
            for step in range(length):
                reached = [place for place in range(DEPTH) if step == 0 or self.rng.random() < 0.4]
                adds = {place: self.rng.integers(-999, 999, self.rng.integers(1, 4)).tolist() for place in reached}
                drawn.append((step == 0, adds))
        return drawn

    async def run(self, context, steps) -> None:
        """Play steps, and one more without additions, so that M of the last is read."""
        await self.play(context, [*steps, (False, {})])

    async def play(self, context, steps) -> None:
        """Play steps; beside the additions of each, M of the step before is read, place after place, twice."""
        held, before, memory = [0] * DEPTH, None, self.memory
        for number, (first, adds) in enumerate(steps):
            if self.restores and before is not None:
                held = await self.change(context, before, number)
                before = None if first else list(held)  # nobody reads what the last step undone leaves
            order = [place for place, values in adds.items() for _ in values]
            self.rng.shuffle(order)
            values = {place: list(found) for place, found in adds.items()}
            sent: list[int] = []
            for cycle in range(max(len(order), 2 * DEPTH) + 4):
                adding = cycle < len(order)
                context.set(memory.active, adding)
                if adding:
                    place = order[cycle]
                    sent.append(values[place].pop())
                    for name, value in (("place", place), ("odd", number % 2), ("first", first)):
                        context.set(getattr(memory, name), value)
                if 2 <= cycle < len(sent) + 2:
                    context.set(memory.product, sent[cycle - 2])  # two cycles after its place
                reading = before is not None and cycle < 2 * DEPTH
                asked = [(port, places[cycle % len(places)]) for port, places in self.readers]
                for port, place in asked:
                    context.set(port.en, reading)
                    context.set(port.addr, place * 2 + (number + 1) % 2)
                await context.tick()
                if reading:
                    self.read += [(context.get(port.data), before[place]) for port, place in asked]
            for place, found in adds.items():
                held[place] = (0 if first else held[place]) + sum(found)
            before = list(held)

    async def change(self, context, before: list[int], number: int) -> list[int]:
        """Read M of the step before, then undo a part of it, or restore another, or both; return what M is then."""
        memory = self.memory
        now = list(before)
        for port in (memory.active, memory.en):
            context.set(port, 0)
        for place in range(DEPTH):
            await self.look(context, place, number, now[place])
        context.set(memory.en, 0)
        for place in self.rng.choice(DEPTH, 4).tolist() * int(self.rng.integers(2)):
            value = int(self.rng.integers(-999, 999))
            now[place] -= value
            for port, told in ((memory.place, place), (memory.odd, (number + 1) % 2), (memory.first, 0)):
                context.set(port, told)
            for port, told in ((memory.active, 1), (memory.undoes, 1), (memory.product, value)):
                context.set(port, told)
            await context.tick()
            context.set(memory.active, 0)
            await context.tick().repeat(3)
        context.set(memory.undoes, 0)
        await context.tick()
        for place in range(DEPTH * int(self.rng.integers(2))):
            now[place] = int(self.rng.integers(-999, 999))
            told = {"en": 1, "addr": place, "data": now[place]}
            for name, value in told.items():
                context.set(getattr(memory.restored, name), value)
            await context.tick()
        context.set(memory.restored.en, 0)
        await context.tick().repeat(2)
        return now

    async def look(self, context, place: int, number: int, wanted: int) -> None:
        """Read M of a place after the step before `number`."""
        context.set(self.memory.en, 1)
        context.set(self.memory.addr, place * 2 + (number + 1) % 2)
        await context.tick()
        self.read.append((context.get(self.memory.data), wanted))


@pytest.mark.parametrize(("seed", "is_part"), [(0, False), (1, False), (2, False), (3, True), (4, True)])
def test_each_step_is_read_as_it_was_left_whatever_the_next_one_adds(seed: int, is_part: bool) -> None:
    check(Bench(seed, is_part=is_part))


@pytest.mark.parametrize("seed", range(5))
def test_steps_go_on_from_what_was_restored_and_from_what_is_left_of_those_undone(seed: int) -> None:
    check(Bench(seed, restores=True))


def check(bench: Bench) -> None:
    """Play samples, reset in the middle of one, and play others: everything is read as it must be."""
    simulator = Simulator(ResetInserter(bench.reset)(bench.memory))
    simulator.add_clock(1e-6)

    async def play(context) -> None:
        await context.tick().repeat(DEPTH + 2)
        await bench.run(context, bench.steps([3, 2, 4]))
        await bench.play(context, [*bench.steps([1]), (False, {0: [5], 3: [7]})])  # nobody reads the second step
        context.set(bench.reset, 1)
        await context.tick()
        context.set(bench.reset, 0)
        context.set(bench.memory.active, 0)
        for port, _ in bench.readers:
            context.set(port.en, 0)
        await context.tick().repeat(DEPTH + 2)
        await bench.run(context, bench.steps([2, 3]))

    simulator.add_testbench(play)
    simulator.run()
    assert len(bench.read) > 100
    assert [found for found, _ in bench.read] == [wanted for _, wanted in bench.read]
