import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.engine import Formats
from deltatrain.accel.modes import loss
from deltatrain.accel.number import rescale, to_float

PRESETS = [Architecture.named(name).engine.formats for name in ("tiny", "edge", "reneta")]


def softmax(logits: np.ndarray) -> np.ndarray:
    power = np.exp(logits - logits.max())
    return power / power.sum()


@st.composite
def readouts(draw):
    """Draw formats, logits from close together to far apart, and a label."""
    formats = draw(st.one_of(st.from_type(Formats), st.sampled_from(PRESETS)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    classes, spread = draw(st.integers(1, 60)), draw(st.sampled_from([0, 0.01, 1, 5, 30, 1e6]))
    logits = np.rint(np.ldexp(rng.normal(size=classes) * spread, formats.memory.fraction_bits))
    logits = np.clip(logits, formats.memory.lowest, formats.memory.highest).astype(np.int64)
    return formats, logits, int(rng.integers(classes))


@given(readouts())
def test_within_the_stated_error_of_softmax(case):
    formats, logits, label = case
    rounded = to_float(rescale(logits, formats.memory.fraction_bits, loss.LOGIT), loss.LOGIT.fraction_bits)
    truth = softmax(rounded) - (np.arange(len(logits)) == label)
    got = to_float(loss.result(logits, label, formats), formats.gradient.fraction_bits)
    assert np.abs(got - truth).max() <= loss.error_bound(len(logits), formats)


@pytest.mark.parametrize("formats", PRESETS)
@pytest.mark.parametrize("classes", [2, 10, 35])
def test_the_stated_error_is_small(formats, classes):
    unit = 2.0**-formats.gradient.fraction_bits  # what flooring to the format costs
    assert loss.error_bound(classes, formats) <= unit + 2.0**-13


@given(readouts())
def test_signs_and_sum(case):
    formats, logits, label = case
    g = loss.result(logits, label, formats)
    others = np.delete(g, label)
    assert (others >= 0).all() and g[label] <= 0
    assert -len(g) < g.sum() <= 0  # each quotient is rounded down by less than one unit


@given(readouts())
def test_order_of_classes_does_not_matter(case):
    formats, logits, label = case
    g = loss.result(logits, label, formats)
    assert (loss.result(logits[::-1], len(logits) - 1 - label, formats) == g[::-1]).all()


@given(readouts())
def test_division_is_a_restoring_dividers(case):
    """Make the quotient bit by bit, as gates would."""
    formats, logits, label = case
    fraction_bits = formats.gradient.fraction_bits
    rounded = rescale(logits, formats.memory.fraction_bits, loss.LOGIT).tolist()
    shift = loss.LOGIT.fraction_bits + loss.LOG2_E_FRACTION_BITS - loss.POWER_INPUT_FRACTION_BITS
    arguments = [(max(rounded) - one) * loss.LOG2_E >> shift for one in rounded]
    powers = loss.power_of_two(np.array(arguments)).tolist()
    for j, power in enumerate(powers):
        rest, quotient = power, 0
        for place in range(fraction_bits + 1):
            quotient = 2 * quotient + (rest >= sum(powers))
            rest = 2 * (rest - sum(powers) * (rest >= sum(powers)))
            assert place < fraction_bits or quotient < 2 ** (fraction_bits + 1)
        assert loss.result(logits, label, formats)[j] == quotient - (j == label) * 2**fraction_bits


def test_log2_e_is_the_nearest():
    assert np.rint(np.log2(np.e) * 2.0**loss.LOG2_E_FRACTION_BITS) == loss.LOG2_E
    assert abs(loss.LOG2_E * 2.0**-loss.LOG2_E_FRACTION_BITS - np.log2(np.e)) < 2.0**-17
