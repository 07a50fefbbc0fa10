"""Bandwidth and energy of the DRAM controller beside DRAMsim3 and Ramulator 2.1."""

from __future__ import annotations

import time
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from deltatrain.accel.dram import DramController, DramPart
from deltatrain.sim.dram.address_map import AddressMap
from deltatrain.sim.dram.replay import Replay, replay
from deltatrain.sim.dram.requests import generated, map_of
from deltatrain.sim.studies._table import Progress, Row

ABOUT = (
    "Does the DRAM controller reach what trusted simulators reach? DRAMsim3 and Ramulator 2.1 were run on one shared "
    "trace of a million 64-byte requests, offered back to back (sim/studies/dram_peers.toml). Bandwidth in GB/s, "
    "energy of the devices in pJ a bit, thousands of requests simulated a CPU second; theirs: 66 to 393, 149 to 643."
)


class Settings(NamedTuple):
    """How many requests each run has."""

    requests: int


SETTINGS = Settings(1_000_000)
SMALL_SETTINGS = Settings(200_000)


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Return a row for each run of the peers; nothing is kept in `folder`.

    Columns: ``device``; ``pattern``; ``controller``, what differs from the default; ``GB/s``, ours, and the peers';
    ``pJ/bit``, ours and DRAMsim3's; ``requests/CPU-s``, in thousands. What was not measured is empty.
    """
    runs = published()
    replayed(runs[0], 10)  # the first call compiles what is timed next
    table: list[Row] = []
    for done, run in enumerate(runs):
        progress("runs", done / len(runs), f"{run['device']}, {run['pattern']}")
        start = time.process_time()
        found = replayed(run, settings.requests)
        seconds = time.process_time() - start
        changes = {**run.get("controller", {}), **run.get("part", {})}
        table.append(
            {
                "device": run["device"],
                "pattern": run["pattern"],
                "controller": ", ".join(f"{field}={value}" for field, value in changes.items()),
                "GB/s": round(found.bytes_per_second / 1e9, 2),
                "dramsim3_GB/s": run.get("dramsim3_gb_s", ""),
                "ramulator_GB/s": run.get("ramulator_gb_s", ""),
                "pJ/bit": round(found.energy_pj_per_bit, 1) if found.energy_j else "",
                "dramsim3_pJ/bit": run.get("dramsim3_pj_per_bit", ""),
                "k_requests/CPU-s": round(settings.requests / seconds / 1e3),
            }
        )
    return table


def published() -> list[dict[str, Any]]:
    """Return the runs of the peers: device, pattern, what differs in controller and part, and what they reached."""
    text = resources.files("deltatrain.sim.studies").joinpath("dram_peers.toml").read_text(encoding="utf-8")
    runs: list[dict[str, Any]] = tomllib.loads(text)["run"]
    return runs


def replayed(run: dict[str, Any], requests: int) -> Replay:
    """Return what the controller does with so many requests of a run's pattern."""
    part = DramPart.named(run["device"], run.get("part"))
    usual = {"bus_bits": part.usual_bus_bits, **map_of(run["pattern"])}
    controller = DramController.from_table({**usual, **run.get("controller", {})})
    layout = AddressMap(part, controller)
    return replay(part, controller, generated(run["pattern"], requests, layout.burst_bytes, layout.capacity_bytes))
