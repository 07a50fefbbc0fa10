"""Random programs, numbers and stalls on compiled cores: every matrix is the golden model's."""

from __future__ import annotations

import random
from functools import reduce
from itertools import count, product

import pytest
from components import unelaborated
from core_on_bus import LOCAL, REMOTE, TAPE, bus_of, check_matrices, driver_on, image_of, tiny, train
from gate_steps import compiled

from deltatrain.rtl.bus.core import Core
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.tile import Tile
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.layout import Layout
from deltatrain.sim.gates.random_step import random_step

pytestmark = [compiled, pytest.mark.long]

HOMES = {"local": LOCAL, "remote": REMOTE | {"engine.formats.weight.bits": 8}, "tape": TAPE}
"""Where matrices and tape live; W of 8 bits has words of half a beat."""

MOST = {"features": 5, "hidden": (6, 4), "classes": 4, "lengths": (3, 3)}
OPS = 100_000
"""Of all programs of all homes together."""


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


def sizes_for_all(machine):
    """Return the sizes of a core for every step that is drawn; where gates begin depends on the widths."""
    first, second = (range(1, width + 1) for width in MOST["hidden"])
    widths = [(width,) for width in first] + list(product(first, second))
    steps = (random_step(machine, "gru", seed=0, **(MOST | {"hidden": hidden})) for hidden in widths)
    return reduce(TileSizes.covering, (Layout(step.program, step.shape, step.network.readout).sizes for step in steps))


@pytest.mark.parametrize("home", HOMES)
def test_a_hundred_thousand_ops_of_random_programs_one_after_the_other(home):
    machine = tiny(HOMES[home])
    sizes = sizes_for_all(machine)
    core = Core(architecture=machine, cell="gru", sizes=sizes)
    with unelaborated():
        most = image_of(
            random_step(machine, "gru", seed=0, **MOST), Tile(architecture=machine, cell="gru", sizes=sizes)
        )
    with bus_of(core, most, seed=1, simulation_of=CompiledSimulation) as bus:
        bus.memory.extend(bytes(1 << 16))
        done, seeds = 0, count()
        while done < OPS / len(HOMES):
            step = drawn(home, next(seeds))
            with unelaborated():
                image = image_of(step, Tile(architecture=step.architecture, cell="gru", sizes=sizes))
            driver = driver_on(bus, image)
            train(driver, step)
            check_matrices(driver, step)
            done += len(step.program.ops)
