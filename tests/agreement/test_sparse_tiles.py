"""Sparse weights on several tiles: every entry is the golden model's, every counter that of the law."""

from __future__ import annotations

import numpy as np
import pytest
from gate_steps import check
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel import shares
from deltatrain.accel.architecture import Architecture
from deltatrain.accel.column import column_words
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.random_step import random_step

TILES = {"tiles.exchange_bytes_per_cycle": 8, "tiles.exchange_latency_cycles": 2, "placement.tape": "local"}
TWO_LANES = {
    **{"engine.lanes": 2, "engine.encoder_elements": 2, "engine.elementwise_lanes": 2},
    "dma.bytes_per_cycle": 4,
}
OFF_CHIP = {"placement.weights": "remote", "placement.gradients": "remote", "dma.bytes_per_cycle": 3}
APART = {"placement.weights": "local", "placement.gradients": "remote"}


def sparse_step(tiles, cell, described, seed, density, **sizes):
    architecture = Architecture.named("tiny", TILES | TWO_LANES | {"tiles.count": tiles} | described)
    return random_step(architecture, cell, seed=seed, density=density, **sizes)


def test_tiles_of_which_one_has_more_neurons_train_the_weights_that_exist():
    sizes = {"features": 2, "hidden": (5,), "classes": 3, "lengths": (2,), "readout": "every"}
    step = sparse_step(2, "rnn", OFF_CHIP, 3, 0.3, **sizes)
    assert any(tensor.compressed.words.max() > 1 for tensor in step.program.tensors)
    check(step, AmaranthSimulation)


@pytest.mark.long
@pytest.mark.parametrize("described", [{}, OFF_CHIP, APART], ids=["local", "off-chip", "apart"])
@pytest.mark.parametrize(("tiles", "cell"), [(2, "rnn"), (3, "gru"), (2, "lstm"), (4, "lstm"), (5, "gru")])
def test_larger_matrices_on_more_tiles(tiles, cell, described):
    for seed in range(2):
        sizes = {"features": 6, "hidden": (14, 7), "classes": 5, "readout": ("last", "every")[seed]}
        check(sparse_step(tiles, cell, described, seed, (0.1, 0.4)[seed], **sizes), AmaranthSimulation)


@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 5), st.sampled_from([1, 2, 4]), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_rows_lie_side_by_side_as_one_tile_of_all_lanes_has_them(blocks, width, columns, lanes, tiles):
    matrix = np.arange(1, blocks * width * columns + 1).reshape(-1, columns)
    words = shares.of_rows(matrix, blocks, lanes, tiles)
    beside = shares.side_by_side(words, columns)
    assert beside.shape == (column_words(blocks, width, lanes, tiles) * lanes * tiles, columns)
    for tile in range(tiles):
        of_tile = beside.reshape(-1, tiles, lanes, columns)[:, tile]
        np.testing.assert_array_equal(shares.side_by_side(words[[tile]], columns), of_tile.reshape(-1, columns))
    if blocks == 1:  # of one gate the neurons are in their order
        np.testing.assert_array_equal(beside[:width], matrix)
    np.testing.assert_array_equal(shares.apart(beside, lanes, tiles), words)
