"""Replaying requests and summing up what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from deltatrain.accel.dram import DramController, DramPart
from deltatrain.accel.pricing.dram_energy import unknown_energy
from deltatrain.sim.dram.controller import BusTicks, DramChannels, Finished, RowCounts
from deltatrain.sim.dram.energy import dram_energy_j
from deltatrain.sim.dram.requests import Requests

PERCENTILES = (50, 90, 99, 100)


class Replay(NamedTuple):
    """What a memory did with a sequence of requests.

    Attributes
    ----------
    requests, writes
        How many there were, and how many of them were writes.
    cycles, seconds
        Until the last data had passed the data bus.
    bytes, bytes_per_second, peak_bytes_per_second
        Moved; a second; if no data bus ever rested.
    mean_latency_s, latency_s
        Of reads, from the acceptance to the last beat: mean, and by percentile. Zero and empty without reads.
    rows, bus
        What the banks did, and the data buses.
    energy_j, energy_unknown
        By cause, empty if not known; then why.
    """

    requests: int
    writes: int
    cycles: int
    seconds: float
    bytes: int
    bytes_per_second: float
    peak_bytes_per_second: float
    mean_latency_s: float
    latency_s: dict[int, float]
    rows: RowCounts
    bus: BusTicks
    energy_j: dict[str, float]
    energy_unknown: str

    @property
    def energy_pj_per_bit(self) -> float:
        """Return the energy of a bit moved, in picojoules."""
        return sum(self.energy_j.values()) * 1e12 / (8 * self.bytes)


class _Latencies:
    """How often each latency occurred, in cycles; as long as the longest."""

    def __init__(self) -> None:
        self.occurred = np.zeros(1, np.int64)

    def add(self, found: Finished) -> None:
        reads = found.write == 0
        new = np.bincount((found.done - found.accepted)[reads], minlength=len(self.occurred))
        new[: len(self.occurred)] += self.occurred
        self.occurred = new

    def mean(self) -> float:
        return float(self.occurred @ np.arange(len(self.occurred)) / max(1, self.occurred.sum()))

    def percentile(self, percent: int) -> int:
        """Return the least latency that `percent` per cent of the reads do not exceed."""
        below: npt.NDArray[np.int64] = np.cumsum(self.occurred)
        return int(np.searchsorted(below, max(1, -(-percent * int(below[-1]) // 100))))


def replay(part: DramPart, controller: DramController, pieces: Iterable[Requests]) -> Replay:
    """Serve requests piece by piece and return what came of it; memory does not grow with their number.

    Raises
    ------
    ConfigError
        If the controller cannot drive the part, or what reading the pieces raises.
    """
    memory = DramChannels(part, controller)
    latencies, requests, writes = _Latencies(), 0, 0
    for piece in pieces:
        latencies.add(memory.serve(*piece))
        requests += len(piece.writes)
        writes += int(piece.writes.sum())
    latencies.add(memory.finish())
    cycles, tck_s = memory.last_data, part.tck_ps * 1e-12
    seconds, moved = cycles * tck_s, requests * memory.map.burst_bytes
    unknown = unknown_energy(part, controller)
    return Replay(
        requests=requests,
        writes=writes,
        cycles=cycles,
        seconds=seconds,
        bytes=moved,
        bytes_per_second=moved / seconds if seconds else 0.0,
        peak_bytes_per_second=controller.data_buses * part.peak_bytes_per_second(controller.bus_bits),
        mean_latency_s=latencies.mean() * tck_s,
        latency_s={p: latencies.percentile(p) * tck_s for p in PERCENTILES} if requests > writes else {},
        rows=memory.counts,
        bus=memory.bus_ticks(cycles),
        energy_j={} if unknown else dram_energy_j(memory, cycles),
        energy_unknown=unknown,
    )
