"""Random memories and requests for tests of the DRAM controller."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from deltatrain.accel.dram import DramController, DramPart
from deltatrain.accel.dram_parts import DRAM_PARTS
from deltatrain.accel.dram_refresh import refreshes_of
from deltatrain.sim.dram.address_map import AddressMap
from deltatrain.sim.dram.requests import Requests

MAPS = (
    "RoBaRaCoCh",
    "RoBaRaCoBgCh",
    "RoRaCoBaBgCh",
    "RoChRaBaBgCo",
    "RoCoBaRaChBg",
    "RoPcBaRaCoChBg",
    "RoBaBgRaPcCoCh",
)

SAME_BANK = {"timing.tRFCsb": 300, "timing.tREFIsb": 2343, "timing.tREFSBRD": 72}
"""Changes of ddr5_4800 that give it a refresh of the same bank of every group. No source at hand tells real times."""


class Case(NamedTuple):
    part: DramPart
    controller: DramController
    requests: Requests


@st.composite
def controllers(draw: st.DrawFn, part: DramPart) -> DramController:
    writes = draw(st.integers(1, 34))
    high = draw(st.integers(1, writes))
    return DramController(
        channels=draw(st.sampled_from([1, 1, 2, 3])),
        pseudo_channels=draw(st.integers(1, part.pseudo_channels)),
        ranks=1 if part.timing.tRTRS is None else draw(st.sampled_from([1, 2, 4])),
        bus_bits=part.usual_bus_bits,
        address_map=draw(st.sampled_from(MAPS)),
        row_policy=draw(st.sampled_from(["open", "closed"])),
        refresh=draw(st.sampled_from(list(refreshes_of(part)))),
        accepts_per_clock=draw(st.sampled_from([1, 1, 2, 5])),
        read_queue=draw(st.sampled_from([1, 3, 16, 32])),
        write_queue=writes,
        write_high=high,
        write_low=draw(st.integers(0, high - 1)),
        most_bypasses=draw(st.sampled_from([1, 4, 32])),
    )


@st.composite
def cases(draw: st.DrawFn, most: int = 400) -> Case:
    """Requests that hit, miss and conflict: steps through rows of few banks, jumps, both directions, gaps."""
    name = draw(st.sampled_from(DRAM_PARTS.names()))
    part = DramPart.named(name, SAME_BANK if name == "ddr5_4800" else None)
    controller = draw(controllers(part))
    layout = AddressMap(part, controller)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, most))
    jump, write, pause = (
        draw(st.sampled_from(shares)) for shares in ([0.02, 0.3, 1], [0, 0.1, 0.5, 1], [0, 0.05, 0.6])
    )
    span = draw(st.sampled_from([1 << 9, 1 << 14, 1 << 20, layout.capacity_bytes]))
    starts = random.integers(0, span // layout.burst_bytes, count)
    slot = 0
    addresses = np.empty(count, np.int64)
    for n in range(count):
        slot = int(starts[n]) if random.random() < jump else slot + 1
        addresses[n] = slot * layout.burst_bytes % span
    gaps = np.where(
        random.random(count) < pause, random.integers(1, draw(st.sampled_from([10, 500, 30_000])), count), 0
    )
    return Case(part, controller, Requests(np.cumsum(gaps), addresses, random.random(count) < write))
