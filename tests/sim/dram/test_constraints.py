"""No constraint is ever violated: emitted commands of random workloads against a checker written separately."""

from __future__ import annotations

import numpy as np
import pytest
from dram_checker import as_list, check
from dram_workloads import SAME_BANK, Case, cases
from hypothesis import given, settings

from deltatrain.accel.dram import DramController, DramPart, RowPolicy
from deltatrain.accel.dram_parts import DRAM_PARTS
from deltatrain.accel.dram_refresh import Refresh, refreshes_of
from deltatrain.sim.dram.controller import DramChannels
from deltatrain.sim.dram.requests import generated

CONSTRAINTS = {
    "ddr4_2400": (
        *("tRCDRD", "tRCDWR", "tRP", "tRC", "tRRD_S", "tRRD_L", "tFAW", "tCCD_L", "tWTR_S", "tWTR_L", "tWR", "tRTP"),
        *("tRFC", "tRTW", "tRTRS", "CL"),
    ),
    "ddr5_4800": ("tCCD_L_WR", "tFAW", "tPPD", "tRFCsb", "tREFSBRD", "tREFIsb"),
    "lpddr5_6400": ("tCCD_L", "tRPab", "tWTR_L"),
    "lpddr4_3200": ("tRPab", "tDQSCK", "tDQSS", "tPPD", "tRFCpb", "tRREFD", "tREFIpb"),
}


@settings(max_examples=150)
@given(cases())
def test_every_command_obeys_every_constraint(case: Case) -> None:
    memory = DramChannels(case.part, case.controller, record=True)
    memory.serve(*case.requests)
    memory.finish()
    commands, counts = as_list(memory.take_commands()), memory.counts
    check(commands, case.part, case.controller)
    kinds = [c.kind for c in commands]
    assert kinds.count("ACT") == counts.activates
    assert kinds.count("RD") + kinds.count("RDA") == counts.read_bursts
    assert kinds.count("WR") + kinds.count("WRA") == counts.write_bursts
    assert sum(kind.startswith("REF") for kind in kinds) == counts.refreshes


@pytest.mark.parametrize("name", ["hbm2_2000", "hbm2_legacy", "lpddr4_3200"])
def test_a_read_closes_no_row_whose_last_write_is_not_recovered(name: str) -> None:
    """Rows are closed by their last request; of write, read, write in one row that is the second write, in any case.

    The first write leaves its row open for the second, which waits while the read goes first. The read, alone in its
    queue, could close the row: tWTR and tRTP after the write, before tWR is over.
    """
    part = DramPart.named(name)
    assert part.timing.tWTR_L + part.timing.tRTP < part.timing.tWR
    changes = {"row_policy": "closed", "write_high": 2, "write_low": 1}
    controller = DramController.from_table({"bus_bits": part.usual_bus_bits, **changes})
    memory = DramChannels(part, controller, record=True)
    columns = np.arange(3) * memory.map.burst_bytes * part.bank_groups
    memory.serve(np.zeros(3, np.int64), columns, np.array([True, True, False]))
    memory.finish()
    commands = as_list(memory.take_commands())
    check(commands, part, controller)
    assert [c.kind for c in commands if c.kind[:2] in ("RD", "WR")] == ["WR", "RD", "WRA"]


@pytest.mark.parametrize("name", DRAM_PARTS.names())
@pytest.mark.parametrize("pattern", ["stream", "random", "mixed"])
@pytest.mark.parametrize("row_policy", ["open", "closed"])
def test_long_runs_obey_every_constraint(name: str, pattern: str, row_policy: RowPolicy) -> None:
    """Four thousand requests back to back: queues full, refreshes, turns between reads and writes."""
    part = DramPart.named(name, SAME_BANK if name == "ddr5_4800" else None)
    for refresh in refreshes_of(part):
        controller = DramController(
            bus_bits=part.usual_bus_bits,
            pseudo_channels=part.pseudo_channels,
            row_policy=row_policy,
            refresh=refresh,
        )
        memory = DramChannels(part, controller, record=True)
        for piece in generated(pattern, 4_000, memory.map.burst_bytes, memory.map.capacity_bytes):
            memory.serve(*piece)
        memory.finish()
        check(as_list(memory.take_commands()), part, controller)


def _refresh(name: str, constraint: str) -> Refresh:
    """Return the refresh that binds a constraint."""
    if constraint.endswith(("sb", "SBRD")):
        return "same_bank"
    return "per_bank" if name == "lpddr4_3200" and constraint != "tRPab" else "all_bank"


@pytest.mark.parametrize(("name", "constraint"), [(name, c) for name, found in CONSTRAINTS.items() for c in found])
def test_the_checker_notices_a_constraint_that_is_not_kept(name: str, constraint: str) -> None:
    """A controller that believes a constraint to be a little weaker than it is, on traffic where every one binds."""
    part = DramPart.named(name, SAME_BANK if constraint.endswith(("sb", "SBRD")) else None)
    slack = {
        "tRTRS": 1,
        "tDQSS": 1,
        "tREFIpb": 40,
        "tREFIsb": 200,
        "tCCD_L": 1,
        "tRRD_S": 1,
        "tRRD_L": 1,
        "tRC": 4,
    }.get(constraint, 2)
    values = part.model_dump()["timing"]
    values[constraint] -= slack
    if constraint == "tRC":
        values |= {"tRAS": values["tRAS"] - 4}  # else tRAS + tRP keeps the distance
    hasty = part.model_copy(update={"timing": part.timing.model_copy(update=values)})
    controller = DramController(
        bus_bits=part.usual_bus_bits,
        ranks=1 if part.timing.tRTRS is None else 2,
        refresh=_refresh(name, constraint),
        write_high=8,
    )
    memory = DramChannels(hasty, controller, record=True)
    random = np.random.default_rng(1)
    addresses = random.integers(0, 1 << 18, 6000) * memory.map.burst_bytes
    near = random.random(6000) < 0.5
    addresses[near] %= 1 << 15
    memory.serve(np.zeros(6000, np.int64), addresses, random.random(6000) < 0.5)
    memory.finish()
    commands = as_list(memory.take_commands())
    with pytest.raises(AssertionError):
        check(commands, part, controller)


@pytest.mark.parametrize("hasty", [{"activate_clocks": 1}, {"row_bus": True}, {"column_clocks": 1}])
def test_the_checker_notices_two_commands_on_a_bus_at_once(hasty: dict[str, object]) -> None:
    part = DramPart.named("hbm2_2000", {"row_bus": False, "column_clocks": 2})
    controller = DramController(bus_bits=64, pseudo_channels=2)
    memory = DramChannels(part.model_copy(update=hasty), controller, record=True)
    for piece in generated("random", 2_000, memory.map.burst_bytes, memory.map.capacity_bytes):
        memory.serve(*piece)
    memory.finish()
    with pytest.raises(AssertionError, match="collide on the command bus"):
        check(as_list(memory.take_commands()), part, controller)


def test_the_checker_notices_pseudo_channels_that_do_not_share_their_command_buses() -> None:
    """Two channels of their own, renamed to be one channel of two pseudo channels."""
    part = DramPart.named("hbm2_2000")
    memory = DramChannels(part, DramController(bus_bits=64, channels=2), record=True)
    for piece in generated("random", 2_000, memory.map.burst_bytes, memory.map.capacity_bytes):
        memory.serve(*piece)
    memory.finish()
    commands = [c._replace(channel=0, rank=c.channel) for c in as_list(memory.take_commands())]
    with pytest.raises(AssertionError, match="collide on the command bus"):
        check(commands, part, DramController(bus_bits=64, pseudo_channels=2))
