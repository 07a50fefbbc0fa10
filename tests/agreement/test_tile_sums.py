"""Sums of several tiles: those of one tile where they wrap, another order's where they saturate, and the gates'."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gate_steps import check

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.random_step import random_step

WIDTHS = ("engine.lanes", "engine.encoder_elements", "engine.elementwise_lanes")
NARROW = {
    "engine.formats.weight": {"bits": 8, "fraction_bits": 5},
    "engine.formats.activation": {"bits": 10, "fraction_bits": 9},
    "engine.formats.gradient": {"bits": 10, "fraction_bits": 6},
    "engine.formats.memory_bits": 18,
}
SIZES = {"features": 24, "hidden": (13, 9), "lengths": (4, 3), "readout": "every", "scale": 1.0}


def machine(tiles, overflow):
    wires = {"tiles.count": tiles, "tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 1}
    of_sums = {"dma.bytes_per_cycle": 4, "engine.formats.memory_overflow": overflow}
    return Architecture.named("tiny", dict.fromkeys(WIDTHS, 2) | wires | of_sums | NARROW)


def in_tiles(step, tiles):
    """Return the dW of a step whose sums are made by so many tiles."""
    return replace(step, network=step.network._replace(tiles=tiles)).golden.gradients.stored()


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_sums_of_tiles_are_those_of_one_if_and_only_if_they_wrap(cell):
    wraps, saturates = (random_step(machine(3, overflow), cell, seed=3, **SIZES) for overflow in ("wrap", "saturate"))
    assert (wraps.network.tiles, saturates.network.tiles) == (1, 3)
    for one, of_three in zip(in_tiles(wraps, 1), in_tiles(wraps, 3), strict=True):
        np.testing.assert_array_equal(one, of_three)
    pairs = zip(in_tiles(saturates, 1), in_tiles(saturates, 3), strict=True)
    assert all((one != of_three).any() for one, of_three in pairs)


@pytest.mark.long
@pytest.mark.parametrize(
    ("cell", "tiles", "sizes"),
    [
        ("rnn", 2, {"features": 24, "hidden": (7,), "lengths": (3,), "readout": "every"}),
        ("gru", 3, {"features": 16, "hidden": (9, 5), "lengths": (3, 2)}),
        ("lstm", 2, {"features": 16, "hidden": (7,), "lengths": (3,)}),
    ],
)
def test_gates_of_tiles_whose_sums_saturate(cell, tiles, sizes):
    step = random_step(machine(tiles, "saturate"), cell, seed=4, scale=1.0, **sizes)
    pairs = zip(in_tiles(step, 1), in_tiles(step, tiles), strict=True)
    assert any((one != of_all).any() for one, of_all in pairs)
    check(step, AmaranthSimulation)
