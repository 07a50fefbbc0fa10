"""The bytes and the due cycles of the memory behind a tile's port."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Generator
from functools import partial

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.gates.remote_host import Kind, Offer, RemoteHost
from deltatrain.sim.memory.clock import SAMPLE, Clock, Turn
from deltatrain.sim.memory.port import Arrival, RemotePort

KINDS = st.sampled_from(["weights", "gradients"])


@st.composite
def machines(draw: st.DrawFn) -> Architecture:
    return Architecture.named(
        draw(st.sampled_from(["tiny", "edge", "reneta"])),
        {
            "engine.lanes": draw(st.integers(1, 9)),
            "engine.clock_hz": draw(st.sampled_from([100_000_000, 500_000_000, 1_000_000_000])),
            "engine.formats.weight.bits": draw(st.sampled_from([8, 11, 16])),
            "engine.formats.weight.fraction_bits": 7,
            "engine.formats.weight_gradient_bits": draw(st.sampled_from([32, 37])),
            "dma.bytes_per_cycle": draw(st.sampled_from([1, 3, 8, 64])),
            "dma.request_cycles": draw(st.integers(0, 8)),
        },
    )


def _payloads(random: np.random.Generator, machine: Architecture, kind: Kind, words: int) -> list[int]:
    formats = machine.engine.formats
    widths = {"weights": formats.weight, "gradients": formats.weight_gradient, "vectors": formats.activation}
    bits = widths[kind].bits if kind in widths else 8 * formats.activation.bytes
    return [int.from_bytes(random.bytes(64), "little") % (1 << bits * machine.engine.lanes) for _ in range(words)]


class Tile:
    """A process that asks the memory, and keeps what it is offered."""

    def __init__(self, machine: Architecture, image: bytearray, first_cycle: int = 0) -> None:
        self.clock = Clock(first_cycle)
        self.host = RemoteHost(machine, image, self.clock)
        self.due: dict[str, list[int]] = defaultdict(list)
        self.words: dict[str, list[int]] = defaultdict(list)
        self.taken: list[int] = []

    def run(self, *asks: tuple[int, Callable[[], None]]) -> None:
        """Ask in the given cycles, and run until nothing happens any more."""

        def process() -> Generator[simpy.Event, None, None]:
            for cycle, ask in asks:
                yield Turn(self.clock, cycle, SAMPLE)
                ask()

        self.clock.process(process())
        self.clock.run()

    def keep(self, name: str) -> Offer:
        def offer(due: NDArray[np.int64], rows: NDArray[np.uint8]) -> None:
            assert len(due) == len(rows) and (due >= self.clock.cycle).all()
            self.due[name] += due.tolist()
            self.words[name] += [int.from_bytes(row.tobytes(), "little") for row in rows]

        return offer


@settings(max_examples=60)
@given(
    machines(), st.sampled_from(["weights", "gradients", "vectors", "tape"]), st.integers(1, 9), st.integers(0, 2**16)
)
def test_what_was_written_is_read(machine: Architecture, kind: Kind, words: int, seed: int) -> None:
    tile, random = Tile(machine, bytearray(4096)), np.random.default_rng(seed)
    host, size = tile.host, tile.host.word_bytes(kind)
    first, second = _payloads(random, machine, kind, words), _payloads(random, machine, kind, 1)
    address, later = int(random.integers(0, 4096 - words * size)), int(random.integers(5, 200))
    tile.run(
        (0, lambda: host.post(address, first, kind, tile.taken.append)),
        (5, lambda: host.read(address, words, kind, tile.keep("soon"))),
        (later, lambda: host.read(address, words, kind, tile.keep("before"))),
        (later, lambda: host.post(address + (words - 1) * size, second, kind, tile.taken.append)),
        (later, lambda: host.read(address, words, kind, tile.keep("after"))),
    )
    # as it was at the request
    assert tile.words == {"soon": first, "before": first, "after": first[:-1] + second}
    assert len(tile.taken) == 2 and tile.taken[0] > 0 and later < tile.taken[1]
    assert host.memory.port.write_bytes == (words + 1) * size


@settings(max_examples=30)
@given(machines(), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 2**16))
def test_what_is_announced_takes_the_time_of_what_is_written_and_is_there_when_handed_over(
    machine: Architecture, sizes: list[int], seed: int
) -> None:
    one, other, random = Tile(machine, bytearray(4096)), Tile(machine, bytearray(4096)), np.random.default_rng(seed)
    words, address = [_payloads(random, machine, "tape", size) for size in sizes], 0
    posts: list[tuple[int, Callable[[], None]]] = []
    stores: list[tuple[int, Callable[[], None]]] = []
    for cycle, payloads in enumerate(words):
        posts.append((cycle, partial(one.host.post, address, payloads, "tape", one.taken.append)))
        stores.append((cycle, partial(other.host.announce, address, len(payloads), "tape", other.taken.append)))
        address += len(payloads) * one.host.word_bytes("tape") + 3
    one.run(*posts)
    other.run(*stores)
    assert other.taken == one.taken and len(one.taken) == len(words)
    together = [payload for payloads in words for payload in payloads]
    other.host.hand_over(together[:1], "tape")
    other.host.hand_over(together[1:], "tape")
    assert other.host._image == one.host._image


@given(st.integers(-(2**12), 2**12 - 1), st.integers(-(2**12), 2**12 - 1))
def test_values_lie_in_whole_bytes_lowest_first_and_sign_extended(low: int, high: int) -> None:
    machine = Architecture.named("tiny", {"engine.lanes": 2, "engine.formats.weight.bits": 13})
    image = bytearray(8)
    host = RemoteHost(machine, image, Clock())
    host.post(3, [low % 2**13 | high % 2**13 << 13], "weights", lambda taken: None)
    assert image == bytes(3) + np.array([low, high], "<i2").tobytes() + bytes(1)


@settings(max_examples=100)
@given(machines(), KINDS, st.integers(1, 80), st.integers(0, 800), st.integers(0, 90), st.integers(0, 30))
def test_lanes_that_take_a_word_a_cycle_end_as_the_law_says(
    machine: Architecture, kind: Kind, words: int, start: int, free: int, cycle: int
) -> None:
    """What the gates are offered word by word is what the law reckons with at once."""
    tile, told = Tile(machine, bytearray(100_000), cycle), list[Arrival]()
    size = tile.host.word_bytes(kind)
    law = RemotePort(machine)
    law.read(cycle, start * size, words * size, size, told.append)
    while not told:
        law.advance(math.inf)
    tile.run((cycle, lambda: tile.host.read(start * size, words, kind, tile.keep("it"))))
    offered, taken = -1, free - 1
    for due in tile.due["it"]:
        offered = max(offered + 1, due)  # one a cycle
        taken = max(taken + 1, offered)
    assert len(tile.due["it"]) == words
    assert taken + 1 == max(free + words, told[0].ready)


def test_a_memory_that_is_faster_than_its_port_is_woken_once_for_many_requests() -> None:
    """Words are told when the port has passed all that were told before: eight requests are in flight, so eight."""
    machine = Architecture.named("edge", {"dma.bytes_per_cycle": 4})
    tile, reads, words, ahead = Tile(machine, bytearray(1 << 16)), 50, 8, 8
    size, told = words * tile.host.word_bytes("weights"), list[int]()

    def offer(due: NDArray[np.int64], rows: NDArray[np.uint8]) -> None:
        told.append(tile.clock.cycle)
        tile.keep("it")(due, rows)

    at = [max(0, read - ahead) * size // 4 for read in range(reads)]
    tile.run(*((at[read], partial(tile.host.read, read * size, words, "weights", offer)) for read in range(reads)))
    assert len(tile.due["it"]) == reads * words
    assert len(set(told)) <= -(-reads // ahead) + 1


def test_bytes_outside_of_the_image_are_refused() -> None:
    host = RemoteHost(Architecture.named("tiny"), bytearray(16), Clock())
    with pytest.raises(IndexError, match="bytes 9 to 17 are outside of the image of 16 bytes"):
        host.read(9, 1, "weights", lambda due, rows: None)
    with pytest.raises(IndexError, match="outside of the image"):
        host.post(16, [0], "weights", lambda taken: None)
