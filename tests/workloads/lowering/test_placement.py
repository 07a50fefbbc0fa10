"""Homes and addresses: sizes against a reckoning by hand, order of the automatic choice, and what does not fit."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import EVERY_CELL, architectures, shapes

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.errors import FitError
from deltatrain.workloads.lowering.placement import Demand, matrices, place, state_bytes
from deltatrain.workloads.lowering.shape import Shape

_DEMAND = Demand(inputs=100, tape=300, tape_slots=350, tape_buffer=80, loss=20, read=0)


@settings(max_examples=60)
@given(shapes(cells=EVERY_CELL), architectures())
def test_a_matrix_has_room_for_every_row_of_every_gate(shape: Shape, architecture: Architecture) -> None:
    lanes = architecture.engine.lanes
    for (stream, layer), (rows, words, columns) in matrices(shape, architecture).items():
        if stream == "readout":
            assert rows == shape.classes
            assert columns == shape.hidden[-1] + 1
            assert (words - 1) * lanes < rows <= words * lanes
            continue
        blocks = shape.arithmetic.BLOCKS_X if stream == "x" else shape.arithmetic.BLOCKS_H
        width = shape.hidden[layer]
        assert rows == len(blocks) * width
        assert words == math.ceil(rows / lanes)
        bias = shape.arithmetic.BIAS_X if stream == "x" else shape.arithmetic.BIAS_H
        assert columns == (shape.inputs[layer] if stream == "x" else width) + bias


@settings(max_examples=60)
@given(shapes(cells=EVERY_CELL), architectures())
def test_tensors_lie_end_to_end_and_the_books_say_what_they_hold(shape: Shape, architecture: Architecture) -> None:
    placed = place(architecture, shape, _DEMAND)
    for use in ("weights", "gradients"):
        tensors = [t for t in placed.tensors if t.kind == use]
        assert len(tensors) == (1 + bool(shape.arithmetic.BLOCKS_H)) * len(shape.hidden) + 1
        home = getattr(architecture.placement, use)
        assert {t.remote for t in tensors} == {home == "remote"}
        book = placed.remote_bytes if home == "remote" else placed.local_bytes
        assert book[use] == sum(t.columns * t.words * t.word_bytes for t in tensors)
        for one, other in itertools.pairwise(tensors):
            assert other.address == one.address + one.bytes
    assert placed.input_address + _DEMAND.inputs == sum(placed.remote_bytes.values())


def test_automatic_homes_are_local_until_the_memory_is_full() -> None:
    shape = Shape(CELL_ARITHMETIC.load("rnn"), (8,), (8,), 4)
    machine = Architecture.named("tiny")
    uses = ("weights", "gradients", "tape")
    entries = sum(words * columns for _, words, columns in matrices(shape, machine).values())
    sizes = {
        "weights": entries * machine.weight_word_bytes,
        "gradients": entries * machine.gradient_word_bytes,
        "tape": _DEMAND.tape,
    }
    base = state_bytes(machine, shape) + _DEMAND.loss + machine.dma.buffer_bytes
    for fitting in range(4):
        room = base + sum(sizes[use] for use in uses[:fitting]) + _DEMAND.tape_buffer * (fitting < 3)
        placed = place(Architecture.named("tiny", {"local.bytes": room}), shape, _DEMAND)
        assert [use for use in uses if use in placed.local_bytes] == list(uses[:fitting])
        assert [use for use in uses if use in placed.remote_bytes] == list(uses[fitting:])


@given(st.integers(1, 10_000))
def test_exactly_the_missing_bytes_make_it_fit(missing: int) -> None:
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (30,), (40,), 4)
    homes = {"placement.weights": "local", "placement.gradients": "local", "placement.tape": "local"}
    needed = sum(place(Architecture.named("tiny", homes | {"local.bytes": 2**20}), shape, _DEMAND).local_bytes.values())
    place(Architecture.named("tiny", homes | {"local.bytes": needed}), shape, _DEMAND)
    with pytest.raises(FitError, match=r"bytes are missing$") as caught:
        place(Architecture.named("tiny", homes | {"local.bytes": needed - missing}), shape, _DEMAND)
    assert f"{needed - missing} is too small" in str(caught.value)


def test_a_narrower_state_is_cheaper_and_the_cells_differ_by_their_accumulators() -> None:
    machine = Architecture.named("tiny")
    sizes = {
        name: state_bytes(machine, Shape(CELL_ARITHMETIC.load(name), (8,), (8,), 4)) for name in CELL_ARITHMETIC.names()
    }
    assert sizes["rnn"] < sizes["gru"]
    assert sizes["rnn"] < sizes["lstm"]
    # One layer of 8 neurons on 4 lanes, by hand: 5-byte M and 2-byte g(M), two banks of each accumulator; x, x-hat and
    # h-hat; h and g(h) twice; no state beside; two lists of input deltas of 4 bytes an entry; the read-out's logits.
    by_hand = 3 * 8 * 2 + 2 * 1 * 8 * (5 + 2) + (8 + 8) * (2 + 2) + 2 * 8 * (2 + 2) + 2 * 8 * 4 + 4 * 5
    assert sizes["rnn"] == by_hand
    # As many inputs as may be on their way have room beside the one in use, two at least.
    for in_flight, more in ((1, 0), (2, 0), (7, 5)):
        machine = Architecture.named("tiny", {"dma.in_flight": in_flight})
        assert state_bytes(machine, Shape(CELL_ARITHMETIC.load("rnn"), (8,), (8,), 4)) == by_hand + more * 8 * 2
    # An LSTM has four accumulators, and c with g(c).
    assert sizes["lstm"] == by_hand + 2 * 3 * 8 * (5 + 2) + 8 * (2 + 2)


@pytest.mark.parametrize(("cell", "entries"), [("lstm", (6 + 8 + 8 + 12) * 4), ("lif", (6 + 8) * 2)])
def test_a_tile_has_room_for_two_steps_of_lists_and_the_sums_of_two_products(cell: str, entries: int) -> None:
    """Of two layers: entries of deltas take 4 bytes, of spikes 2, and no spikes return; then sums, and logits."""
    tiles = {"tiles.count": 2, "tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 4}
    shape = Shape(CELL_ARITHMETIC.load(cell), (6, 8), (8, 12), 3)
    placed = place(Architecture.named("tiny", tiles), shape, _DEMAND)
    assert placed.local_bytes["exchange buffers"] == 2 * entries + 2 * (12 + 3) * 5
