"""The bytes and the due cycles of the memory behind a tile's port."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.gates.remote_host import Kind, RemoteHost
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


def _read(host: RemoteHost, cycle: int, address: int, words: int, kind: Kind) -> tuple[list[int], list[int]]:
    """Return when words are due, and their payloads."""
    host.ask(cycle, address, words, kind, "it")
    due: list[int] = []
    payloads: list[int] = []
    while len(due) < words:
        for tag, times, rows in host.advance(cycle):
            assert tag == "it"
            due += times.tolist()
            payloads += [int.from_bytes(row.tobytes(), "little") for row in rows]
        cycle = int(min(host.next_due, 1 << 40))
    assert host.next_due == math.inf
    return due, payloads


@settings(max_examples=60)
@given(
    machines(), st.sampled_from(["weights", "gradients", "vectors", "tape"]), st.integers(1, 9), st.integers(0, 2**16)
)
def test_what_was_written_is_read(machine: Architecture, kind: Kind, words: int, seed: int) -> None:
    host, random = RemoteHost(machine, bytearray(4096)), np.random.default_rng(seed)
    size = host.word_bytes(kind)
    first, second = _payloads(random, machine, kind, words), _payloads(random, machine, kind, 1)
    address = int(random.integers(0, 4096 - words * size))
    assert host.write(0, address, first, kind) > 0
    due, read = _read(host, 5, address, words, kind)
    assert read == first
    host.ask(due[-1], address, words, kind, "before")
    host.write(due[-1], address + (words - 1) * size, second, kind)
    host.ask(due[-1], address, words, kind, "after")
    found: dict[str, list[int]] = {"before": [], "after": []}
    cycle = due[-1]
    while len(found["after"]) < words:
        for tag, _, rows in host.advance(cycle):
            found[tag] += [int.from_bytes(row.tobytes(), "little") for row in rows]
        cycle += 1
    assert found == {"before": first, "after": first[:-1] + second}  # as it was at the request
    assert host.port.write_bytes == (words + 1) * size


@settings(max_examples=30)
@given(machines(), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 2**16))
def test_what_is_announced_takes_the_time_of_what_is_written_and_is_there_when_handed_over(
    machine: Architecture, sizes: list[int], seed: int
) -> None:
    one, other, random = (
        RemoteHost(machine, bytearray(4096)),
        RemoteHost(machine, bytearray(4096)),
        np.random.default_rng(seed),
    )
    words, address = [_payloads(random, machine, "tape", size) for size in sizes], 0
    for cycle, payloads in enumerate(words):
        taken = one.write(cycle, address, payloads, "tape")
        assert other.announce(cycle, address, len(payloads), "tape") == taken
        address += len(payloads) * one.word_bytes("tape") + 3
    together = [payload for payloads in words for payload in payloads]
    other.hand_over(together[:1], "tape")
    other.hand_over(together[1:], "tape")
    assert other._image == one._image


@given(st.integers(-(2**12), 2**12 - 1), st.integers(-(2**12), 2**12 - 1))
def test_values_lie_in_whole_bytes_lowest_first_and_sign_extended(low: int, high: int) -> None:
    machine = Architecture.named("tiny", {"engine.lanes": 2, "engine.formats.weight.bits": 13})
    image = bytearray(8)
    host = RemoteHost(machine, image)
    host.write(0, 3, [low % 2**13 | high % 2**13 << 13], "weights")
    assert image == bytes(3) + np.array([low, high], "<i2").tobytes() + bytes(1)


@settings(max_examples=100)
@given(machines(), KINDS, st.integers(1, 80), st.integers(0, 800), st.integers(0, 90), st.integers(0, 30))
def test_lanes_that_take_a_word_a_cycle_end_as_the_law_says(
    machine: Architecture, kind: Kind, words: int, start: int, free: int, cycle: int
) -> None:
    host, port, told = RemoteHost(machine, bytearray(100_000)), RemotePort(machine), list[Arrival]()
    size = host.word_bytes(kind)
    port.read(cycle, start * size, words * size, size, told.append)
    assert port.next_arrival(math.inf)
    offered, taken = -1, free - 1
    for due in _read(host, cycle, start * size, words, kind)[0]:
        offered = max(offered + 1, due)  # one a cycle
        taken = max(taken + 1, offered)
    assert taken + 1 == max(free + words, told[0].ready)


def test_bytes_outside_of_the_image_are_refused() -> None:
    host = RemoteHost(Architecture.named("tiny"), bytearray(16))
    with pytest.raises(IndexError, match="bytes 9 to 17 are outside of the image of 16 bytes"):
        host.ask(0, 9, 1, "weights", "it")
    with pytest.raises(IndexError, match="outside of the image"):
        host.write(0, 16, [0], "weights")
