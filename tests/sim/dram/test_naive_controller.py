"""The compiled controller against one that looks at its whole queue in every cycle."""

from __future__ import annotations

import numpy as np
import pytest
from dram_workloads import SAME_BANK, Case, cases
from hypothesis import given, settings
from naive_controller import naive_channels

from deltatrain.accel.dram import DramController, DramPart
from deltatrain.accel.dram_parts import DRAM_PARTS
from deltatrain.accel.dram_refresh import refreshes_of
from deltatrain.sim.dram.address_map import AddressMap
from deltatrain.sim.dram.controller import DramChannels
from deltatrain.sim.dram.requests import Requests
from deltatrain.sim.dram.words import COMMANDS


def _check(case: Case) -> None:
    memory = DramChannels(case.part, case.controller, record=True)
    parts = [memory.serve(*case.requests), memory.finish()]
    found = np.concatenate([np.array(part) for part in parts], axis=1)
    naive = naive_channels(case.part, case.controller, memory.map, case.requests)
    everything = [request for channel in naive for request in channel.waiting]
    for channel in naive:
        channel.run()
    end = max(request.done for request in everything)
    assert memory.last_data == end
    for channel in naive:
        channel.run(end)
    expected = sorted((r.ticket, r.accepted, r.done, int(r.write)) for r in everything)
    assert sorted(map(tuple, found.T.tolist())) == expected
    rows = zip(*(field.tolist() for field in memory.take_commands()), strict=True)
    made = sorted((channel, cycle, COMMANDS[kind], *where) for cycle, kind, channel, *where in rows)
    assert made == sorted((n, *command) for n, channel in enumerate(naive) for command in channel.commands)
    for name, count in memory.counts._asdict().items():
        assert count == sum(channel.counts[name] for channel in naive), name


@settings(max_examples=60)
@given(cases(80))
def test_every_command_and_count_is_that_of_a_look_in_every_cycle(case: Case) -> None:
    _check(case)


@pytest.mark.parametrize("name", DRAM_PARTS.names())
def test_crowds_in_few_rows_of_few_banks_too(name: str) -> None:
    """Rows are left for older requests, queues turn between two marks, refreshes choose among banks that are wanted."""
    part = DramPart.named(name, SAME_BANK if name == "ddr5_4800" else None)
    random = np.random.default_rng(1)
    for n, refresh in enumerate(refreshes_of(part)):
        controller = DramController(
            bus_bits=part.usual_bus_bits,
            pseudo_channels=part.pseudo_channels,
            refresh=refresh,
            row_policy=("open", "closed")[n % 2],
            address_map="RoBaRaCoCh",
            write_high=8,
            write_low=3,
            most_bypasses=2,
        )
        layout = AddressMap(part, controller)
        bank_bytes = layout.burst_bytes * dict(layout.fields)["Co"]
        row_bytes = bank_bytes * part.banks * part.pseudo_channels
        banks = random.integers(0, part.banks, 6)
        places = banks[random.integers(0, 6, 250)] * bank_bytes + random.integers(0, 2, 250) * row_bytes
        addresses = places + random.integers(0, 16, 250) * layout.burst_bytes
        due = refreshes_of(part)[refresh].refresh_interval
        cycles = np.sort(random.integers(due - 50, due * 3, 250)) * (np.arange(250) >= 100)
        _check(Case(part, controller, Requests(cycles, addresses, random.random(250) < 0.4)))
