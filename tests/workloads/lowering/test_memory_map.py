"""The memory map: vectors lie end to end, none in another's place, and the bytes are those of their elements."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from programs import EVERY_CELL, architectures, shapes

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.column import accumulator_words
from deltatrain.workloads.lowering.memory_map import Region
from deltatrain.workloads.lowering.placement import memory_map, own_most
from deltatrain.workloads.lowering.shape import Shape

LAYERS = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 4)), min_size=1, max_size=4)


@settings(max_examples=100)
@given(st.integers(1, 9), LAYERS)
def test_vectors_fill_a_region_word_by_word(lanes: int, layers: list[tuple[int, int]]) -> None:
    elements, places = zip(*layers, strict=True)
    region = Region(lanes, elements, places, 1)
    taken = []
    for layer, (width, count) in enumerate(layers):
        for number in range(count):
            first = region.word(layer, number)
            assert first == region.word(layer, number + count)  # so many places apart, the same one
            taken += range(first, first + len(range(0, width, lanes)))
    assert taken == list(range(region.words))
    assert region.bytes == region.words * lanes


def test_bytes_without_padding_are_those_of_the_elements() -> None:
    assert Region(4, (5, 7), (2, 1), 3, padded=False).bytes == (5 + 5 + 7) * 3
    assert Region(4, (5, 7), (2, 1), 3).bytes == (8 + 8 + 8) * 3


@settings(max_examples=60)
@given(shapes(cells=EVERY_CELL), architectures(4))
def test_every_layer_has_its_vectors_in_the_map(shape: Shape, machine: Architecture) -> None:
    found, lanes = memory_map(machine, shape), machine.engine.lanes
    for layer, width in enumerate(shape.hidden):
        words = -(-own_most(machine, width) // lanes)
        assert found.h.word(layer + 1) - found.h.word(layer) == 2 * words
        accumulators = accumulator_words(shape.arithmetic, own_most(machine, width), lanes)
        assert found.memory.word(layer + 1) - found.memory.word(layer) == accumulators
        assert found.state.word(layer + 1) - found.state.word(layer) == len(shape.arithmetic.STATE) * words
    assert found.held.words == bool(shape.encoder.HELD) * sum(
        -(-own_most(machine, width) // lanes) for width in (*shape.inputs, *shape.hidden)
    )
    assert found.logits.elements == (shape.classes,)  # every tile has all of them
