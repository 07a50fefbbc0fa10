"""The squared loss's gates against `accel.modes.squared_loss`, through the unit that it is part of."""

from __future__ import annotations

import numpy as np
import pytest
from elementwise_bench import Layer, Scene, add_loss, check, engine_of, random_formats
from hypothesis import given, settings
from hypothesis import strategies as st
from lane_jobs import integers

seeds = st.integers(0, 2**32 - 1)


def add_losses(scene: Scene, rng: np.random.Generator, outputs: list[int], spread: float) -> None:
    """Add ops of so many outputs; all are told as many numbers, of which some say nothing."""
    for count in outputs:
        add_loss(scene, rng, count, spread, integers(rng, scene.engine.formats.memory, (max(outputs),)))


@settings(max_examples=16)
@given(seeds, st.sampled_from([1, 2, 4]), st.sampled_from([0, 1, 30, 1e6]))
def test_any_formats_outputs_and_pauses(seed, lanes, spread):
    rng = np.random.default_rng(seed)
    scene = Scene(engine_of(lanes, random_formats(rng)), "rnn")
    add_losses(scene, rng, rng.integers(1, 3 * lanes + 2, 6).tolist(), spread)
    check(scene, rng.choice([0, 0, int(rng.integers(0, 60))], len(scene.jobs)).tolist())


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_between_cells(cell):
    """Its last word is written while the next op's first is read, and before that op is done."""
    rng = np.random.default_rng(5)
    scene = Scene(engine_of(4), cell)
    layer = Layer(scene, rng, 6, 3)
    while not layer.is_finished:
        layer.add()
        add_losses(scene, rng, [5], 1.0)
    check(scene, [0] * len(scene.jobs))
