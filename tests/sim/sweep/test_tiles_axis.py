"""The number of tiles as an axis of a sweep."""

from __future__ import annotations

from pathlib import Path

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.run import simulate
from deltatrain.sim.sweep import sweep
from deltatrain.workloads.workload import Workload


def test_tiles_are_an_axis_as_any_other(tmp_path: Path) -> None:
    space = {
        "name": "tiles",
        "machine": "midsize",
        "workload": "tiny",
        "fidelity": "analytic",
        "vary": {"machine.tiles.count": [1, 2, 4], "machine.tiles.exchange_bytes_per_cycle": [1, 8]},
        "objectives": {"seconds": "minimise", "local_bytes": "minimise"},
    }
    rows = sweep(space, tmp_path, workers=1).to_dicts()
    assert len(rows) == 6
    for row in rows:
        assert row["failure"] is None
        fields = {name: row[f"machine.{name}"] for name in ("tiles.count", "tiles.exchange_bytes_per_cycle")}
        found = simulate(Architecture.named("midsize", fields), Workload.named("tiny"), fidelity="analytic").counters
        assert row["cycles"] == found.cycles
        exchange = found.units.get("exchange")
        assert row["unit.exchange.busy_cycles"] == (exchange.busy_cycles if exchange else None)
        assert (exchange is None) == (row["machine.tiles.count"] == 1)
