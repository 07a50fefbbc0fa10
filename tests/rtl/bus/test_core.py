"""Training steps on a core, through its buses: every matrix is the golden model's."""

from __future__ import annotations

import pytest
from core_on_bus import LOCAL, REMOTE, TAPE, bus_of, check_matrices, core_for, driver_on, image_of, tiny, train

from deltatrain.sim.gates.random_step import random_step

CACHED = REMOTE | {"cache.bytes": 320, "cache.ways": 2, "cache.line_bytes": 32, "dma.buffer_bytes": 128}


@pytest.mark.parametrize(
    ("home", "seed"),
    [pytest.param(LOCAL, None, marks=pytest.mark.long), (TAPE, 2), pytest.param(CACHED, 3, marks=pytest.mark.long)],
)
def test_a_step_through_the_buses(home, seed):
    step = random_step(tiny(home), "rnn", seed=3, hidden=(5,), lengths=(2, 1))
    image = image_of(step)
    core = core_for(step, image)
    with bus_of(core, image, seed=seed) as bus:
        driver = driver_on(bus, image)
        train(driver, step)
        check_matrices(driver, step)
        if home is CACHED:  # and again, on tags that are cleared
            train(driver, step)
            check_matrices(driver, step)
        counters = driver.counters()
    assert counters["load_busy"] >= 3
    assert counters["cycles"] > counters["engine_fp_busy"] > 0
