"""Bytes of a mean step's state, tape and residue, by hand."""

from __future__ import annotations

import math

import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.workloads.lowering.checkpoint.sizes import fired_of, residue_bytes, state_bytes, tape_bytes
from deltatrain.workloads.lowering.shape import Shape

ENGINE = Architecture.named("tiny").engine  # M of 5 bytes, every other value of 2


@pytest.mark.parametrize(
    ("cell", "state", "tape", "residue", "entry"),
    [
        # M, no state of the gates' own; h, h-hat and x-hat | h_gate | nothing but lists
        ("rnn", 5 * 13 + 2 * (13 + 13 + 11), 2 * 13, 0, 4),
        # four blocks of M, h_gate | r, z, n, nh, h_gate_before | h_gate_before
        ("gru", 4 * 5 * 13 + 2 * 13 + 2 * (13 + 13 + 11), 5 * 2 * 13, 2 * 13, 4),
        # four blocks of M, c | i, f, g, o, c_before, tanh_c | c_before
        ("lstm", 4 * 5 * 13 + 2 * 13 + 2 * (13 + 13 + 11), 6 * 2 * 13, 2 * 13, 4),
        # the current is forgotten and nothing held: u and h | u | a reset cannot be undone
        ("lif", 2 * 13 + 2 * 13, 2 * 13, None, 2),
    ],
)
def test_layers_of_6_and_7_neurons_behind_5_inputs(
    cell: str, state: int, tape: int, residue: int | None, entry: int
) -> None:
    shape = Shape(CELL_ARITHMETIC.load(cell), (5, 6), (6, 7), 3)
    assert state_bytes(shape, ENGINE) == state
    for fired in (0.0, 3.0, 7.3):  # entries of both lists of both layers; a part of a byte takes one
        lists = math.ceil(fired * entry)
        assert tape_bytes(shape, ENGINE, fired) == tape + lists
        assert residue_bytes(shape, ENGINE, fired) == (None if residue is None else residue + lists)


@pytest.mark.parametrize(
    ("cell", "bits", "whole", "codes"),
    [
        # h_gate without its side: 5 codes of 3 bits in 2 bytes
        ("rnn", 3, 0, 2 * (2 + 2)),
        # nh and h_gate_before | r, z, n with their sides: 5 codes of 3 bits in 2 bytes
        ("gru", 2, 2 * 2 * 13, 2 * (4 + 5)),
        # c_before | i, f, g, o, tanh_c with their sides: 4 codes of 4 bits in 2 bytes
        ("lstm", 3, 2 * 13, 2 * (8 + 9)),
        ("lif", 3, 2 * 13, 0),
    ],
)
def test_a_tape_of_codes(cell: str, bits: int, whole: int, codes: int) -> None:
    shape = Shape(CELL_ARITHMETIC.load(cell), (5, 6), (6, 7), 3, code_bits=bits)
    assert tape_bytes(shape, ENGINE, 3.0) == whole + codes + math.ceil(3.0 * (2 if cell == "lif" else 4))


def test_a_memory_that_saturates_leaves_no_residue() -> None:
    engine = Architecture.named("tiny", {"engine.formats.memory_overflow": "saturate"}).engine
    assert residue_bytes(Shape(CELL_ARITHMETIC.load("lstm"), (5,), (6,), 3), engine, 1.0) is None


def test_elements_that_fire_are_shares_of_each_stream() -> None:
    shape = Shape(CELL_ARITHMETIC.load("rnn"), (5, 6), (6, 7), 3)
    assert fired_of(shape, (0.4, 0.5), (0.5, 1.0)) == pytest.approx(2 + 3 + 3 + 7)
