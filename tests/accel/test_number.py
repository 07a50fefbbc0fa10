from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from deltatrain.accel.description import Description
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.number import (
    NumberFormat,
    accumulate,
    fit,
    move_point,
    quantise,
    rescale,
    round_sum,
    shift_right_nearest_even,
    to_float,
)

numbers = st.from_type(NumberFormat)
wide = st.integers(-(2**62), 2**62 - 1)


def one(value: int) -> np.ndarray:
    return np.array([value], dtype=np.int64)


@given(values=st.lists(wide, min_size=1, max_size=9), number=numbers)
def test_fit_is_clipping_or_modular_arithmetic(exact, values, number):
    assert fit(np.array(values), number).tolist() == [exact.fit(v, number) for v in values]


@given(values=st.lists(wide, min_size=1, max_size=9), number=numbers)
def test_fit_leaves_what_fits_and_always_lands_in_range(values, number):
    fitted = fit(np.array(values), number)
    assert (fitted >= number.lowest).all() and (fitted <= number.highest).all()
    assert (fit(fitted, number) == fitted).all()


@given(value=wide, shift=st.integers(0, 62))
def test_shift_is_division_rounded_to_even(value, shift):
    assert shift_right_nearest_even(one(value), shift) == round(Fraction(value, 2**shift))


@given(half=st.integers(-(2**40), 2**40), shift=st.integers(1, 20))
def test_ties_go_to_even(half, shift):
    tie = one((2 * half + 1) << (shift - 1))
    assert shift_right_nearest_even(tie, shift) % 2 == 0


@given(value=st.integers(-(2**40), 2**40), fraction=st.integers(0, 40), to=st.integers(0, 20))
def test_move_point_rounds_without_fitting(value, fraction, to):
    assert move_point(one(value), fraction, to) == round(Fraction(value, 2**fraction) * 2**to)


@given(value=st.integers(-(2**44), 2**44), fraction=st.integers(0, 40), number=numbers)
def test_rescale_is_one_rounding_then_overflow(exact, value, fraction, number):
    fraction = max(fraction, number.fraction_bits - 18)  # further left an int64 could not hold it
    assert rescale(one(value), fraction, number) == exact.store(Fraction(value, 2**fraction), number)


@given(data=st.data(), number=numbers, terms=st.integers(1, 4))
def test_round_sum_is_the_exact_sum_rounded_once(exact, data, number, terms):
    pairs = [(data.draw(st.integers(-(2**34), 2**34)), data.draw(st.integers(20, 44))) for _ in range(terms)]
    total = sum(Fraction(value, 2**fraction) for value, fraction in pairs)
    number = number.model_copy(update={"fraction_bits": min(number.fraction_bits, 36)})
    got = round_sum(number, *((one(value), fraction) for value, fraction in pairs))
    assert got == exact.store(total, number)


@given(
    data=st.data(),
    number=st.builds(
        NumberFormat, bits=st.integers(2, 48), fraction_bits=st.just(0), overflow=st.sampled_from(["saturate", "wrap"])
    ),
)
def test_accumulate_adds_one_by_one(exact, data, number):
    terms = data.draw(
        hnp.arrays(
            np.int64,
            st.tuples(st.integers(0, 12), st.integers(1, 4)),
            elements=st.integers(2 * number.lowest, 2 * number.highest),
        )
    )
    start = data.draw(hnp.arrays(np.int64, terms.shape[1], elements=st.integers(number.lowest, number.highest)))
    expected = []
    for column, total in zip(terms.T.tolist(), start.tolist(), strict=True):
        for term in column:
            total = exact.fit(total + term, number)
        expected.append(total)
    assert accumulate(start, terms, number).tolist() == expected


def test_saturation_on_the_way_is_not_the_saturated_sum():
    byte = NumberFormat(bits=8, fraction_bits=0)
    assert accumulate(one(100), np.array([[100], [-100]]), byte) == 27  # 100 + 100 -> 127, - 100
    assert accumulate(one(100), np.array([[-100], [100]]), byte) == 100


@given(value=st.floats(allow_nan=False, allow_infinity=False), number=numbers)
def test_quantise_is_the_nearest_integer_or_the_nearest_end(value, number):
    nearest = round(Fraction(value) * 2**number.fraction_bits)
    assert quantise(np.array([value]), number) == sorted((number.lowest, nearest, number.highest))[1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_quantise_refuses_what_is_no_number(value):
    with pytest.raises(ConfigError, match="finite"):
        quantise(np.array([0.0, value]), NumberFormat(bits=8, fraction_bits=0))


@given(number=numbers, share=st.floats(0, 1))
def test_quantise_undoes_to_float(number, share):
    value = int(number.lowest + share * (number.highest - number.lowest))
    assert quantise(to_float(one(value), number.fraction_bits), number) == value


@given(number=numbers)
def test_bytes_hold_the_bits(number):
    assert 8 * (number.bytes - 1) < number.bits <= 8 * number.bytes


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("bits", 1, "bits must be at least 2"),
        ("bits", 49, "bits must be at most 48"),
        ("bits", 8.5, "bits must be an integer"),
        ("fraction_bits", -1, "fraction_bits must be at least 0"),
        ("fraction_bits", 61, "fraction_bits must be at most 60"),
        ("overflow", "round", "overflow must be one of"),
    ],
)
def test_bad_formats_are_refused_in_one_line(field, value, message):
    class Machine(Description):
        number: NumberFormat

    with pytest.raises(ConfigError, match=message) as caught:
        Machine.from_table({"number": {"bits": 8, "fraction_bits": 4, field: value}})
    assert "\n" not in str(caught.value)


@given(data=st.data(), fraction=st.integers(0, 20))
def test_rescale_agrees_with_apytypes(data, fraction):
    apytypes = pytest.importorskip("apytypes", reason="apytypes, an independent oracle of rounding, is not installed")
    number = data.draw(numbers.filter(lambda n: n.fraction_bits < n.bits))
    values = data.draw(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=8))
    fraction = max(fraction, number.fraction_bits - 20)
    mode = apytypes.OverflowMode.SAT if number.overflow == "saturate" else apytypes.OverflowMode.WRAP
    cast = apytypes.APyFixedArray(values, int_bits=48, frac_bits=fraction).cast(
        int_bits=number.bits - number.fraction_bits,
        frac_bits=number.fraction_bits,
        quantization=apytypes.QuantizationMode.TIES_EVEN,
        overflow=mode,
    )
    # Bit patterns: the value that apytypes 0.5.1 gives for a wrapped number lacks the extension of its sign.
    mask = (1 << number.bits) - 1
    rescaled = rescale(np.array(values), fraction, number).tolist()
    assert [value & mask for value in rescaled] == [pattern & mask for pattern in cast.to_bits()]


def test_stochastic_rounding_is_refused_by_name():
    with pytest.raises(ConfigError, match="rounding must be left out, not 'stochastic'"):
        NumberFormat.from_table({"bits": 8, "fraction_bits": 4, "rounding": "stochastic"})
