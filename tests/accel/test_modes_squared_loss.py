"""The squared loss in integers: against fractions, against its own number stated bit by bit, and in its cycles."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.engine import Formats
from deltatrain.accel.modes import SOON_CYCLES, squared_loss


@given(st.from_type(Formats), st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_the_gradient_is_the_nearest_number_to_the_error(formats, seed, outputs):
    rng = np.random.default_rng(seed)
    memory, gradient = formats.memory, formats.gradient
    ends = rng.choice([1, 2.0 ** -(memory.bits // 2)])
    found, wanted = (
        rng.integers(int(memory.lowest * ends), int(memory.highest * ends), outputs, endpoint=True) for _ in range(2)
    )
    for output, asked, got in zip(
        found.tolist(), wanted.tolist(), squared_loss.result(found, wanted, formats).tolist(), strict=True
    ):
        nearest = round(Fraction(output - asked, 2**memory.fraction_bits) * 2**gradient.fraction_bits)  # ties to even
        if gradient.overflow == "saturate":
            assert got == min(max(nearest, gradient.lowest), gradient.highest)
        else:
            assert gradient.lowest <= got <= gradient.highest and (got - nearest) % 2**gradient.bits == 0


def test_what_is_right_has_no_gradient_and_takes_a_cycle_each():
    engine = Architecture.named("tiny").engine
    outputs = np.array([3, -(1 << 20), 0, 7])
    assert not squared_loss.result(outputs, outputs, engine.formats).any()
    cycles = squared_loss.issue_cycles(np.array(4), np.array(squared_loss.class_cycles(engine.formats)))
    assert cycles == 4 and squared_loss.drain_cycles(engine) == 19 + SOON_CYCLES
