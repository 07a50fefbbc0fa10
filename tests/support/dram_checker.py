"""A checker of DRAM command streams, written from the standards' tables and not from the controller.

Every constraint is a line (commands before, commands after, where both must be, clocks at least) over the values of a
part. A second part follows the state of each bank: rows open when they should be, refreshes of closed banks, on time.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import NamedTuple

from deltatrain.accel.dram import DramController, DramPart
from deltatrain.sim.dram.controller import Commands
from deltatrain.sim.dram.words import COMMANDS

READS, WRITES = {"RD", "RDA"}, {"WR", "WRA"}
ROW_COMMANDS = {"ACT", "PRE", "PREA", "REF", "REFpb", "REFsb"}


class Command(NamedTuple):
    cycle: int
    kind: str
    channel: int
    rank: int
    group: int
    bank: int
    row: int


class Rule(NamedTuple):
    """`where` is what the commands share: bank, group, bank of any group (its number), rank, or only the data bus."""

    before: set[str]
    after: set[str]
    where: str
    clocks: int


def as_list(commands: Commands) -> list[Command]:
    """Return the commands of all channels by time."""
    rows = zip(*(field.tolist() for field in commands), strict=True)
    return sorted((Command(c, COMMANDS[k], *rest) for c, k, *rest in rows), key=lambda c: (c.cycle, c.channel))


def rules(part: DramPart) -> list[Rule]:
    """JESD79-3 section 4, JESD79-4 section 4, JESD209-4 table of core timings, JESD235: one line a constraint."""
    t, data = part.timing, part.burst_length // part.beats_per_clock
    read_data, write_data = t.CL + t.tDQSCK, t.CWL + t.tDQSS
    gap = t.tRTRS or 0
    found = [
        Rule({"ACT"}, {"ACT"}, "bank", t.tRC),
        Rule({"ACT"}, READS, "bank", t.tRCDRD),
        Rule({"ACT"}, WRITES, "bank", t.tRCDWR),
        Rule({"ACT"}, {"PRE"}, "bank", t.tRAS),
        Rule({"ACT"}, {"PREA"}, "rank", t.tRAS),
        Rule({"ACT"}, {"REF"}, "rank", t.tRC),
        Rule({"ACT"}, {"ACT"}, "group", t.tRRD_L),
        Rule({"ACT"}, {"ACT"}, "rank", t.tRRD_S),
        Rule(READS, {"PRE"}, "bank", t.tRTP),
        Rule(READS, {"PREA"}, "rank", t.tRTP),
        Rule(WRITES, {"PRE"}, "bank", write_data + data + t.tWR),
        Rule(WRITES, {"PREA"}, "rank", write_data + data + t.tWR),
        Rule({"PRE"}, {"ACT", "REFpb"}, "bank", t.tRP),
        Rule({"PRE"}, {"REF"}, "rank", t.tRP),
        Rule({"PREA"}, {"ACT", "REF"}, "rank", t.tRPab),
        Rule({"PRE"}, {"PRE", "PREA"}, "rank", t.tPPD),
        Rule(READS, READS, "group", max(t.tCCD_L, data)),
        Rule(READS, READS, "rank", max(t.tCCD_S, data)),
        Rule(WRITES, WRITES, "group", max(t.tCCD_L if t.tCCD_L_WR is None else t.tCCD_L_WR, data)),
        Rule(WRITES, WRITES, "rank", max(t.tCCD_S, data)),
        Rule(WRITES, READS, "group", write_data + data + t.tWTR_L),
        Rule(WRITES, READS, "rank", write_data + data + t.tWTR_S),
        Rule(READS, WRITES, "rank", read_data + data + t.tRTW - t.CWL),
        Rule(READS, READS, "other rank", data + gap),
        Rule(WRITES, WRITES, "other rank", data + gap),
        Rule(READS, WRITES, "other rank", read_data + data + max(gap, t.tRTW) - t.CWL),
        Rule(WRITES, READS, "other rank", write_data + data + gap - t.CL),
        Rule({"REF"}, {"ACT", "PRE", "PREA", "REF"}, "rank", t.tRFC),
    ]
    if t.tRFCpb is not None and t.tRREFD is not None:
        found += [
            Rule({"REFpb"}, {"ACT", "REFpb"}, "bank", t.tRFCpb),
            Rule({"REFpb"}, {"REFpb"}, "rank", t.tRFCpb),
            Rule({"REFpb"}, {"ACT"}, "rank", t.tRREFD),
            Rule({"ACT"}, {"REFpb"}, "rank", t.tRRD_S),
            Rule({"ACT"}, {"REFpb"}, "group", t.tRRD_L),
            Rule({"ACT"}, {"REFpb"}, "bank", t.tRC),
        ]
    if t.tRFCsb is not None and t.tREFSBRD is not None:
        found += [
            Rule({"REFsb"}, {"ACT"}, "bank of any group", t.tRFCsb),
            Rule({"REFsb"}, {"REFsb"}, "rank", t.tRFCsb),
            Rule({"REFsb"}, {"ACT"}, "rank", t.tREFSBRD),
            Rule({"PRE"}, {"REFsb"}, "bank of any group", t.tRP),
            Rule({"ACT"}, {"REFsb"}, "bank of any group", t.tRC),
            Rule({"ACT"}, {"REFsb"}, "rank", t.tRRD_L),  # a bank of the activate's group is refreshed, too
        ]
    return found


def check(commands: list[Command], part: DramPart, controller: DramController) -> None:
    """Raise an AssertionError that names the commands and the constraint if any is violated."""
    for channel in range(controller.channels):
        own = [c for c in commands if c.channel == channel]
        _check_command_buses(own, part)
        for pseudo_channel in range(controller.pseudo_channels):
            same_bus = [c for c in own if c.rank // controller.ranks == pseudo_channel]
            _check_distances(same_bus, rules(part))
            _check_data_bus(same_bus, part)
        for rank in range(controller.pseudo_channels * controller.ranks):
            ranks_own = [c for c in own if c.rank == rank]
            _check_window(ranks_own, part.timing.tFAW)
            _check_rows(ranks_own, part)
            _check_refresh(ranks_own, part, controller, rank)


def _check_command_buses(commands: list[Command], part: DramPart) -> None:
    """Check that no two commands are on a command bus at once: all on one, or row commands on one of their own."""
    for on_row_bus in (False, True):
        own = sorted((c.cycle, c) for c in commands if (part.row_bus and c.kind in ROW_COMMANDS) == on_row_bus)
        for (start, one), (then, other) in itertools.pairwise(own):
            column = one.kind in READS | WRITES
            clocks = part.activate_clocks if one.kind == "ACT" else part.column_clocks if column else 1
            assert then - start >= clocks, f"{one} and {other} collide on the command bus"


def _check_distances(commands: list[Command], table: list[Rule]) -> None:
    pairs = defaultdict(list)
    for rule in table:
        for after in rule.after:
            pairs[after] += [(kind, rule.where, rule.clocks) for kind in rule.before]
    last: dict[tuple[str, tuple[int, ...]], Command] = {}
    ranks = {c.rank for c in commands}
    for c in commands:
        places = {
            "bank": (c.rank, c.group, c.bank),
            "bank of any group": (c.rank, -1, c.bank),
            "group": (c.rank, c.group),
            "rank": (c.rank,),
        }
        for kind, where, clocks in pairs[c.kind]:
            for place in [(r,) for r in ranks if r != c.rank] if where == "other rank" else [places[where]]:
                b = last.get((kind, place))
                if b is not None and c.cycle - b.cycle < clocks:
                    raise AssertionError(f"{b} then {c}: {where} needs {clocks} clocks")
        for place in places.values():
            last[c.kind, place] = c


def _check_data_bus(commands: list[Command], part: DramPart) -> None:
    """Check that no two bursts are on the bus at once."""
    t = part.timing
    bursts = sorted(
        (c.cycle + (t.CL + t.tDQSCK if c.kind in READS else t.CWL + t.tDQSS), c)
        for c in commands
        if c.kind in READS | WRITES
    )
    for (start, one), (then, other) in itertools.pairwise(bursts):
        assert then - start >= part.burst_length // part.beats_per_clock, f"{one} and {other} collide on the data bus"


def _check_window(commands: list[Command], window: int) -> None:
    activates = [c for c in commands if c.kind == "ACT"]
    for first, fifth in zip(activates, activates[4:], strict=False):
        assert fifth.cycle - first.cycle >= window, f"five activates within tFAW: {first} to {fifth}"


class _Bank:
    def __init__(self) -> None:
        self.row: int | None = None
        self.closes = -(10**9)  # when a precharge can begin at the earliest
        self.recovered = -(10**9)  # when the last write is recovered
        self.closed = -(10**9)  # when the last precharge, of its own or by command, began


def _check_rows(commands: list[Command], part: DramPart) -> None:
    """Follow every bank: columns need their row open, activates and refreshes a bank that is closed, and precharged."""
    t, data = part.timing, part.burst_length // part.beats_per_clock
    banks: dict[tuple[int, int], _Bank] = defaultdict(_Bank)
    for c in commands:
        b = banks[c.group, c.bank]
        if c.kind == "ACT":
            assert b.row is None, f"{c}: row {b.row} is open"
            assert c.cycle >= b.closed + t.tRP, f"{c}: tRP after a precharge"
            b.row, b.closes = c.row, c.cycle + t.tRAS
        elif c.kind in READS | WRITES:
            assert b.row == c.row, f"{c}: row {b.row} is open"
            assert c.kind != "RDA" or b.recovered <= c.cycle + t.tRTP, f"{c}: a write is not recovered"
            if c.kind in WRITES:
                b.recovered = c.cycle + t.CWL + t.tDQSS + data + t.tWR
            b.closes = max(b.closes, b.recovered, c.cycle + t.tRTP if c.kind in READS else 0)
            if c.kind.endswith("A"):
                b.row, b.closed = None, b.closes
        elif c.kind == "PRE":
            assert c.cycle >= b.closes
            b.row, b.closed = None, c.cycle
        elif c.kind == "PREA":
            for each in banks.values():
                assert each.row is None or c.cycle >= each.closes
                each.closed = c.cycle if each.row is not None else each.closed
                each.row = None
        else:
            same = [each for (_, bank), each in banks.items() if bank == c.bank]
            for each in {"REFpb": [b], "REFsb": same, "REF": list(banks.values())}[c.kind]:
                assert each.row is None, f"{c}: row {each.row} is open"
                assert c.cycle >= each.closed + t.tRP, f"{c}: tRP after a precharge"


def _check_refresh(commands: list[Command], part: DramPart, controller: DramController, rank: int) -> None:
    """Check that refreshes come when due, never before, at most eight late, and each bank once in a round."""
    t = part.timing
    kind, interval, turns = {
        "all_bank": ("REF", t.tREFI, 1),
        "per_bank": ("REFpb", t.tREFIpb, part.bank_groups * part.banks_per_group),
        "same_bank": ("REFsb", t.tREFIsb, part.banks_per_group),
    }[controller.refresh]
    assert interval is not None
    assert not any(c.kind.startswith("REF") and c.kind != kind for c in commands)
    found = [c for c in commands if c.kind == kind]
    first = interval * (rank % controller.ranks + 1) // controller.ranks
    for number, c in enumerate(found):
        assert 0 <= c.cycle - (first + number * interval) <= 8 * interval, f"{c}: refresh {number} is not on time"
    if commands:
        assert len(found) >= (commands[-1].cycle - first) // interval - 8
    for start in range(0, len(found), turns):
        turn = [(c.group, c.bank) for c in found[start : start + turns]]
        assert len(turn) == len(set(turn)), "a bank is refreshed twice before another had its turn"
