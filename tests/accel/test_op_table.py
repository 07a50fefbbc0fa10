"""The op table is asked by name, and a tensor's name follows from what it is."""

from __future__ import annotations

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import MODES
from deltatrain.accel.op_table import MODE_NAMES, PHASES, STREAMS, UNITS, Ops
from deltatrain.accel.program import Program
from deltatrain.accel.tensor import Tensor


def _program() -> Program:
    """Return one op of each mode, in all phases and streams in turn."""
    table = Ops.blank(len(MODE_NAMES))
    number = np.arange(len(MODE_NAMES))
    table["mode"][:] = number
    table["phase"][:], table["stream"][:] = number % len(PHASES), number % len(STREAMS)
    return Program(Architecture.named("tiny"), Ops(**table), (), np.zeros(0, np.int32), {}, {})


def test_each_op_is_of_one_mode_phase_stream_and_unit() -> None:
    program = _program()
    ops = program.ops
    for names, asked in (
        (MODE_NAMES, ops.is_mode),
        (PHASES, ops.is_phase),
        (STREAMS, ops.is_stream),
        (UNITS, program.is_unit),
    ):
        each = np.stack([asked(name) for name in names])
        assert (each.sum(axis=0) == 1).all()
        np.testing.assert_array_equal(asked(*names[:2]), each[0] | each[1])
        assert not asked().any()


def test_an_op_has_the_unit_of_its_mode_and_writes_back_if_the_mode_does() -> None:
    program = _program()
    for op, name in enumerate(MODE_NAMES):
        assert UNITS[program.unit[op]] == MODES.load(name).UNIT
    assert [MODE_NAMES[op] for op in np.flatnonzero(program.writes_back)] == [
        *("moments", "outer", "update", "update_decay", "update_momentum"),
    ]


def test_an_unknown_name_is_not_taken_for_none() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        _program().ops.is_mode("matvecs")


@pytest.mark.parametrize(
    ("kind", "stream", "layer", "name"),
    [
        ("weights", "x", 0, "W_x[0]"),
        ("gradients", "h", 2, "dW_h[2]"),
        ("weights", "readout", 1, "W_readout"),
        ("gradients", "readout", 1, "dW_readout"),
    ],
)
def test_a_tensor_is_called_by_kind_stream_and_layer(kind, stream, layer, name):
    assert Tensor(kind, stream, layer, False, 0, 1, 1, 4).name == name


def test_a_tensor_s_words_follow_its_address() -> None:
    matrix = Tensor("weights", "x", 0, False, 96, 3, 2, 8)
    assert (matrix.first_word, matrix.bytes) == (12, 48)
    assert (matrix.first_words.tolist(), matrix.column_words.tolist()) == ([0, 2, 4], [2, 2, 2])
