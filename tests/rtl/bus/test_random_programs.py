"""Random programs, numbers and stalls on compiled cores: every matrix is the golden model's."""

from __future__ import annotations

import random

import pytest
from components import unelaborated
from core_on_bus import LOCAL, REMOTE, TAPE, bus_of, check_matrices, core_for, driver_on, image_of, tiny, train
from gate_steps import compiled

from deltatrain.rtl.tile import Tile
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.random_step import random_step

pytestmark = [compiled, pytest.mark.long]

HOMES = {"local": LOCAL, "remote": REMOTE | {"engine.formats.weight.bits": 8}, "tape": TAPE}
"""Where matrices and tape live; W of 8 bits has words of half a beat."""

MOST = {"features": 5, "hidden": (6, 4), "classes": 4, "lengths": (3, 2)}
PROGRAMS = 1002


def drawn(home, seed):
    """Return a step that fits the machine of a home."""
    rng = random.Random(seed)
    layers = rng.randint(1, 2)
    return random_step(
        tiny(HOMES[home]),
        "gru",
        seed=seed,
        features=rng.randint(1, MOST["features"]),
        hidden=tuple(rng.randint(1, width) for width in MOST["hidden"][:layers]),
        classes=rng.randint(1, MOST["classes"]),
        lengths=tuple(rng.randint(1, 3) for _ in range(rng.randint(1, 2))),
        thresholds=(rng.choice([0, 1, 8, 100, 1 << 16]), rng.choice([0, 1, 8, 100, 1 << 16])),
        scale=rng.choice([0.02, 0.5, 1.0]),
        updates=rng.random() < 0.5,
    )


@pytest.mark.parametrize("home", HOMES)
def test_random_programs_one_after_the_other(home):
    most = random_step(tiny(HOMES[home]), "gru", seed=0, **(MOST | {"lengths": (3, 3)}))
    whole = image_of(most)
    core = core_for(most, whole)
    with bus_of(core, whole, seed=1, simulation_of=CompiledSimulation) as bus:
        bus.memory.extend(bytes(1 << 16))
        for seed in range(PROGRAMS // len(HOMES)):
            step = drawn(home, seed)
            with unelaborated():
                image = image_of(step, Tile(architecture=step.architecture, cell="gru", sizes=whole.sizes))
            driver = driver_on(bus, image)
            train(driver, step)
            check_matrices(driver, step)
