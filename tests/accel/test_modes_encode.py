import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.engine import Formats
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.modes import encode

any_formats = st.from_type(Formats)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def streams(draw):
    """Draw formats, a generator, a width and a threshold, small ones often."""
    formats = draw(any_formats)
    least = draw(st.one_of(st.integers(0, 4), st.integers(0, 2 ** (formats.activation.bits + 1))))
    return formats, np.random.default_rng(draw(seeds)), draw(st.integers(1, 20)), least


@given(streams())
def test_encode_element_by_element(integers_in, stream):
    formats, rng, width, least = stream
    value, held = (integers_in(rng, formats.activation, (width,)) for _ in range(2))
    held[: width // 3] = value[: width // 3]  # some that did not move
    kept = held.copy()
    fired, after = encode.result(value, held, least, formats)
    expected, moved = [], []
    for j, (x, x_hat) in enumerate(zip(value.tolist(), held.tolist(), strict=True)):
        difference = x - x_hat
        if difference != 0 and not -least < difference < least:
            delta = max(formats.activation.lowest, min(formats.activation.highest, difference))
            expected.append((j, delta))
            x_hat += delta
        moved.append(x_hat)
    assert list(zip(fired.columns.tolist(), fired.delta.tolist(), strict=True)) == expected
    assert after.tolist() == moved
    assert (held == kept).all()


@given(streams())
def test_held_stays_in_range_and_arrives_unless_the_delta_saturated(integers_in, stream):
    formats, rng, width, least = stream
    value, held = (integers_in(rng, formats.activation, (width,)) for _ in range(2))
    fired, after = encode.result(value, held, least, formats)
    assert ((after >= np.minimum(value, held)) & (after <= np.maximum(value, held))).all()
    ends = (formats.activation.lowest, formats.activation.highest)
    arrived = ~np.isin(fired.delta, ends)
    assert (after[fired.columns][arrived] == value[fired.columns][arrived]).all()


@given(streams())
def test_deltas_add_up_to_the_held_value(integers_in, stream):
    formats, rng, width, least = stream
    held, total = np.zeros(width, dtype=np.int64), np.zeros(width, dtype=np.int64)
    for value in integers_in(rng, formats.activation, (6, width)):
        fired, held = encode.result(value, held, least, formats)
        total[fired.columns] += fired.delta
    assert (total == held).all()


@given(theta=st.floats(0, 100) | st.floats(0, 1.7e308), formats=any_formats, difference=st.integers(-(2**17), 2**17))
def test_threshold_decides_as_the_real_numbers_do(theta, formats, difference):
    reached = abs(np.ldexp(difference, -formats.activation.fraction_bits)) >= theta
    assert (abs(difference) >= encode.threshold(theta, formats)) == reached


@given(any_formats, st.integers(1, 100))
def test_the_tie_fires_and_one_less_does_not(formats, least):
    step = min(least, formats.activation.highest)
    zero = np.zeros(1, dtype=np.int64)
    assert len(encode.result(np.array([step]), zero, step, formats)[0].columns) == 1
    assert len(encode.result(np.array([-step]), zero, step, formats)[0].columns) == 1
    assert len(encode.result(np.array([step - 1]), zero, step, formats)[0].columns) == 0


@given(
    st.integers(0, 30), st.sampled_from([1, 2, 4, 8]), st.sampled_from([1, 2, 4, 8]), st.integers(1, 4), st.floats(0, 1)
)
def test_a_scan_takes_a_cycle_for_each_entry_and_for_each_group_without(width, elements, lanes, tiles, share):
    """Group by group, of the tile that takes longest; a vector without elements passes in one cycle."""
    engine = Architecture.named("tiny").engine.model_copy(update={"encoder_elements": elements, "lanes": lanes})
    fired = np.random.default_rng(width).random(width) < share
    longest = 1
    for tile in range(tiles):
        own = [one for j, one in enumerate(fired.tolist()) if j // lanes % tiles == tile]
        groups = [own[first : first + elements] for first in range(0, len(own), elements)]
        longest = max(longest, sum(max(1, sum(group)) for group in groups))
        assert encode.pass_cycles(len(own), engine) == len(groups)
    assert encode.scan_cycles(fired, engine, tiles) == longest


@given(any_formats)
def test_no_threshold_fires_on_no_change(formats):
    same = np.array([formats.activation.highest, 0, formats.activation.lowest])
    fired, _ = encode.result(same, same, 0, formats)
    assert len(fired.columns) == 0


@pytest.mark.parametrize("theta", [-0.1, float("nan"), float("inf")])
def test_bad_thresholds_are_refused(theta):
    with pytest.raises(ConfigError, match=r"threshold must be a finite number of at least 0"):
        encode.threshold(theta, Architecture.named("tiny").engine.formats)


@given(streams())
def test_adjoint_element_by_element(exact, integers_in, stream):
    formats, rng, width, _ = stream
    g_held = integers_in(rng, formats.gradient, (width,))
    mask = rng.random(width) < rng.random()
    columns = np.flatnonzero(mask)
    s = integers_in(rng, formats.gradient, (len(columns),))
    g_value, before = encode.adjoint(g_held, columns, s, formats)
    of_column = dict(zip(columns.tolist(), s.tolist(), strict=True))
    for j in range(width):
        if mask[j]:
            assert g_value[j] == exact.fit(int(g_held[j]) + of_column[j], formats.gradient)
            assert before[j] == exact.fit(-of_column[j], formats.gradient)
        else:
            assert (g_value[j], before[j]) == (0, g_held[j])


@given(streams())
def test_adjoint_is_the_transpose_of_encoding(integers_in, stream):
    """For fixed masks, <g_held, x_hat after> + <s, delta> = <g_value, x> + <before, x_hat> for any numbers."""
    formats, rng, width, _ = stream
    mask = rng.random(width) < 0.5
    columns = np.flatnonzero(mask)
    half = formats.gradient.highest // 2
    g_held, s_all = rng.integers(-half, half, (2, width), endpoint=True)
    x, x_hat = rng.integers(-100, 100, (2, width))
    g_value, before = encode.adjoint(g_held, columns, s_all[columns], formats)
    after, delta = np.where(mask, x, x_hat), np.where(mask, x - x_hat, 0)
    assert g_held @ after + s_all @ delta == g_value @ x + before @ x_hat
