"""The port's closed forms against bytes that pass it one after the other."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from accel.architecture import Architecture
from sim.columns import _after
from sim.memory.dram import Dram, Piece
from sim.memory.port import RemotePort

CLOCKS = st.sampled_from([100_000_000, 125_000_000, 500_000_000, 1_000_000_000])
WIDTHS = st.sampled_from([1, 2, 3, 4, 8, 12, 16, 32, 64])


def _machine(lanes: int, clock_hz: int, width: int, preset: str = "edge", request_cycles: int = 8) -> Architecture:
    changes = {
        "engine.lanes": lanes,
        "engine.clock_hz": clock_hz,
        "dma.bytes_per_cycle": width,
        "dma.request_cycles": request_cycles,
    }
    return Architecture.named(preset, changes)


def passed(pieces: list[Piece], period_ps: int, width: int) -> list[int]:
    """Return the cycle in which each byte passes: it has come with its burst, and `width` pass in a cycle, in order."""
    found: list[int] = []
    for piece in pieces:
        at, left, room = piece.first_ps, piece.bytes, piece.step_bytes - piece.lead_bytes
        while left:
            for _ in range(min(left, room)):
                came = -(-at // period_ps)
                before = found[-1] if found else 0
                behind = found[-width] + 1 if len(found) >= width else 0
                found.append(max(came, before, behind))
            left -= min(left, room)
            at, room = at + piece.step_ps, piece.step_bytes
    return found


def _taken(words: list[int], free: int) -> int:
    for word in words:
        free = max(free, word) + 1
    return free


@settings(max_examples=400, deadline=None)
@given(
    st.integers(1, 16),
    CLOCKS,
    WIDTHS,
    st.sampled_from([2, 4]),
    st.integers(1, 80),
    st.integers(0, 800),
    st.integers(0, 90),
)
def test_lanes_finish_as_if_every_byte_were_followed(
    lanes: int, clock_hz: int, width: int, value_bytes: int, words: int, start: int, free: int
) -> None:
    """The closed form evens the pace of bursts out, which is right to within what one burst and one word can hide.

    It is late by at most the cycles of one word at the port, because a piece starts with its first whole word, and one
    more for the rounding of a burst to cycles. It is early by at most the time between two bursts, when the first burst
    brings few bytes. Both hold for each piece.
    """
    machine = _machine(lanes, clock_hz, width)
    word_bytes, period = lanes * value_bytes, machine.engine.period_ps
    address, size = start * word_bytes, words * word_bytes
    arrivals = RemotePort(machine).read(0, address, size, word_bytes)
    pieces = Dram(machine.device, 16).access(8 * period, address, size, write=False)
    truth = _taken(passed(pieces, period, width)[word_bytes - 1 :: word_bytes], free)
    late = _after(arrivals, free) - truth
    assert late >= -len(pieces) * -(-pieces[0].step_ps // period)
    assert late <= len(pieces) * ((word_bytes - 1) // width + 1)
    assert sum(words for words, _, _ in arrivals) == words


@settings(max_examples=200, deadline=None)
@given(
    CLOCKS,
    st.sampled_from([1, 2, 4, 8, 16, 32, 64]),
    st.sampled_from([1, 2, 4, 8]),
    st.integers(1, 100),
    st.integers(0, 90),
)
def test_whole_bursts_of_whole_words_are_followed_exactly(
    clock_hz: int, width: int, lanes: int, words: int, free: int
) -> None:
    machine = _machine(lanes, clock_hz, width)
    period, word_bytes = machine.engine.period_ps, 2 * lanes
    arrivals = RemotePort(machine).read(0, 0, words * word_bytes, word_bytes)
    pieces = Dram(machine.device, 16).access(8 * period, 0, words * word_bytes, write=False)
    truth = _taken(passed(pieces, period, width)[word_bytes - 1 :: word_bytes], free)
    assert _after(arrivals, free) == truth


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 16), WIDTHS, st.integers(1, 50), st.integers(0, 20))
def test_a_memory_without_latency_delivers_at_the_width_of_the_port(
    lanes: int, width: int, words: int, cycle: int
) -> None:
    port = RemotePort(_machine(lanes, 100_000_000, width, "reneta", request_cycles=0))
    word_bytes = 2 * lanes
    ((count, first, last),) = port.read(cycle, 0, words * word_bytes, word_bytes)
    assert count == words
    assert first == cycle + -(-word_bytes // width) - 1
    assert _after([(count, first, last)], 0) == max(cycle + -(-words * word_bytes // width), first + words)


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 200))
def test_words_at_an_even_pace_keep_the_lanes_waiting_most_at_an_end(first: int, more: int, words: int) -> None:
    last, free = first + more, 40
    times = [first + -(-n * more // max(1, words - 1)) for n in range(words)]
    times[-1] = last
    assert _after([(words, first, last)], free) == _taken(times, free)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 500), st.booleans()), max_size=30), WIDTHS)
def test_bytes_each_way_never_pass_faster_than_the_width(requests: list[tuple[int, int, bool]], width: int) -> None:
    port = RemotePort(_machine(8, 125_000_000, width))
    now, read, written, ends = 0, 0, 0, [0]
    for gap, size, write in requests:
        now += gap
        if write:
            written += size
            ends.append(port.write(now, 0, size))
            assert ends[-1] >= -(-written // width)
            assert ends[-1] > now + 8  # the request's own way
        else:
            read += size
            last = port.read(now, 0, size, size)[-1].last
            assert last + 1 >= -(-read // width)
    assert (port.read_bytes, port.write_bytes) == (read, written)
    assert port.last_cycle == max(ends)


def test_posted_writes_come_to_the_memory_in_their_cycle_before_the_requests_of_that_cycle() -> None:
    port = RemotePort(_machine(8, 125_000_000, 16, request_cycles=0))
    seen: list[tuple[int, bool]] = []
    access = port.memory.access

    def listening(now_ps: int, address: int, size_bytes: int, write: bool) -> list[Piece]:
        seen.append((now_ps // 8000, write))
        return access(now_ps, address, size_bytes, write)

    port.memory.access = listening
    port.post(5, 0, 16)
    port.post(9, 0, 16)
    port.post(30, 0, 16)
    port.read(4, 0, 16, 16)
    port.read(9, 0, 16, 16)
    assert seen == [(4, False), (5, True), (9, True), (9, False)]
    assert len(port.take_completions()) == 2
    assert port.next_post == 30
    port.finish()
    assert seen[-1] == (30, True)
