"""The controller: nothing lost, pieces and lock-step as good as all at once, order kept, closed forms of latency."""

from __future__ import annotations

import itertools
from collections import deque

import numpy as np
import pytest
from dram_workloads import Case, cases
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.dram import DramController, DramPart
from deltatrain.accel.dram_parts import DRAM_PARTS
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.dram import words as k
from deltatrain.sim.dram.controller import Commands, DramChannels, Finished
from deltatrain.sim.dram.requests import Requests
from deltatrain.sim.dram.words import COMMANDS


def _usual(name: str, **changes: object) -> tuple[DramPart, DramController]:
    part = DramPart.named(name)
    return part, DramController.from_table({"bus_bits": part.usual_bus_bits, **changes})


def _all_at_once(case: Case) -> tuple[Finished, Commands, DramChannels]:
    memory = DramChannels(case.part, case.controller, record=True)
    served, rest = memory.serve(*case.requests), memory.finish()
    return _together([served, rest]), memory.take_commands(), memory


def _together(parts: list[Finished]) -> Finished:
    fields = [np.concatenate(field) for field in zip(*parts, strict=True)]
    order = np.argsort(fields[0])
    return Finished(*(field[order] for field in fields))


def _by_channel(commands: Commands) -> Commands:
    """Return the commands of the first channel, then those of the second; only within one are they in order."""
    order = np.argsort(commands.channel, kind="stable")
    return Commands(*(field[order] for field in commands))


def _same(one: Finished | Commands, other: Finished | Commands) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@settings(max_examples=100)
@given(cases())
def test_every_request_is_finished_once_and_in_time(case: Case) -> None:
    found, _, memory = _all_at_once(case)
    cycles, _, writes = case.requests
    assert np.array_equal(found.ticket, np.arange(len(cycles)))
    assert np.array_equal(found.write.astype(bool), writes)
    assert (found.accepted >= cycles).all()
    channels = memory.map.places(case.requests.addresses).channel
    for number in range(case.controller.channels):
        accepted = found.accepted[channels == number]
        assert (np.diff(accepted) >= 0).all()
        assert np.bincount(accepted).max(initial=0) <= case.controller.accepts_per_clock
    t, counts = case.part.timing, memory.counts
    short = found.done - found.accepted == 1
    assert short.sum() == counts.forwarded + counts.merged
    least = np.where(writes, t.CWL, t.CL) + case.part.burst_cycles
    assert (found.done - found.accepted >= least)[~short].all()
    assert counts.hits + counts.misses + counts.conflicts == counts.read_bursts + counts.write_bursts
    assert counts.read_bursts + counts.write_bursts + counts.forwarded + counts.merged == len(cycles)
    assert memory.last_data == found.done.max()


@settings(max_examples=60)
@given(cases(200), st.integers(1, 50))
def test_pieces_make_no_difference(case: Case, size: int) -> None:
    whole, commands, _ = _all_at_once(case)
    memory = DramChannels(case.part, case.controller, record=True)
    pieces = [
        memory.serve(*Requests(*(field[at : at + size] for field in case.requests)))
        for at in range(0, len(case.requests.cycles), size)
    ]
    assert _same(_together([*pieces, memory.finish()]), whole)
    assert _same(memory.take_commands(), commands)


def _in_lock_step(case: Case, jump: bool) -> tuple[Finished, Commands]:
    memory = DramChannels(case.part, case.controller, record=True)
    rows = list(enumerate(zip(*(field.tolist() for field in case.requests), strict=True)))
    channels = memory.map.places(case.requests.addresses).channel
    doors = [deque(rows[n] for n in np.flatnonzero(channels == each)) for each in range(case.controller.channels)]
    parts, numbers, now = [], [], 0
    while any(doors):
        now = max(now, min(door[0][1][0] for door in doors if door))
        before = len(numbers)
        for door in doors:
            while door and door[0][1][0] <= now and memory.offer(now, *door[0][1][1:]):
                numbers.append(door.popleft()[0])
        parts.append(memory.advance(now))
        others = [door[0][1][0] for door in doors if door and door[0][1][0] > now]
        later = min([memory.next_event() + 1, *others]) if jump and len(numbers) == before else 0
        now = max(now + 1, later)
    found = _together([*parts, memory.finish()])
    return Finished(np.array(numbers)[found.ticket], *found[1:]), memory.take_commands()


@settings(max_examples=40)
@given(cases(120), st.booleans())
def test_lock_step_makes_no_difference(case: Case, jump: bool) -> None:
    """A user who asks in every cycle finds the same commands as one who waits for events, and as the kernel alone."""
    whole, commands, _ = _all_at_once(case)
    found, stepped = _in_lock_step(case, jump)
    assert _same(_together([found]), whole)
    assert _same(_by_channel(stepped), _by_channel(commands))


