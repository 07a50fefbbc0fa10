"""Several tiles compute what one tile does, bit for bit, and the exchange's laws are those of items on a wire."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.engine import Formats
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.modes import SOON_CYCLES, broadcast, encode, matvec, matvec_t, reduce
from deltatrain.accel.modes.encode import Fired
from deltatrain.accel.tiles import Tiles, by_tile, own_elements, tile_of

any_formats = st.from_type(Formats)
seeds = st.integers(0, 2**32 - 1)
lane_counts, tile_counts = st.sampled_from([1, 2, 3, 4, 8]), st.integers(1, 7)


@given(st.integers(0, 60), lane_counts, tile_counts)
def test_every_element_belongs_to_one_tile_and_the_first_has_most(width, lanes, tiles):
    words = [list(range(first, min(first + lanes, width))) for first in range(0, width, lanes)]
    dealt = [[j for word in words[tile::tiles] for j in word] for tile in range(tiles)]
    assert [np.flatnonzero(tile_of(np.arange(width), lanes, tiles) == tile).tolist() for tile in range(tiles)] == dealt
    own = own_elements(width, lanes, tiles).tolist()
    assert own == [len(part) for part in dealt]
    assert max(own) == own[0]
    assert by_tile(width, lanes, tiles).tolist() == [j for part in dealt for j in part]


@given(any_formats, seeds, st.integers(0, 40), st.integers(0, 40), lane_counts, tile_counts)
def test_broadcast_fragments_are_the_list_of_one_tile(integers_in, formats, seed, width, least, lanes, tiles):
    rng = np.random.default_rng(seed)
    value, held = (integers_in(rng, formats.activation, (width,)) for _ in range(2))
    whole, after = encode.result(value, held, least, formats)
    fragments, held_by_tile = [], held.copy()
    for tile in range(tiles):
        own = np.flatnonzero(tile_of(np.arange(width), lanes, tiles) == tile)
        fragment, held_by_tile[own] = encode.result(value[own], held[own], least, formats)
        fragments.append(Fired(own[fragment.columns], fragment.delta))
    received = broadcast.result(fragments)
    assert (held_by_tile == after).all()
    assert (np.diff(tile_of(received.columns, lanes, tiles)) >= 0).all()
    order = np.argsort(received.columns)
    assert (received.columns[order] == whole.columns).all()
    assert (received.delta[order] == whole.delta).all()


@st.composite
def products(draw):
    """Draw formats that wrap, a generator, neurons, blocks of rows, columns, lanes and tiles."""
    formats = draw(any_formats).model_copy(update={"memory_overflow": "wrap"})
    sizes = (draw(st.integers(1, 20)), draw(st.integers(1, 4)), draw(st.integers(0, 9)))
    return formats, np.random.default_rng(draw(seeds)), *sizes, draw(lane_counts), draw(tile_counts)


def rows_of(tile, neurons, blocks, lanes, tiles):
    """Return the rows of a tile's neurons, block after block."""
    own = np.flatnonzero(tile_of(np.arange(neurons), lanes, tiles) == tile)
    return (np.arange(blocks)[:, None] * neurons + own).ravel()


@given(products())
def test_matvec_t_reduced_over_tiles_is_that_of_one_tile(integers_in, case):
    formats, rng, neurons, blocks, fired, lanes, tiles = case
    W = integers_in(rng, formats.weight, (neurons * blocks, fired))
    g = integers_in(rng, formats.gradient, (neurons * blocks,))
    rows = [rows_of(tile, neurons, blocks, lanes, tiles) for tile in range(tiles)]
    partial = np.stack([matvec_t.partial(W[own], g[own], lanes, formats) for own in rows])
    got = reduce.result(partial, formats.backward_sum, formats.gradient)
    assert (got == matvec_t.result(W, g, lanes, formats)).all()


@given(products())
def test_matvec_of_each_tiles_rows_is_matvec_of_all(integers_in, case):
    formats, rng, neurons, blocks, fired, lanes, tiles = case
    W = integers_in(rng, formats.weight, (neurons * blocks, fired))
    delta = integers_in(rng, formats.activation, (fired,))
    memory = integers_in(rng, formats.memory, (neurons * blocks,))
    order = by_tile(fired, lanes, tiles)  # the list as it is received
    got = memory.copy()
    for tile in range(tiles):
        own = rows_of(tile, neurons, blocks, lanes, tiles)
        got[own] = matvec.result(memory[own], W[own][:, order], delta[order], formats)
    assert (got == matvec.result(memory, W, delta, formats)).all()


