"""The port against bytes that pass it one after the other, behind a controller that is handed all bursts at once."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.dram.controller import DramChannels
from deltatrain.sim.memory.passage import Passage, Stretch, pass_at_once
from deltatrain.sim.memory.passing import first_cycle, pass_on
from deltatrain.sim.memory.port import Arrival, RemotePort


class Request(NamedTuple):
    cycle: int
    address: int
    size: int
    word: int
    write: bool


clocks_hz = st.sampled_from([50_000_000, 125_000_000, 300_000_000, 940_000_000, 1_850_000_000, 999_999_937])
"""Some with a period of whole picoseconds, and one, a prime, whose ratio to any DRAM clock has no small terms."""


@st.composite
def machines(draw: st.DrawFn) -> Architecture:
    channels = draw(st.sampled_from([1, 1, 2, 5]))
    part = draw(st.sampled_from(["ddr3_1600", "ddr3_1600", "ddr4_2400", "lpddr4_3200"]))
    return Architecture.named(
        "edge",
        {
            "engine.clock_hz": draw(clocks_hz),
            "dma.bytes_per_cycle": draw(st.sampled_from([1, 2, 3, 4, 8, 12, 16, 32, 64])),
            "dma.request_cycles": draw(st.integers(0, 8)),
            "remote.device": part,
            "remote.channels": channels,
            "remote.read_queue": draw(st.sampled_from([1, 4, 32])),
            "remote.row_policy": draw(st.sampled_from(["open", "closed"])),
        },
    )


@st.composite
def requests(draw: st.DrawFn) -> list[Request]:
    found, now = [], 0
    sizes = st.integers(1, 90) | st.integers(1, 2000)
    for _ in range(draw(st.integers(1, 12))):
        now += draw(st.sampled_from([0, 1, 1, 7, 60, 2000]))
        address = draw(st.integers(0, 1 << 12) | st.integers(0, 1 << 24))
        found.append(Request(now, address, draw(sizes), draw(st.integers(1, 40)), draw(st.booleans())))
    return found


def expected(machine: Architecture, asked: list[Request]) -> tuple[list[list[int]], DramChannels]:
    """Return for each read when it has come from memory and the cycles in which its words pass, and the controller."""
    period, tck, width = Fraction(10**12, machine.engine.clock_hz), machine.device.tck_ps, machine.dma.bytes_per_cycle
    memory = DramChannels(machine.device, machine.remote)
    size = memory.map.burst_bytes
    bursts = [(r, b) for r in asked for b in range(r.address // size, (r.address + r.size - 1) // size + 1)]
    offered = [-(-(r.cycle + machine.dma.request_cycles) * period // tck) for r, _ in bursts]
    places, writes = np.array([b * size for _, b in bursts]), np.array([r.write for r, _ in bursts])
    parts = [memory.serve(np.array(offered), places, writes), memory.finish()]
    done = {int(t): int(d) for part in parts for t, d in zip(part.ticket, part.done, strict=True)}
    found, ticket, before = [], 0, -1
    for r in asked:
        first, last = r.address // size, (r.address + r.size - 1) // size
        came = [-(-done[ticket + b - first] * tck // period) for b in range(first, last + 1)]
        ticket += len(came)
        if r.write:
            continue
        passed: list[int] = []
        for byte in range(r.address, r.address + r.size):
            behind = passed[-width] + 1 if len(passed) >= width else before + 1
            passed.append(max(came[byte // size - first], passed[-1] if passed else 0, behind))
        before = passed[-1]
        found.append((max(came), [passed[min(end, r.size) - 1] for end in range(r.word, r.size + r.word, r.word)]))
    return found, memory


def _advance(port: RemotePort, limit: float) -> None:
    """Let everything be handed over and told that is known in cycle `limit`."""
    while port.next_cycle <= limit and port.next_cycle < math.inf:
        port.advance(limit)


@given(st.integers(0, (1 << 48) - 1), st.integers(1, (1 << 63) - 1), st.integers(1, 10**15))
def test_a_tick_begins_in_the_cycle_that_exact_fractions_say(tick: int, cycles: int, ticks: int) -> None:
    exact = math.ceil(Fraction(tick) * cycles / ticks)
    if exact < 1 << 62:
        assert first_cycle(tick, cycles, ticks) == exact


@given(*(st.integers(low, high) for low, high in ((1, 200), (1, 90), (1, 40), (-1, 50), (0, 40), (0, 50))))
def test_what_comes_at_once_passes_as_burst_by_burst(
    size_bytes: int, word_bytes: int, width: int, cycle: int, room: int, come: int
) -> None:
    stretch = Stretch(0, size_bytes, size_bytes, word_bytes)
    before = Passage(0, 0, 0, cycle, min(room, width), 0, 0)
    due, again = (np.empty(-(-size_bytes // word_bytes), np.int64) for _ in range(2))
    found = pass_at_once(stretch, before, come, width, due)
    assert found == pass_on(stretch, before, np.array([come]), 1, 1, width, again)
    assert due.tolist() == again.tolist()


@given(st.integers(1000, 10**12), st.integers(0, 10**12), st.integers(0, 10**9))
def test_cycles_and_picoseconds_are_those_of_exact_fractions(clock_hz: int, cycle: int, time_ps: int) -> None:
    engine = Architecture.named("edge", {"engine.clock_hz": clock_hz}).engine
    period_ps = Fraction(10**12, clock_hz)
    assert engine.begin_ps(cycle) == math.ceil(cycle * period_ps)
    assert engine.cycles_of(time_ps) == math.ceil(time_ps / period_ps)


@settings(max_examples=200)
@given(machines(), requests())
def test_words_pass_as_if_every_byte_were_followed(machine: Architecture, asked: list[Request]) -> None:
    """Told run by run, the time passing from request to request as far as it may."""
    words, memory = expected(machine, asked)
    port, told = RemotePort(machine), list[Arrival]()
    for request in asked:
        _advance(port, request.cycle)
        if request.write:
            assert port.write(request.cycle, request.address, request.size) > request.cycle
        else:
            port.read(*request[:4], told.append)
    _advance(port, math.inf)
    for arrival, (come, times) in zip(told, words, strict=True):
        assert arrival.come == come <= times[-1] == arrival.passed
        assert arrival.ready == max(time + len(times) - number for number, time in enumerate(times))
    assert port.read_bytes == sum(r.size for r in asked if not r.write)
    assert port.write_bytes == sum(r.size for r in asked if r.write)
    end = port.finish(0)
    assert port.memory.channels is not None
    assert end >= -(-memory.last_data * machine.device.tck_ps // Fraction(10**12, machine.engine.clock_hz))
    idle = {"refreshes": 0, "precharges": 0}  # time passes on while the last data pass the port
    assert port.memory.channels.counts._replace(**idle) == memory.counts._replace(**idle)


@settings(max_examples=100)
@given(machines(), requests(), st.booleans())
def test_words_are_told_before_they_are_due(machine: Architecture, asked: list[Request], in_every_cycle: bool) -> None:
    """Told word by word, to someone who looks when there may be something, or in every cycle."""
    words = [times for _, times in expected(machine, asked)[0]]
    port, told, waiting, now = RemotePort(machine), list[list[int]](), list(asked), 0

    def passed(number: int, due: NDArray[np.int64]) -> None:
        assert len(due) and (due >= now).all()
        assert all(len(one) == len(all_of) for one, all_of in zip(told[:number], words, strict=False)), "in their order"
        told[number] += due.tolist()

    while waiting or port.next_cycle < math.inf:
        while waiting and waiting[0].cycle == now:
            request = waiting.pop(0)
            if request.write:
                port.write(now, request.address, request.size)
            else:
                told.append([])
                port.read(*request[:4], passed=partial(passed, len(told) - 1))
        _advance(port, now)
        soonest = min(port.next_cycle, waiting[0].cycle if waiting else math.inf)
        if soonest == math.inf:
            break
        assert soonest > now
        now = now + 1 if in_every_cycle else int(soonest)
    assert told == words


@settings(max_examples=100)
@given(st.integers(1, 16), st.sampled_from([1, 3, 8, 32, 64]), st.integers(1, 50), st.integers(0, 20))
def test_a_memory_without_latency_delivers_at_the_width_of_the_port(
    lanes: int, width: int, words: int, cycle: int
) -> None:
    changes = {"engine.lanes": lanes, "dma.bytes_per_cycle": width, "dma.request_cycles": 0}
    port, told = RemotePort(Architecture.named("reneta", changes)), list[Arrival]()
    word_bytes = 2 * lanes
    port.read(cycle, 0, words * word_bytes, word_bytes, told.append)
    assert port.next_cycle <= cycle
    port.advance(cycle)
    ((ready, come, passed),) = told
    last = cycle + -(-words * word_bytes // width) - 1
    assert come == cycle
    assert passed == last
    assert ready == max(last + 1, cycle - 1 + -(-word_bytes // width) + words)


@settings(max_examples=50)
@given(st.integers(0, 20), st.integers(0, 8), st.integers(1, 9))
def test_a_memory_with_a_latency_answers_in_the_first_cycle_that_begins_after_it(
    cycle: int, request_cycles: int, words: int
) -> None:
    """A microsecond is 15.625 cycles of 64 ns; a word is as wide as the port."""
    changes = {"remote.device": "streaming_memory", "engine.clock_hz": 15_625_000, "dma.request_cycles": request_cycles}
    port, told = RemotePort(Architecture.named("edge", changes)), list[Arrival]()
    width = Architecture.named("edge").dma.bytes_per_cycle
    port.read(cycle, 0, words * width, width, told.append)
    _advance(port, math.inf)
    first = cycle + request_cycles + 16
    assert told == [(first + words, first, first + words - 1)]
    assert port.write(cycle, 0, width) == cycle + request_cycles + 16
    assert port.finish(0) == cycle + request_cycles + 16


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 500)), max_size=30), st.sampled_from([1, 8, 64]))
def test_writes_never_pass_faster_than_the_width(requests: list[tuple[int, int]], width: int) -> None:
    port = RemotePort(Architecture.named("edge", {"dma.bytes_per_cycle": width}))
    now, written, ends = 0, 0, [0]
    for gap, size in requests:
        now += gap
        written += size
        ends.append(port.write(now, 0, size))
        assert ends[-1] >= -(-written // width)
        assert ends[-1] > now + 8  # the request's own way
        assert ends[-1] > ends[-2]  # one a cycle
    assert port.last_cycle == max(ends)


def test_posted_writes_come_to_the_memory_in_their_cycle_before_the_requests_of_that_cycle() -> None:
    port = RemotePort(Architecture.named("edge", {"dma.request_cycles": 0}))
    seen: list[tuple[int, str]] = []
    taken: list[int] = []
    read, write = port.memory.read, port.memory.write
    port.memory.read = lambda cycle, *rest: seen.append((cycle, "read")) or read(cycle, *rest)
    port.memory.write = lambda cycle, *rest: seen.append((cycle, "write")) or write(cycle, *rest)
    for cycle in (5, 9, 30):
        port.post(cycle, 0, 16, taken.append)
    port.read(4, 0, 16, 16)
    port.read(9, 0, 16, 16)
    assert seen == [(4, "read"), (5, "write"), (9, "write"), (9, "read")]
    assert len(taken) == 2
    _advance(port, 29)
    assert len(taken) == 2
    port.finish(0)
    assert seen[-1] == (30, "write")
    assert len(taken) == 3
