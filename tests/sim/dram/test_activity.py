"""What banks and buses did against the commands themselves, followed bank by bank from the standards' constraints."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import pairwise
from math import ceil

import numpy as np
from dram_checker import READS, WRITES, Command, as_list
from dram_workloads import Case, cases
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.dram import DramPart
from deltatrain.sim.dram.activity import DramActivity
from deltatrain.sim.dram.controller import DramChannels

Slice = tuple[str, int, int, dict[str, int]]


class Kept:
    def __init__(self) -> None:
        self.slices: dict[str, list[Slice]] = defaultdict(list)

    def __call__(self, track: str, what: str, start_ps: int, end_ps: int, numbers: Mapping[str, int]) -> None:
        self.slices[track].append((what, start_ps, end_ps, dict(numbers)))


def _served(case: Case, watched: DramActivity | None, memory: DramChannels, looks: int) -> None:
    """Hand over the requests in pieces, with looks at the commands between them, and let time pass on a little."""
    cycles, addresses, writes = case.requests
    for piece in np.array_split(np.arange(len(cycles)), looks):
        memory.serve(cycles[piece], addresses[piece], writes[piece])
        if watched is not None and len(piece):
            watched.pass_time(ceil(int(cycles[piece[-1]]) * case.part.tck_ps))
    memory.finish()


def _bank_slices(commands: list[Command], part: DramPart, refresh_cycles: int, end: int) -> list[Slice]:
    """Return what a bank did until cycle `end`, from the commands that it or its rank got."""
    t, data, tck = part.timing, part.burst_length // part.beats_per_clock, part.tck_ps
    found = []
    for at, c in enumerate(commands):
        if c.kind.startswith("REF"):
            found.append(("refresh", c.cycle, c.cycle + refresh_cycles, {}))
        if c.kind != "ACT":
            continue
        closes, until = c.cycle + t.tRAS, end
        for other in commands[at + 1 :]:
            if other.kind in ("PRE", "PREA"):
                until = other.cycle
                break
            assert other.row == c.row
            closes = max(closes, other.cycle + (t.tRTP if other.kind in READS else t.CWL + t.tDQSS + data + t.tWR))
            if other.kind in ("RDA", "WRA"):
                until = closes
                break
        found.append(("row open", c.cycle, until, {"row": c.row}))
    return [(what, ceil(a * tck), ceil(min(b, end) * tck), numbers) for what, a, b, numbers in found if a < min(b, end)]


def _bursts(commands: list[Command], part: DramPart) -> list[tuple[int, str, tuple[int, int, int]]]:
    """Return when data begin, which way they go and from or to which bank, for every read and write of a channel."""
    t = part.timing
    return [
        (c.cycle + t.CL + t.tDQSCK, "read", c[3:6]) if c.kind in READS else (c.cycle + t.CWL + t.tDQSS, "write", c[3:6])
        for c in commands
        if c.kind in READS | WRITES
    ]


@settings(max_examples=80)
@given(cases(), st.integers(1, 5), st.integers(0, 3000))
def test_slices_are_what_the_commands_say(case: Case, looks: int, idle: int) -> None:
    part, controller = case.part, case.controller
    memory = DramChannels(part, controller, record=True)
    _served(case, None, memory, looks)
    end = memory.last_data + idle
    memory.advance(end)
    commands = as_list(memory.take_commands())

    kept, same = Kept(), DramChannels(part, controller, record=True)
    watched = DramActivity(same, kept, look_every_ps=0)
    _served(case, watched, same, looks)
    same.advance(end + 500)  # a memory may be ahead of the run's end
    watched.finish(ceil(end * part.tck_ps))
    pseudo = controller.pseudo_channels
    several = {
        "channel": controller.channels,
        "pseudo channel": pseudo,
        "rank": controller.ranks,
        "group": part.bank_groups,
    }
    for slices in kept.slices.values():
        assert all(one[2] <= other[1] for one, other in pairwise(slices)), "slices of a track overlap"
        assert all(a < b <= ceil(end * part.tck_ps) for _, a, b, _ in slices)

    def name(what: str, *place: int) -> str:
        fields = [f"{field} {n}" for (field, size), n in zip(several.items(), place, strict=False) if size > 1]
        return " ".join([*fields, what])

    t = part.timing
    refresh = {"all_bank": t.tRFC, "per_bank": t.tRFCpb, "same_bank": t.tRFCsb}[controller.refresh] or 0
    expected = dict[str, list[Slice]]()
    active = 0
    for channel, rank in np.ndindex(controller.channels, pseudo * controller.ranks):
        of_rank = []
        for group, bank in np.ndindex(part.bank_groups, part.banks_per_group):
            meant = [(-1, -1), (-1, bank), (group, bank)]
            own = [c for c in commands if c[2:4] == (channel, rank) and c[4:6] in meant]
            if found := _bank_slices(own, part, refresh, end):
                track = name(f"bank {bank}", channel, *divmod(rank, controller.ranks), group)
                expected[track] = found
                of_rank += kept.slices[track]
        until = 0
        for what, start_ps, end_ps, _ in sorted(of_rank, key=lambda s: s[1]):
            if what == "row open" or controller.refresh == "all_bank":
                active += max(0, end_ps - max(start_ps, until))
                until = max(until, end_ps)
    assert {track: found for track, found in kept.slices.items() if "bus" not in track} == expected
    rounded = 0 if isinstance(part.tck_ps, int) else len(commands)  # each slice begins and ends in a whole picosecond
    assert abs(active - memory.active_cycles(end) * part.tck_ps) <= rounded

    moved = Counter[str]()
    for channel, bus in np.ndindex(controller.channels, pseudo):
        bursts = []
        for what, start_ps, end_ps, numbers in kept.slices.get(name("data bus", channel, bus), []):
            moved[what] += numbers["bursts"]
            assert abs(end_ps - start_ps - numbers["bursts"] * part.burst_cycles * part.tck_ps) < 1
            place = bus * controller.ranks + numbers.get("rank", 0), numbers.get("group", 0), numbers["bank"]
            first = start_ps // part.tck_ps
            bursts += [(first + n * part.burst_cycles, what, place) for n in range(numbers["bursts"])]
        own = [c for c in commands if (c.channel, c.rank // controller.ranks) == (channel, bus)]
        assert bursts == _bursts(own, part)
    assert moved == Counter({"read": memory.counts.read_bursts, "write": memory.counts.write_bursts})
