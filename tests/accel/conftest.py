"""What tests of the integer arithmetic share: any formats, and rounding and overflow said again in exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import strategies as st

from deltatrain.accel.engine import Formats
from deltatrain.accel.number import NumberFormat

overflows = st.sampled_from(["saturate", "wrap"])


@st.composite
def number_formats(draw, bits=(2, 48), headroom=None):
    """Draw a format; `headroom` is how many bits it has left of the point besides the sign, None for any number."""
    width = draw(st.integers(*bits))
    fraction = draw(st.integers(0, 56)) if headroom is None else width - 1 - draw(st.integers(1, headroom))
    return NumberFormat(bits=width, fraction_bits=max(0, fraction), overflow=draw(overflows))


@st.composite
def formats(draw):
    """Draw formats that `Formats` accepts, as narrow as 8 bits."""
    weight = draw(number_formats(bits=(8, 16), headroom=4))
    activation = draw(number_formats(bits=(8, 16), headroom=7))
    gradient = draw(number_formats(bits=(8, 16), headroom=7))
    product = weight.bits + max(activation.bits, gradient.bits)
    outer_product = activation.bits + gradient.bits
    return Formats(
        weight=weight,
        activation=activation,
        gradient=gradient,
        gate=draw(number_formats(bits=(8, 18), headroom=1)),
        state=draw(number_formats(bits=(8, 18), headroom=5)),
        learning_rate=draw(number_formats(bits=(8, 16), headroom=2)),
        memory_bits=draw(st.integers(product, min(48, product + 8))),
        memory_overflow=draw(overflows),
        weight_gradient_bits=draw(st.integers(outer_product, min(48, outer_product + 8))),
        weight_gradient_overflow=draw(overflows),
    )


st.register_type_strategy(NumberFormat, number_formats())
st.register_type_strategy(Formats, formats())


class Exact:
    """The arithmetic of one number at a time, in Python's integers and fractions."""

    @staticmethod
    def fit(value: int, number: NumberFormat) -> int:
        span = 2**number.bits
        if number.overflow == "wrap":
            value %= span
            return value - span if value >= span // 2 else value
        return sorted((-span // 2, value, span // 2 - 1))[1]

    @classmethod
    def store(cls, value: Fraction, number: NumberFormat) -> int:
        return cls.fit(round(value * 2**number.fraction_bits), number)  # round() of a Fraction takes ties to even

    @staticmethod
    def real(integer: int, number: NumberFormat) -> Fraction:
        return Fraction(int(integer), 2**number.fraction_bits)


@pytest.fixture(scope="session")
def exact():
    return Exact


@pytest.fixture(scope="session")
def integers_in():
    """Return the function from a format, a shape and a generator to integers of that format, its ends among them."""

    def draw(rng, number, shape):
        values = rng.integers(number.lowest, number.highest, shape, endpoint=True)
        small = rng.integers(max(number.lowest, -8), min(number.highest, 8), shape, endpoint=True)
        ends = rng.choice([number.lowest, number.highest, 0], shape)
        share = rng.dirichlet([1, 1, 1])  # of each kind, so that some draws are nearly all ends and some have none
        kind = rng.choice(3, shape, p=share)
        return np.choose(kind, [values, small, ends])

    return draw
