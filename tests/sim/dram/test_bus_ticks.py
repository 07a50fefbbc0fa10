"""Why the data bus rests: once more from what was asked when and which commands were issued, clock by clock."""

from __future__ import annotations

from collections import Counter

import numpy as np
from dram_workloads import Case, cases
from hypothesis import given, settings

from deltatrain.accel.dram import DramController, DramPart
from deltatrain.sim.dram.controller import BusTicks, DramChannels
from deltatrain.sim.dram.rules import Rules
from deltatrain.sim.dram.words import COMMANDS, NEVER


def _clock_by_clock(case: Case, memory: DramChannels, finished: np.ndarray, end: int) -> Counter[str]:
    """Return what the data buses of the only channel did in each clock before `end`."""
    kept = sorted(zip(*(field.tolist() for field in memory.take_commands()), strict=True))
    places = memory.map.places(case.requests.addresses % memory.map.capacity_bytes)
    bus = places.rank[finished[0]] // case.controller.ranks
    found = Counter[str]()
    for number in range(case.controller.pseudo_channels):
        own = [command for command in kept if command[3] // case.controller.ranks == number]
        found += _of_one_bus(case, memory.rules, own, finished[:, bus == number], end)
    return found


def _of_one_bus(
    case: Case, rules: Rules, commands: list[tuple[int, ...]], finished: np.ndarray, end: int
) -> Counter[str]:
    burst, found, ranks = case.part.burst_cycles, Counter[str](), case.controller.ranks
    bus_wrote, free_from, fresh = False, 0, set[tuple[int, ...]]()
    refreshed: dict[tuple[int, ...], tuple[int, int]] = {}
    refreshes = Counter[int]()
    queued = _queued(finished, rules)
    for at, kind, _, rank, group, bank, _ in commands:
        name, here = COMMANDS[kind], (rank, group, bank)
        if name == "ACT":
            fresh.add(here)
        elif name.startswith("REF"):
            due = rules.refresh_interval * (rank % ranks + 1) // ranks + refreshes[rank] * rules.refresh_interval
            refreshes[rank] += 1
            groups = range(case.part.bank_groups)
            places = {"REF": [(rank,)], "REFpb": [here], "REFsb": [(rank, each, bank) for each in groups]}[name]
            refreshed |= dict.fromkeys(places, (due, at + rules.refresh))
        elif name.startswith(("RD", "WR")):
            write = name.startswith("WR")
            begin = at + (rules.write_latency if write else rules.read_latency) - burst
            due, over = refreshed.get(here, refreshed.get((rank,), (NEVER, 0)))
            since = max(start for start, stop in queued if start <= at <= stop)
            for clock in range(free_from, begin):
                asked = clock - (begin - at)  # when the command had to be issued for data in this clock
                if asked < since:
                    found["idle"] += 1
                elif due <= asked < over:
                    found["refresh"] += 1
                else:
                    found["row" if here in fresh else "turn" if write != bus_wrote else "column"] += 1
            fresh.discard(here)
            found["write" if write else "read"] += burst
            free_from, bus_wrote = begin + burst, write
    found["idle"] += end - free_from
    return found


def _queued(finished: np.ndarray, rules: Rules) -> list[tuple[int, int]]:
    """Return from when until when, both included, anything was queued; what a queued write answers never was."""
    accepted, done, write = finished[1], finished[2], finished[3]
    latency = np.where(write == 1, rules.write_latency, rules.read_latency)
    own = sorted((a, d - n) for a, d, n in zip(accepted, done, latency, strict=True) if d - a > 1)
    merged: list[tuple[int, int]] = []
    for start, stop in own:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return merged


@settings(max_examples=150)
@given(cases(200))
def test_every_clock_of_the_bus_is_told_once_and_why(case: Case) -> None:
    case = case._replace(controller=case.controller.model_copy(update={"channels": 1}))
    memory = DramChannels(case.part, case.controller, record=True)
    capacity = memory.map.capacity_bytes
    requests = case.requests._replace(addresses=case.requests.addresses % capacity)
    parts = [memory.serve(*requests), memory.finish()]
    finished = np.concatenate([np.array(part) for part in parts], axis=1)
    end = memory.last_data
    ticks = memory.bus_ticks(end)
    assert sum(ticks) == end * case.controller.pseudo_channels and min(ticks) >= 0
    assert Counter(ticks._asdict()) == _clock_by_clock(case, memory, finished, end)


def test_what_each_pattern_waits_for() -> None:
    """A stream waits for nothing but refresh, jumps for rows, both ways at once for turns; a lone read idles."""
    part = DramPart.named("ddr3_1600")
    controller = DramController.from_table({"bus_bits": part.usual_bus_bits, "address_map": "RoBaRaCoCh"})
    size, count = part.burst_length * part.usual_bus_bits // 8, 4000

    def ticks(addresses: np.ndarray, writes: np.ndarray, cycles: np.ndarray) -> BusTicks:
        memory = DramChannels(part, controller)
        memory.serve(cycles, addresses, writes)
        memory.finish()
        return memory.bus_ticks(memory.last_data)

    at_once, far = np.zeros(count, np.int64), part.row_bytes(part.usual_bus_bits) * part.banks
    reads = np.zeros(count, bool)
    stream = ticks(np.arange(count) * size, reads, at_once)
    assert stream.read > 0.95 * sum(stream) and stream.turn == stream.column == 0
    jumps = ticks(np.arange(count) % 50 * far, reads, at_once)
    assert max(jumps[2:]) == jumps.row > 0.8 * sum(jumps)
    both = ticks(np.arange(count) * size, np.arange(count) % 2 == 0, at_once)
    assert max(both[2:]) == both.turn
    lone = ticks(np.arange(count) * size, reads, np.arange(count) * 1000)
    assert lone.idle > 0.95 * sum(lone)
