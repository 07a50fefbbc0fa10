"""Transfers of many bursts against the same bursts handed over one by one."""

from __future__ import annotations

import numpy as np
from dram_workloads import controllers
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.dram import DramPart
from deltatrain.accel.dram_parts import DRAM_PARTS
from deltatrain.sim.dram import words as k
from deltatrain.sim.dram.controller import DramChannels
from deltatrain.sim.dram.transfers import Transfers

_GAPS = [0, 0, 0, 1, 7, 60, 900, 9000]


@settings(max_examples=150)
@given(st.data(), st.sampled_from(DRAM_PARTS.names()), st.integers(0, 2**32 - 1), st.booleans())
def test_a_transfer_is_its_bursts_one_by_one(data: st.DataObject, name: str, seed: int, record: bool) -> None:
    """Streams, both ways at once, in one row and over many, with and without time that passes in between."""
    part, random = DramPart.named(name), np.random.default_rng(seed)
    controller = data.draw(controllers(part))
    ours, reference = Transfers(part, controller, record), DramChannels(part, controller, record)
    size, span = ours.map.burst_bytes, int(random.choice([1 << 12, 1 << 16, 1 << 22]))
    writes, most = random.choice([0, 0.3, 1]), int(random.choice([2, 40, 300]))
    streams, now, bursts = random.integers(0, span, 2), 0, []
    asked: list[tuple[int, int]] = []
    for _ in range(int(random.integers(1, 25))):
        write, length = bool(random.random() < writes), int(random.integers(1, most * size))
        address = int(random.integers(0, span)) if random.random() < 0.1 else int(streams[int(write)])
        streams[int(write)] = (address + length) % span
        now += int(random.choice(_GAPS))
        first, end = ours.hand_over(now, address, length, write, asked[0][0] if asked else None)
        if not write:
            asked.append((first, end))
        bursts += [(now, burst * size, write) for burst in range(address // size, (address + length - 1) // size + 1)]
        if random.random() < 0.3:
            now = max(now, ours.accepted)
            ours.await_reads(now, 0, -1)
    for first, end in asked:
        assert ours.await_reads(k.NEVER - 1, first, end)[0] == end
    cycles, addresses, kinds = (np.array(column) for column in zip(*bursts, strict=True))
    served, rest = reference.serve(cycles, addresses, kinds), reference.finish()
    done = np.concatenate([served.done, rest.done])[np.argsort(np.concatenate([served.ticket, rest.ticket]))]
    for first, end in asked:
        assert np.array_equal(ours.done(first, end), done[first:end])
    ours.finish()
    assert ours.counts._replace(refreshes=0) == reference.counts._replace(refreshes=0)
    assert ours.last_data == reference.last_data
    if record:
        made, expected = ours.take_commands(), reference.take_commands()
        kept = made.cycle <= expected.cycle.max()
        one, other = (
            sorted(zip(*(field.tolist() for field in found), strict=True))
            for found in (type(made)(*(field[kept] for field in made)), expected)
        )
        assert one == other