def test_what_a_queued_write_answers_is_told_from_what_takes_its_place() -> None:
    """Four writes of a burst and two reads of it, in six cycles, while its row is being opened: one write is made."""
    part, controller = _usual("ddr3_1600")
    memory = DramChannels(part, controller)
    memory.serve(np.zeros(6, np.int64), np.full(6, 640), np.array([True, True, False, True, False, True]))
    memory.finish()
    counts = memory.counts
    assert (counts.merged, counts.forwarded, counts.write_bursts, counts.read_bursts) == (3, 2, 1, 0)


@pytest.mark.parametrize("most", [1, 2, 5, 9])
def test_an_open_row_is_left_after_as_many_younger_requests_as_may_go_first(most: int) -> None:
    """One bank, all rows wanted at once; the count begins anew with every row that is opened."""
    part, controller = _usual("ddr3_1600", most_bypasses=most, address_map="RoBaRaCoCh")
    other_row = part.row_bytes(64) * part.banks
    rows = np.array([0, 1, *[0] * (most + 3), *[1] * (most + 2)])
    memory = DramChannels(part, controller, record=True)
    memory.serve(np.zeros(len(rows), np.int64), rows * other_row + 64 * np.arange(len(rows)), rows < 0)
    memory.finish()
    commands = memory.take_commands()
    served = commands.row[commands.command == k.READ].tolist()
    assert served == [0] * (1 + most) + [1] * (1 + most) + [0] * 3 + [1] * 2


def test_a_write_that_has_left_the_queue_answers_no_read() -> None:
    """A full queue of reads, a write that goes first, and a read of what it wrote, which comes sooner or later."""
    part, controller = _usual("ddr3_1600", read_queue=1, write_queue=2, write_high=1, write_low=0)
    other, accepted = part.row_bytes(64) * 3, set()
    for cycle in range(2, 120):
        asked = Requests(np.array([0, 1, cycle]), np.array([0, other, other]), np.array([False, True, False]))
        case = Case(part, controller, asked)
        found, _, _ = _all_at_once(case)
        assert _same(found, _in_lock_step(case, False)[0])
        accepted.add(int(found.accepted[2]) - cycle)
    assert 0 in accepted and max(accepted) > 0  # answered at once, and kept waiting


