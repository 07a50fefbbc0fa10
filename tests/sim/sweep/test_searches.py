"""What holds of every search, and what each promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from spaces import tiny

from deltatrain.sim.sweep.axis import Design
from deltatrain.sim.sweep.checks import checked_space
from deltatrain.sim.sweep.outcome import Outcome
from deltatrain.sim.sweep.searches import SEARCHES
from deltatrain.sim.sweep.searches.qmc import steps
from deltatrain.sim.sweep.space import Space


def outcome(design: Design) -> Outcome:
    """Return something that depends on the point only; every seventh fails."""
    number = sum(len(str(value)) for value in design.values())
    lanes = float(design["machine.engine.lanes"])
    return Outcome(None) if number % 7 == 0 else Outcome((lanes, -lanes + number), (lanes - 12,))


def asked(space: Space, kind: str, points: int, seed: int = 1, batch: int = 8) -> list[Design]:
    search: Any = SEARCHES.load(kind).start(space, seed, batch)
    designs: list[Design] = []
    untold: list[Design] = []
    while len(designs) < points:
        design = search.ask()
        if design is not None:
            designs.append(design)
            untold.append(design)
        elif not untold:
            break
        else:
            for one in untold:
                search.tell(one, outcome(one))
            untold = []
    return designs


@pytest.mark.parametrize("kind", SEARCHES.names())
def test_every_point_asked_for_is_one_of_the_space(kind: str) -> None:
    space = checked_space(tiny(search__kind=kind))
    known = {tuple(design.items()) for design in space.designs()}
    designs = asked(space, kind, 60)
    assert len(designs) == 60 and all(tuple(design.items()) in known for design in designs)


@pytest.mark.parametrize("kind", SEARCHES.names())
def test_the_same_seed_asks_for_the_same_points(kind: str) -> None:
    space = checked_space(tiny(search__kind=kind))
    assert asked(space, kind, 60) == asked(space, kind, 60)
    if kind != "grid":
        assert asked(space, kind, 60) != asked(space, kind, 60, seed=2)


@pytest.mark.parametrize("kind", [kind for kind in SEARCHES.names() if kind != "grid"])
def test_continuous_ranges_are_drawn_within_their_ends(kind: str) -> None:
    vary = {
        "machine.engine.lanes": {"low": 1, "high": 64, "scale": "log"},
        "workload.synthetic.occupancy_h": {"low": 0.1, "high": 0.9},
    }
    space = checked_space(tiny(search__kind=kind) | {"vary": vary})
    designs = asked(space, kind, 50)
    assert all(isinstance(d["machine.engine.lanes"], int) and 1 <= d["machine.engine.lanes"] <= 64 for d in designs)
    drawn = [d["workload.synthetic.occupancy_h"] for d in designs]
    assert all(0.1 <= value <= 0.9 for value in drawn) and len(set(drawn)) > 20
    assert space.size is None


def test_a_grid_is_every_point_once() -> None:
    space = checked_space(tiny())
    assert asked(space, "grid", 10_000) == list(space.designs())


@pytest.mark.parametrize("kind", ["nsga2", "tpe"])
def test_a_search_that_learns_waits_until_its_batch_is_told(kind: str) -> None:
    member = SEARCHES.load(kind)
    assert member.LEARNS
    search = member.start(checked_space(tiny(search__kind=kind)), 1, 10)
    batch = []
    while (design := search.ask()) is not None:
        batch.append(design)
    assert len(batch) == (10 if kind == "nsga2" else 2)
    for design in batch[:-1]:
        search.tell(design, outcome(design))
        assert search.ask() is None
    search.tell(batch[-1], outcome(batch[-1]))
    assert search.ask() is not None


@pytest.mark.parametrize("dimensions", [1, 2, 3, 8])
def test_the_spread_points_fill_the_space_more_evenly_than_random_ones(dimensions: int) -> None:
    count = 256
    positions = np.outer(np.arange(1, count + 1), steps(dimensions)) % 1.0
    random = np.random.default_rng(1)
    uneven = [_variance_of_counts(random.random((count, dimensions))) for _ in range(20)]
    assert _variance_of_counts(positions) < 0.3 * np.mean(uneven)


def _variance_of_counts(positions: np.ndarray) -> float:
    """Return how unevenly points fall into 16 equal parts of each axis."""
    counts = [np.bincount((axis * 16).astype(int), minlength=16) for axis in positions.T]
    return float(np.mean([np.var(one) for one in counts]))
