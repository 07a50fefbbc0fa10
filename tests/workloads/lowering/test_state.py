"""What restarts a step, and what of its tape cannot be undone: vectors counted by hand, each in whole words."""

from __future__ import annotations

import numpy as np
import pytest
from programs import recorded_step

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.workloads.lowering.lists import fired_lists
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.state import State
from deltatrain.workloads.lowering.tape import Tape

_LSTM = CELL_ARITHMETIC.load("lstm")
TILES = {"tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 4}


@pytest.mark.parametrize(
    ("cell", "memories", "values", "inputs"),  # vectors of M; of c (or h_gate, u), h and h-hat; of x-hat
    [("rnn", 1, 2, 1), ("gru", 4, 3, 1), ("lstm", 4, 3, 1), ("lif", 0, 2, 0)],
)
def test_a_state_is_its_vectors_in_whole_words(cell: str, memories: int, values: int, inputs: int) -> None:
    """6 neurons behind 3 inputs, then 9 behind 6, on 4 lanes: 8 and 4, 12 and 8 values; M of 5 bytes, all else of 2."""
    machine = Architecture.named("tiny", {"engine.elementwise_lanes": 2})
    state = State(machine, Shape(CELL_ARITHMETIC.load(cell), (3, 6), (6, 9), 2))
    expected = [padded * (5 * memories + 2 * values) + x * 2 * inputs for padded, x in ((8, 4), (12, 8))]
    assert state.bytes.tolist() == state.own_bytes.tolist() == expected
    # Copied a word of two values a cycle: 3 words of 6 neurons and 2 of 3 inputs, 5 of 9 and 3 of 6.
    assert state.copy_words.tolist() == [words * (memories + values) + x * inputs for words, x in ((3, 2), (5, 3))]
    assert state.offset(np.array([0, 1, 0, 1]), np.array([0, 0, 2, 2])).tolist() == [
        0,
        expected[0],
        2 * sum(expected),
        2 * sum(expected) + expected[0],
    ]


def test_a_tile_keeps_the_state_of_its_own_neurons() -> None:
    """9 neurons are words of 4, 4 and 1; of two tiles the first has the 4 and the 1, in 8 lanes; so with 9 inputs."""
    machine = Architecture.named("tiny", TILES | {"tiles.count": 2})
    state = State(machine, Shape(CELL_ARITHMETIC.load("lstm"), (9,), (9,), 2))
    assert state.bytes.tolist() == [12 * (5 * 4 + 2 * 3) + 12 * 2]
    assert state.own_bytes.tolist() == [8 * (5 * 4 + 2 * 3) + 8 * 2]


@pytest.mark.parametrize(("cell", "undone"), [("rnn", 1), ("gru", 4), ("lstm", 5), ("lif", 0)])
def test_what_a_step_backwards_makes_again_is_no_residue(cell: str, undone: int) -> None:
    """All of the tape's vectors but those of the state before; 6 neurons take two words of four values of 2 bytes."""
    machine, shape = Architecture.named("tiny"), Shape(CELL_ARITHMETIC.load(cell), (3,), (6,), 2)
    lists = fired_lists(recorded_step(shape, np.array([4, 2]), 0.5, 1), shape, machine.engine)
    tape = Tape(machine, shape, lists)
    runs = np.arange(4) < np.array([4, 2])[:, None]
    assert (tape.own_bytes[0] - tape.residue[0]).tolist() == (runs * undone * 2 * 4 * 2).tolist()


@pytest.mark.parametrize(("in_flight", "values", "lists"), [(1, 2, 4 + 2), (2, 2, 4 + 2), (5, 5, 4 + 2 + 3 + 3)])
def test_off_chip_a_tape_has_room_for_the_steps_on_their_way(in_flight: int, values: int, lists: int) -> None:
    """Values of two steps, lists of four that were made and two that were loaded; and of each step more on its way.

    6 neurons behind 3 inputs on 4 lanes: an LSTM's 6 vectors are 2 words of 8 bytes each; full lists are 3 and 6
    entries of 4 bytes, 2 and 3 words.
    """
    machine, shape = Architecture.named("tiny", {"dma.in_flight": in_flight}), Shape(_LSTM, (3,), (6,), 2)
    tape = Tape(machine, shape, fired_lists(recorded_step(shape, np.array([4, 2]), 0.5, 1), shape, machine.engine))
    assert tape.buffer_bytes == values * 6 * 2 * 8 + lists * (2 + 3) * 8
    assert tape.made_list_bytes == 4 * (2 + 3) * 8
    assert tape.slot_bytes.tolist() == [6 * 2 * 8 + (2 + 3) * 8]
    assert tape.remote_bytes == 4 * (6 * 2 * 8 + (2 + 3) * 8)