@settings(max_examples=20)
@given(cases(150))
def test_recording_and_a_full_log_make_no_difference(case: Case) -> None:
    whole, commands, _ = _all_at_once(case)
    silent = DramChannels(case.part, case.controller)
    assert _same(_together([silent.serve(*case.requests), silent.finish()]), whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deltatrain.sim.dram.controller._MOST_COMMANDS", 3)
        small = DramChannels(case.part, case.controller, record=True)
        assert _same(_together([small.serve(*case.requests), small.finish()]), whole)
    assert _same(small.take_commands(), commands)


@settings(max_examples=60)
@given(cases(200))
def test_a_read_never_passes_a_write_of_its_burst_or_the_other_way_round(case: Case) -> None:
    """Replay the column commands on a memory of numbers: every read must find the write before it."""
    memory = DramChannels(case.part, case.controller, record=True)
    served = [memory.serve(*case.requests), memory.finish()]
    found, commands = _together(served), memory.take_commands()
    bursts = case.requests.addresses // memory.map.burst_bytes
    names = np.array(COMMANDS)[commands.command]
    columns = np.isin(names, ["RD", "RDA", "WR", "WRA"])
    t, part = case.part.timing, case.part
    issued = {}
    latency = np.where(found.write == 1, t.CWL + t.tDQSS, t.CL + t.tDQSCK) + part.burst_cycles
    for n in np.flatnonzero(found.done - found.accepted > 1):
        issued[int(n)] = int(found.done[n] - latency[n])
    assert len(issued) == columns.sum()
    for burst in np.unique(bursts):
        numbers = [int(n) for n in np.flatnonzero(bursts == burst)]
        order = [issued[n] for n in numbers if n in issued]
        kinds = [int(found.write[n]) for n in numbers if n in issued]
        for (a, ka), (b, kb) in itertools.pairwise(zip(order, kinds, strict=True)):
            assert a < b or (ka == kb == 0), "a write and another request of its burst change places"


@pytest.mark.parametrize("name", DRAM_PARTS.names())
def test_the_first_read_of_an_idle_memory_takes_activate_and_read_latency(name: str) -> None:
    part, controller = _usual(name)
    memory = DramChannels(part, controller)
    memory.serve(np.array([0]), np.array([0]), np.array([False]))
    t = part.timing
    assert memory.finish().done.tolist() == [t.tRCDRD + t.CL + t.tDQSCK + part.burst_cycles]


def _done_of_two(memory: DramChannels, cycles: tuple[int, int], addresses: tuple[int, int], writes: tuple[bool, bool]):
    """Return when the data of two bursts have passed the bus, of which the second is offered once the first is out."""
    parts = [memory.serve(*(np.array([field[n]]) for field in (cycles, addresses, writes))) for n in range(2)]
    return _together([*parts, memory.finish()]).done[-2:].tolist()


@pytest.mark.parametrize("name", DRAM_PARTS.names())
def test_between_bursts_of_two_ways_the_bus_rests_as_the_standard_asks(name: str) -> None:
    """In one open row: tRTW from read to write data; tWTR from write data to a read, and then its latency."""
    part, controller = _usual(name)
    t, burst = part.timing, part.burst_cycles
    next_column = part.burst_bytes(controller.bus_bits) * part.bank_groups
    read, written = _done_of_two(DramChannels(part, controller), (0, 0), (0, next_column), (False, True))
    assert written - read == t.tRTW + t.tDQSS + burst
    latency = t.tRCDWR + t.CWL + t.tDQSS + burst
    written, read = _done_of_two(DramChannels(part, controller), (0, t.tRCDWR + 1), (0, next_column), (True, False))
    assert written == latency
    assert read - written == t.tWTR_L + t.CL + t.tDQSCK + burst


@pytest.mark.parametrize("name", [name for name in DRAM_PARTS.names() if DramPart.named(name).timing.tRTRS])
@pytest.mark.parametrize("write", [False, True])
def test_between_bursts_of_two_ranks_the_bus_rests_as_the_standard_asks(name: str, write: bool) -> None:
    part, controller = _usual(name, ranks=2, write_high=1)
    other_rank = part.row_bytes(controller.bus_bits) * part.bank_groups
    first, second = _done_of_two(DramChannels(part, controller), (0, 0), (0, other_rank), (write, write))
    assert second - first == part.burst_cycles + (part.timing.tRTRS or 0)


@pytest.mark.parametrize("name", DRAM_PARTS.names())
def test_a_window_holds_four_activates(name: str) -> None:
    """Five banks, of other groups as far as there are: four follow each other by tRRD, the fifth keeps to tFAW."""
    part, controller = _usual(name)
    burst, groups = part.burst_bytes(controller.bus_bits), part.bank_groups
    other_bank = part.row_bytes(controller.bus_bits) * groups
    addresses = np.array([n % groups * burst + n // groups * other_bank for n in range(5)])
    memory = DramChannels(part, controller, record=True)
    memory.serve(np.zeros(5, np.int64), addresses, addresses < 0)
    memory.finish()
    commands = memory.take_commands()
    opened = commands.cycle[commands.command == k.ACTIVATE]
    assert (np.diff(opened[:4]) == part.timing.tRRD_S).all()
    late = opened[4] - opened[0] - max(part.timing.tFAW, 4 * part.timing.tRRD_S)
    assert 0 <= late <= (not part.row_bus)  # a column may need the command bus just then


@pytest.mark.parametrize("offset", range(4))
def test_a_refresh_goes_before_what_is_ready_in_the_same_cycle(offset: int) -> None:
    """Reads of the other rank every four cycles, one of four ways just when the first refresh is due."""
    part, controller = _usual("ddr3_1600", ranks=2, address_map="RoBaRaCoCh")
    due = part.timing.tREFI // 2
    memory = DramChannels(part, controller, record=True)
    addresses = part.row_bytes(64) + 64 * np.arange(60)
    memory.serve(np.full(60, due - 100 + offset), addresses, addresses < 0)
    memory.finish()
    commands = memory.take_commands()
    assert commands.cycle[commands.command == k.REFRESH][0] == due
    assert (commands.command == k.READ).sum() == 60


def test_a_row_conflict_costs_precharge_activate_and_read() -> None:
    part, controller = _usual("ddr4_2400", address_map="RoBaRaCoCh")
    memory = DramChannels(part, controller)
    far = part.row_bytes(64) * part.banks
    memory.serve(np.array([0, 1000]), np.array([0, far]), np.array([False, False]))
    done = memory.finish().done
    t = part.timing
    assert done[-1] == 1000 + t.tRP + t.tRCDRD + t.CL + part.burst_cycles
    assert memory.counts[:3] == (0, 1, 1)


def test_closed_rows_spare_conflicts_and_open_rows_give_hits() -> None:
    far = DramPart.named("ddr4_2400").row_bytes(64) * 16
    for policy, rows in (("closed", (0, 3, 0)), ("open", (1, 1, 1))):
        part, controller = _usual("ddr4_2400", row_policy=policy)
        memory = DramChannels(part, controller)
        memory.serve(np.array([0, 1000, 2000]), np.array([0, 0, far]), np.zeros(3, bool))
        memory.finish()
        assert memory.counts[:3] == rows


def test_a_stream_of_hits_does_not_starve_a_conflict() -> None:
    """One read of another row, then hits for ever: it is served after most_bypasses of them at the latest."""
    part, _ = _usual("ddr3_1600")
    far, count = part.row_bytes(64) * part.banks, 600
    addresses = np.concatenate([[0, far], np.arange(2, count) % 128 * 64])
    waits = []
    for most in (1, 8, 32):
        part, controller = _usual("ddr3_1600", most_bypasses=most)
        memory = DramChannels(part, controller)
        found = _together([memory.serve(np.zeros(count, np.int64), addresses, np.zeros(count, bool)), memory.finish()])
        waits.append(int(found.done[1] - found.accepted[1]))
        assert waits[-1] <= (most + 2) * part.timing.tCCD_L + 2 * part.timing.tRC
    assert waits == sorted(waits)


def test_ranks_refresh_one_after_the_other_and_as_often_as_they_must() -> None:
    part, controller = _usual("ddr4_3200", ranks=4)
    memory = DramChannels(part, controller, record=True)
    memory.advance(10 * part.timing.tREFI + 1000)
    commands = memory.take_commands()
    assert set(np.array(COMMANDS)[commands.command]) == {"REF"}
    assert np.bincount(commands.rank).tolist() == [10] * 4
    assert (np.diff(commands.cycle) > part.timing.tRFC).all()


def test_refreshes_that_wait_do_not_put_off_those_behind_them() -> None:
    """A row is open whenever one is due, and is closed first; thirty later each still comes when it is due."""
    part, controller = _usual("ddr3_1600")
    interval, memory = part.timing.tREFI, DramChannels(part, controller, record=True)
    memory.serve(np.arange(0, 30 * interval, 300), np.zeros(30 * interval // 300, np.int64), np.zeros(624, bool))
    memory.advance(31 * interval)
    commands = memory.take_commands()
    late = commands.cycle[commands.command == k.REFRESH][:30] - interval * np.arange(1, 31)
    assert (late >= 0).all() and (late <= part.timing.tRAS + part.timing.tRP).all() and late.max() > 0


def test_time_does_not_go_back() -> None:
    part, controller = _usual("ddr3_1600", channels=2)
    memory = DramChannels(part, controller)
    memory.advance(5000)
    memory.serve(np.array([0]), np.array([0]), np.array([False]))
    assert not memory.offer(100, 128, False)  # counts as of cycle 5000, in which its channel has had its request
    assert memory.offer(100, 64, False)  # the other channel has not
    assert memory.offer(5001, 128, False)
    assert sorted(memory.finish().accepted.tolist()) == [5000, 5000, 5001]


def test_an_idle_memory_passes_time_without_work_for_every_cycle() -> None:
    part, controller = _usual("ddr3_1600")
    memory = DramChannels(part, controller)
    assert memory.next_event() == part.timing.tREFI
    memory.advance(10**9)
    assert memory.counts.refreshes == 10**9 // part.timing.tREFI


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bus_bits": 20}, "bus_bits must be a multiple of the part's 8 bits, not 20"),
        ({"refresh": "per_bank"}, "DDR3-1600, 4 Gb, x8 has no per-bank refresh that the sources describe"),
        ({"refresh": "same_bank"}, "DDR3-1600, 4 Gb, x8 has no same-bank refresh that the sources describe"),
        ({"pseudo_channels": 2}, "pseudo_channels must be at most 1, which DDR3-1600, 4 Gb, x8 has, not 2"),
        ({"address_map": "RoBaRaCo"}, "address_map must name Ro, Ba, Ra, Co and Ch once"),
        ({"address_map": "RoRoRaCoCh"}, "address_map must name"),
        ({"write_low": 40}, "write_low < write_high <= write_queue"),
        ({"ranks": 0}, "ranks must be a positive integer, not 0"),
    ],
)
def test_what_cannot_be_built_is_said_in_one_line(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=r"^[^\n]+$") as error:
        part, controller = _usual("ddr3_1600", **changes)
        DramChannels(part, controller)
    assert said in str(error.value)


def test_an_address_beyond_the_memory_is_refused() -> None:
    memory = DramChannels(*_usual("ddr3_1600"))
    with pytest.raises(ConfigError, match="0x100000000 lies beyond the memory's 0x100000000 bytes"):
        memory.serve(np.array([0]), np.array([1 << 32]), np.array([False]))


def test_what_is_finished_waits_for_whoever_asks() -> None:
    """More requests than the kernel has room for finished ones, offered one by one before anything is taken out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deltatrain.sim.dram.controller._MOST_REQUESTS", 4)
        memory = DramChannels(*_usual("ddr3_1600"))
        for n in range(1000):
            assert memory.offer(40 * n, 64 * n, False)
        found = memory.finish()
    assert np.array_equal(np.sort(found.ticket), np.arange(1000))
