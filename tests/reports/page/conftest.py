"""Runs and sweeps with random numbers on a machine that there is."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.reports.page import Contents, Curves, Held, Run, Sweep

OBJECTIVES = {"seconds": "minimise", "energy_j": "minimise", "accuracy": "maximise"}
FIELDS = ("machine.engine.lanes", "machine.local.bytes", "machine.placement.weights", "machine.dma.buffer_bytes")


def _run(random_result, seed, **described):
    result = random_result(seed)
    lanes = max(result.counters.lanes, result.dense.lanes)
    machine = Architecture.named("edge", {"engine.lanes": lanes, "local.bytes": 262_144})
    steps, random = 30, np.random.default_rng(seed)
    result = result.model_copy(
        update={
            "architecture": machine.model_dump(mode="json"),
            "counters": result.counters.model_copy(update={"lanes": lanes}),
            "dense": result.dense.model_copy(update={"lanes": lanes}),
            "held_bytes": _held_bytes(result.counters.cycles, random),
            "training": {"accuracy": 0.98, "macs": 10**9, "dense_macs": 10**10, "saved": 0.9},
            "provenance": {"seed": seed, "samples": 32, "workload_digest": "0123456789abcdef"},
        }
    )
    held = Held({"state": 10_000, "column buffer": 8_192, "tape": 44_000}, {"weights": 120_000, "gradients": 240_000})
    streams = [f"layer {layer} {stream}" for layer in range(2) for stream in "xh"]
    curves = Curves(
        {name: np.append(np.nan, random.random(steps)) for name in streams},
        {name: random.random(6) for name in streams},
        list(random.random(6)),
        dense_epochs=2,
    )
    known = {"name": f"run {seed}", "fidelity": "cycle: simulated cycle by cycle", "held": held, "curves": curves}
    return Run(result=result, **(known | described))


def _held_bytes(cycles, random):
    """Return levels that rise and fall to nothing."""
    at = np.sort(random.integers(0, cycles, 40)).tolist()
    return tuple(zip(at, [*random.integers(0, 44_000, 39).tolist(), 0], strict=True))


def _sweep(seed, points=200, columns=0):
    random = np.random.default_rng(seed)
    failed = random.random(points) < 0.1
    found = {
        "seconds": random.uniform(1e-5, 1e-2, points),
        "energy_j": 10 ** random.uniform(-5, -2, points),
        "accuracy": random.random(points),
        **{f"unit.{index}.busy_cycles": random.integers(0, 10**9, points) for index in range(columns)},
    }
    feasible = ~failed & (random.random(points) < 0.9)
    losses = np.stack([found["seconds"], found["energy_j"], -found["accuracy"]], axis=1)
    beaten = [(feasible & (losses <= one).all(axis=1) & (losses < one).any(axis=1)).any() for one in losses]
    lanes = random.choice([2, 4, 8, 16], points)
    table = pl.DataFrame(
        {
            "point": np.arange(points),
            "digest": [f"{index:016x}" for index in range(points)],
            "machine.engine.lanes": lanes,
            "machine.local.bytes": np.full(points, 262_144),
            "machine.placement.weights": random.choice(["local", "remote"], points),
            "machine.dma.buffer_bytes": random.integers(1_000, 100_000, points),
            **{
                name: [None if lost else value for value, lost in zip(values.tolist(), failed, strict=True)]
                for name, values in found.items()
            },
            "feasible": feasible,
            "on_front": feasible & ~np.array(beaten, dtype=bool),
            "failure": ["FitError" if lost else None for lost in failed],
            "reason": ["local.bytes = 1 is too small" if lost else None for lost in failed],
        }
    )
    searches = [{"search": "grid", "points": points, "failed": int(failed.sum()), "hypervolume": 0.5}]
    about, provenance = "Random points.", {"machine": "edge", "deltatrain": "0.1.0", "seed": seed}
    return Sweep(f"sweep {seed}", about, table, FIELDS, OBJECTIVES, "analytic", searches, provenance)


@pytest.fixture(scope="session")
def make_run(random_result):
    """Return the function (seed, ...) -> Run."""
    return lambda seed=1, **described: _run(random_result, seed, **described)


@pytest.fixture(scope="session")
def make_sweep():
    """Return the function (seed, points, columns) -> Sweep; `columns` more quantities that were found."""
    return _sweep


@pytest.fixture(scope="session")
def everything(make_run, make_sweep):
    """Return two runs and a sweep on one page."""
    bare = {"held": None, "curves": None, "timeline": "timeline.pftrace"}
    return Contents("everything", [make_run(1), make_run(2, **bare)], [make_sweep(3)], "0.1.0")