@given(products())
def test_read_out_by_columns_reduced_over_tiles_is_that_of_one_tile(integers_in, case):
    formats, rng, neurons, _, classes, lanes, tiles = case
    W = integers_in(rng, formats.weight, (classes, neurons + 1))  # the bias column is the last, and tile 0's
    h = integers_in(rng, formats.activation, (neurons + 1,))
    zero = np.zeros(classes, dtype=np.int64)
    columns = [rows_of(tile, neurons, 1, lanes, tiles) for tile in range(tiles)]
    columns[0] = np.append(columns[0], neurons)
    partial = np.stack([matvec.result(zero, W[:, own], h[own], formats) for own in columns])
    got = reduce.result(partial, formats.memory, formats.memory)
    assert (got == matvec.result(zero, W, h, formats)).all()


@given(any_formats, seeds, st.integers(0, 9), tile_counts)
def test_reduce(exact, integers_in, formats, seed, sums, tiles):
    partial = integers_in(np.random.default_rng(seed), formats.backward_sum, (tiles, sums))
    expected = []
    for s in range(sums):
        total = exact.fit(sum(int(partial[tile, s]) for tile in range(tiles)), formats.backward_sum)
        expected.append(exact.store(exact.real(total, formats.backward_sum), formats.gradient))
    assert reduce.result(partial, formats.backward_sum, formats.gradient).tolist() == expected


@given(st.integers(0, 50), st.integers(1, 9), st.integers(1, 9), st.integers(0, 30), st.integers(1, 2000))
def test_items_pass_one_after_the_other(count, item_bytes, width, latency, tiles):
    wires = Tiles(count=tiles, exchange_bytes_per_cycle=width, exchange_latency_cycles=latency)
    cycles = 0
    for _ in range(count):
        left = item_bytes
        while left > 0:
            left, cycles = left - width, cycles + 1
    engine = Architecture.named("tiny").engine
    level, stages = tiles, 0
    while level > 1:
        level, stages = -(-level // 2), stages + 1
    for mode in (broadcast, reduce):
        assert mode.issue_cycles(np.array([count]), np.array([wires.beats(item_bytes)])).tolist() == [max(1, cycles)]
        assert mode.drain_cycles(engine, wires) == latency + stages + 2 + SOON_CYCLES


@given(st.integers(1, 70), st.integers(0, 9))
def test_a_mesh_is_as_deep_and_as_long_as_a_walk_through_it_finds(count, hop_cycles):
    """Walk from every tile in turn over links to neighbours: the middle is a tile from which all are nearest."""
    in_row = next(width for width in range(1, count + 1) if width * width >= count)
    places = {(number // in_row, number % in_row) for number in range(count)}

    def away(start):
        found, front = {start: 0}, [start]
        for row, column in front:
            for near in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
                if near in places and near not in found:
                    found[near] = found[row, column] + 1
                    front.append(near)
        return found

    walks = [away(start) for start in places]
    depth = min(max(walk.values()) for walk in walks)
    mesh, crossbar = (
        Tiles(count=count, exchange_bytes_per_cycle=1, **kind)
        for kind in ({"hop_cycles": hop_cycles}, {"exchange_latency_cycles": 5})
    )
    assert depth * 2 * hop_cycles <= mesh.latency_cycles <= (depth + 1) * 2 * hop_cycles
    assert all(len(walk) - 1 == mesh.links for walk in walks)
    assert crossbar.links in {sum(walk.values()) for walk in walks}
    assert crossbar.latency_cycles == 5


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ({}, "exchange_latency_cycles is missing, or hop_cycles if the tiles are on a mesh"),
        ({"exchange_latency_cycles": 1, "hop_cycles": 1}, r"either .* must be left out"),
    ],
)
def test_an_exchange_has_one_latency(kind, message):
    tiles = {f"tiles.{name}": value for name, value in ({"count": 3, "exchange_bytes_per_cycle": 4} | kind).items()}
    with pytest.raises(ConfigError, match=message):
        Architecture.named("tiny", tiles)


def test_work_of_the_exchange():
    engine = Architecture.named("tiny").engine
    count, beats, tiles = np.array([7]), np.array([3]), np.array([5])
    sent, added = (mode.work(count, beats, tiles, engine) for mode in (broadcast, reduce))
    assert (sent.local_read_bytes, sent.local_write_bytes) == (7 * 4, 7 * 5 * 4)  # 16-bit index, 16-bit value
    assert (added.local_read_bytes, added.local_write_bytes) == (7 * 5 * 5, 7 * 5 * 5 + 7 * 2)  # 40-bit sums, 16 bits
    assert (sent.exchange_bytes, added.exchange_bytes) == (7 * 4, 7 * (5 + 2))


def test_tiles_need_an_exchange():
    with pytest.raises(ConfigError, match=r"tiles\.exchange_bytes_per_cycle is missing"):
        Architecture.named("edge", {"tiles.count": 4})
    wires = {"tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 3}
    one, four = (Architecture.named("edge", {"tiles.count": count} | wires) for count in (1, 4))
    assert four.lanes == 4 * one.lanes
    assert four.peak_macs_per_second == 4 * one.peak_macs_per_second
    assert Architecture.named("edge").tiles.count == 1
