"""Gates behind a port that is wider than a word, against the golden model and the law: every number and every cycle."""

from __future__ import annotations

from typing import Any

import pytest
from gate_steps import check, compiled, large_tile, steps
from hypothesis import given, settings

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.random_step import random_step

LONG = pytest.mark.long
MATRICES = {"placement.weights": "remote", "placement.gradients": "remote"}
TAPE = {"placement.tape": "remote"}
TILES = {"tiles.exchange_bytes_per_cycle": 8, "tiles.exchange_latency_cycles": 4}
MOST = {"features": 9, "hidden": (9, 10), "classes": 5, "lengths": (4, 3)}


@pytest.mark.parametrize(
    ("changes", "cell", "hidden"),
    [
        pytest.param(TAPE | {"dma.bytes_per_cycle": 20}, "lstm", (3,), id="words and a half"),
        pytest.param(TAPE | {"dma.bytes_per_cycle": 64, "dma.in_flight": 2}, "gru", (5,), id="all at once", marks=LONG),
        pytest.param(TAPE | {"dma.bytes_per_cycle": 16, "dma.in_flight": 2}, "lif", (5, 4), id="spikes", marks=LONG),
        pytest.param(
            TAPE | {"dma.bytes_per_cycle": 16, "engine.arrays": 2, "dma.in_flight": 2},
            "lstm",
            (5,),
            id="arrays",
            marks=LONG,
        ),
        pytest.param(TILES | {"tiles.count": 3, "dma.bytes_per_cycle": 20}, "rnn", (9,), id="tiles", marks=LONG),
        pytest.param(
            TILES | MATRICES | {"tiles.count": 2, "dma.bytes_per_cycle": 64, "dma.in_flight": 2},
            "gru",
            (9,),
            id="tiles, columns, too",
            marks=LONG,
        ),
        pytest.param(
            MATRICES | {"dma.bytes_per_cycle": 40, "dma.columns_in_flight": 1}, "rnn", (5,), id="a column", marks=LONG
        ),
        pytest.param(
            MATRICES | {"dma.bytes_per_cycle": 40, "dma.columns_in_flight": 2, "cache.bytes": 1_024},
            "gru",
            (5,),
            id="two beside a cache",
            marks=LONG,
        ),
    ],
)
def test_a_step(changes: dict[str, Any], cell: str, hidden: tuple[int, ...]) -> None:
    machine, thresholds = Architecture.named("tiny", changes), (0, 0) if cell == "lif" else (0, 8)
    sizes = {"hidden": hidden, "lengths": (3,), "features": 15 if machine.tiles.count > 1 else 4}
    check(random_step(machine, cell, seed=7, thresholds=thresholds, **sizes), AmaranthSimulation)


@compiled
@pytest.mark.long
@pytest.mark.parametrize(("cell", "port_bytes", "in_flight"), [("lstm", 12, 2), ("gru", 32, 1)])
def test_any_step_on_compiled_gates(cell: str, port_bytes: int, in_flight: int) -> None:
    port = {"dma.bytes_per_cycle": port_bytes, "dma.in_flight": in_flight, "dma.columns_in_flight": 1}
    machine = Architecture.named("tiny", MATRICES | TAPE | port)
    tile = large_tile(machine, cell, "every", MOST, "labelling")

    @settings(max_examples=15)
    @given(steps(machine, cell, "every", MOST, "labelling"))
    def run(step: Any) -> None:
        check(step, CompiledSimulation, tile)

    run()
