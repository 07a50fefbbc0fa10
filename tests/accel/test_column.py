"""Columns have no padding but the lanes behind their last row, and no two rows of M share a place."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.cells import CELL_ARITHMETIC, accumulator_rows
from deltatrain.accel.column import accumulator_words, column_words, gate_places
from deltatrain.accel.tiles import tile_of

widths, lane_counts, tile_counts = st.integers(1, 70), st.integers(1, 17), st.integers(1, 5)
cells = st.sampled_from(CELL_ARITHMETIC.names())


@given(st.integers(1, 4), widths, lane_counts, tile_counts)
def test_a_column_has_as_many_words_as_the_rows_of_the_fullest_tile_need(gates, width, lanes, tiles):
    owner = tile_of(np.arange(width), lanes, tiles)
    rows = [gates * int((owner == tile).sum()) for tile in range(tiles)]
    words = column_words(gates, width, lanes, tiles)
    assert words == max(math.ceil(own / lanes) for own in rows)
    if tiles == 1:
        assert words == math.ceil(gates * width / lanes)


@given(cells, widths, lane_counts)
def test_every_row_of_m_has_its_own_place_in_the_lane_of_its_row_of_w(cell, width, lanes):
    arithmetic = CELL_ARITHMETIC.load(cell)
    first = np.array([place.word * lanes + place.lane for place in gate_places(arithmetic, width, lanes)])
    place = (first[:, None] + np.arange(width)).ravel()
    assert len(set(place.tolist())) == len(place) and place.max() < accumulator_words(arithmetic, width, lanes) * lanes
    for blocks in filter(None, (arithmetic.BLOCKS_X, arithmetic.BLOCKS_H)):
        rows = accumulator_rows(blocks, width)
        assert (place[rows] % lanes == np.arange(len(rows)) % lanes).all()


@given(cells, widths, lane_counts)
def test_gates_of_whole_words_lie_as_blocks_of_words(cell, chunks, lanes):
    arithmetic = CELL_ARITHMETIC.load(cell)
    places = gate_places(arithmetic, chunks * lanes, lanes)
    assert places == [(block * chunks, 0) for block in range(arithmetic.ACCUMULATORS)]
    assert accumulator_words(arithmetic, chunks * lanes, lanes) == arithmetic.ACCUMULATORS * chunks
