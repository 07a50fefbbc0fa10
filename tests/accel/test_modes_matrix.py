"""The four matrix modes against loops over single elements in Python's integers."""

from fractions import Fraction
from math import isqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.engine import Formats
from deltatrain.accel.machine_optimiser import MachineOptimiser
from deltatrain.accel.modes import matvec, matvec_t, moments, norm, outer, update, update_decay, update_momentum
from deltatrain.accel.number import fit
from deltatrain.workloads.optimisers import adamw, sgd
from deltatrain.workloads.training import updates

any_formats = st.from_type(Formats)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def cases(draw):
    """Draw formats, a generator, rows a block, blocks, columns fired and lanes."""
    return (
        draw(any_formats),
        np.random.default_rng(draw(seeds)),
        draw(st.integers(1, 7)),
        draw(st.integers(1, 4)),
        draw(st.integers(0, 9)),
        draw(st.sampled_from([1, 2, 3, 4, 8])),
    )


@given(cases())
def test_matvec(exact, integers_in, case):
    formats, rng, width, blocks, fired, _ = case
    W = integers_in(rng, formats.weight, (width * blocks, fired))
    delta = integers_in(rng, formats.activation, (fired,))
    memory = integers_in(rng, formats.memory, (width * blocks,))
    expected = memory.tolist()
    for j in range(fired):
        for r in range(len(expected)):
            expected[r] = exact.fit(expected[r] + int(W[r, j]) * int(delta[j]), formats.memory)
    assert matvec.result(memory, W, delta, formats).tolist() == expected


@given(cases())
def test_memory_runs_backwards_exactly_where_it_wraps(integers_in, case):
    formats, rng, width, blocks, fired, _ = case
    formats = formats.model_copy(update={"memory_overflow": "wrap"})
    W = integers_in(rng, formats.weight, (width * blocks, fired))
    delta = integers_in(rng, formats.activation, (fired,))
    memory = integers_in(rng, formats.memory, (width * blocks,))
    assert (matvec.undo(matvec.result(memory, W, delta, formats), W, delta, formats) == memory).all()


@given(cases(), st.integers(1, 5))
def test_sums_of_arrays_add_up_to_memory_where_it_wraps(integers_in, case, arrays):
    """Each array adds up its own columns, the first onto M; then a tree adds up all of them (`accel.arrays`)."""
    formats, rng, width, blocks, fired, _ = case
    formats = formats.model_copy(update={"memory_overflow": "wrap"})
    W = integers_in(rng, formats.weight, (width * blocks, fired))
    delta = integers_in(rng, formats.activation, (fired,))
    memory, array = integers_in(rng, formats.memory, (width * blocks,)), rng.permutation(fired) % arrays
    sums = [
        matvec.result(memory if one == 0 else np.zeros_like(memory), W[:, array == one], delta[array == one], formats)
        for one in range(arrays)
    ]
    assert (fit(np.sum(sums, axis=0), formats.memory) == matvec.result(memory, W, delta, formats)).all()


@given(any_formats)
def test_memory_that_saturates_cannot_run_backwards(formats):
    saturating = formats.model_copy(update={"memory_overflow": "saturate"})
    nothing = np.zeros(1, dtype=np.int64)
    with pytest.raises(ValueError, match="must wrap"):
        matvec.undo(nothing, np.zeros((1, 1), dtype=np.int64), nothing, saturating)


@given(cases())
def test_matvec_t(exact, integers_in, case):
    formats, rng, width, blocks, fired, lanes = case
    W = integers_in(rng, formats.weight, (width * blocks, fired))
    g = integers_in(rng, formats.gradient, (width * blocks,))
    expected = []
    for j in range(fired):
        total = 0
        for first in range(0, width * blocks, lanes):
            rows = range(first, min(first + lanes, width * blocks))
            total = exact.fit(total + sum(int(W[r, j]) * int(g[r]) for r in rows), formats.backward_sum)
        expected.append(exact.store(exact.real(total, formats.backward_sum), formats.gradient))
    assert matvec_t.result(W, g, lanes, formats).tolist() == expected


@pytest.mark.parametrize(
    ("signs", "lanes", "expected"), [("+++---", 6, 6), ("+++---", 3, -128), ("++-+--", 3, 6), ("++-+--", 1, 4)]
)
def test_a_word_is_summed_exactly_before_it_can_saturate(signs, lanes, expected):
    """Three products of 16384 and three of -16256 in a sum of 16 bits; the result drops 6 of its fraction bits.

    In one word their sum is 384, in units of the result 6. As two words of +++ and ---, 49152 is cut to 32767, less
    48768 is -16001, which 8 bits cut to -128. As ++- and +-- nothing is cut, but one by one 32768 and 32895 are each
    cut to 32767: 255 is left, nearest to 4 units.
    """
    formats = Formats(
        weight={"bits": 8, "fraction_bits": 6},
        activation={"bits": 8, "fraction_bits": 6},
        gate={"bits": 8, "fraction_bits": 6},
        state={"bits": 8, "fraction_bits": 3},
        gradient={"bits": 8, "fraction_bits": 6},
        learning_rate={"bits": 8, "fraction_bits": 6},
        memory_bits=16,
        memory_overflow="saturate",
        weight_gradient_bits=16,
    )
    W = np.array([[-128 if sign == "+" else 127] for sign in signs])
    assert matvec_t.result(W, np.array([-128] * 6), lanes, formats) == expected


@given(cases())
def test_what_fills_the_last_word_changes_nothing(integers_in, case):
    formats, rng, width, blocks, fired, lanes = case
    W = integers_in(rng, formats.weight, (blocks * width, fired))
    g = integers_in(rng, formats.gradient, (blocks * width,))
    empty = -blocks * width % lanes
    padded_W, padded_g = np.pad(W, ((0, empty), (0, 0))), np.pad(g, (0, empty))
    assert (matvec_t.result(padded_W, padded_g, lanes, formats) == matvec_t.result(W, g, lanes, formats)).all()


@given(cases())
def test_outer(exact, integers_in, case):
    formats, rng, width, blocks, fired, _ = case
    dW = integers_in(rng, formats.weight_gradient, (width * blocks, fired))
    g = integers_in(rng, formats.gradient, (width * blocks,))
    delta = integers_in(rng, formats.activation, (fired,))
    expected = [
        [exact.fit(int(dW[r, j]) + int(g[r]) * int(delta[j]), formats.weight_gradient) for j in range(fired)]
        for r in range(len(g))
    ]
    assert outer.result(dW, g, delta, formats).tolist() == expected


@given(cases())
def test_update(exact, integers_in, case):
    formats, rng, width, blocks, columns, _ = case
    W = integers_in(rng, formats.weight, (width * blocks, columns))
    dW = integers_in(rng, formats.weight_gradient, (width * blocks, columns))
    rate = int(integers_in(rng, formats.learning_rate, ()))
    expected = []
    for w, g in zip(W.ravel().tolist(), dW.ravel().tolist(), strict=True):
        step = exact.real(rate, formats.learning_rate) * exact.real(g, formats.weight_gradient)
        expected.append(exact.fit(w - round(step * 2**formats.weight.fraction_bits), formats.weight))
    after, cleared = update.result(W, dW, rate, formats)
    assert after.ravel().tolist() == expected
    assert cleared.shape == dW.shape and not cleared.any()


@given(cases())
def test_update_with_momentum_is_the_update_and_keeps_a_share_of_the_velocity(exact, integers_in, case):
    formats, rng, width, blocks, columns, _ = case
    W = integers_in(rng, formats.weight, (width * blocks, columns))
    v = integers_in(rng, formats.weight_gradient, (width * blocks, columns))
    rate, momentum = (int(integers_in(rng, formats.learning_rate, ())) for _ in range(2))
    expected = [
        exact.store(
            exact.real(momentum, formats.learning_rate) * exact.real(one, formats.weight_gradient),
            formats.weight_gradient,
        )
        for one in v.ravel().tolist()
    ]
    after, kept = update_momentum.result(W, v, rate, momentum, formats)
    assert (after == update.result(W, v, rate, formats)[0]).all()
    assert kept.ravel().tolist() == expected


@given(cases())
def test_update_with_decay_keeps_shares_of_the_velocity_and_of_the_new_weight(exact, integers_in, case):
    formats, rng, width, blocks, columns, _ = case
    if update_decay.formats_limit(formats):
        return
    W = integers_in(rng, formats.weight, (width * blocks, columns))
    v = integers_in(rng, formats.weight_gradient, (width * blocks, columns))
    rate, momentum, decay = (int(integers_in(rng, formats.learning_rate, ())) for _ in range(3))
    factors = exact.real(momentum, formats.learning_rate), exact.real(decay, formats.learning_rate)
    after, kept = update_decay.result(W, v, rate, (momentum, decay), formats)
    assert (after == update.result(W, v, rate, formats)[0]).all()
    for w, one, found in zip(after.ravel().tolist(), v.ravel().tolist(), kept.ravel().tolist(), strict=True):
        wanted = factors[0] * exact.real(one, formats.weight_gradient) + factors[1] * exact.real(w, formats.weight)
        assert found == exact.store(wanted, formats.weight_gradient)


@given(seeds)
def test_steps_with_momentum_and_decay_are_those_in_floating_point_within_rounding(integers_in, seed):
    """Three steps of `workloads.optimisers.sgd`, whose bar is half a unit of each rounding, carried along.

    Nothing leaves its range: weights stay below 4.
    """
    formats, rng = Architecture.named("edge").engine.formats, np.random.default_rng(seed)
    units = {
        name: 2.0 ** -getattr(formats, name).fraction_bits for name in ("weight", "weight_gradient", "learning_rate")
    }
    W = rng.integers(-(2**12), 2**12, (3, 4))
    rate, momentum, decay = (int(rng.integers(1, 2**14)) for _ in range(3))
    eta, mu, lam = (factor * units["learning_rate"] for factor in (rate, momentum, decay))
    dW = update_decay.kept(W, np.zeros_like(W), (momentum, decay), formats)
    w, state = W * units["weight"], {"velocity": np.zeros(W.shape)}
    bar_w, bar_v = 0.0, units["weight_gradient"] / 2
    for _ in range(3):
        g = rng.integers(-(2**19), 2**19, W.shape)
        w, state = sgd.update(w, g * units["weight_gradient"], state, eta, mu, lam)
        W, dW = update_decay.result(W, dW + g, rate, (momentum, decay), formats)
        bar_w += eta * bar_v + units["weight"] / 2
        bar_v = mu * bar_v + lam * bar_w + units["weight_gradient"] / 2
        assert np.abs(W * units["weight"] - w).max() <= bar_w * 1.0001
        assert np.abs(dW * units["weight_gradient"] - (mu * state["velocity"] + lam * w)).max() <= bar_v * 1.0001


@given(cases())
def test_moments_are_those_of_whole_numbers(exact, integers_in, case):
    formats, rng, width, _, columns, _ = case
    if moments.formats_limit(formats):
        return
    number, half, one = formats.weight_gradient, formats.gradient.fraction_bits, 2**formats.learning_rate.fraction_bits
    dW, mean = (integers_in(rng, number, (width, columns)) for _ in range(2))
    square, beta = rng.integers(0, 2**number.bits, dW.shape), int(rng.integers(0, one))
    found = moments.result(dW, mean, square, beta, formats)
    for place in np.ndindex(dW.shape):
        g, m, v = (int(array[place]) for array in (dW, mean, square))
        m = exact.fit(round(Fraction(beta * m + (one - beta) * g, one)), number)
        short = min(abs(round(exact.real(g, number) * 2**half)), 2 ** ((number.bits + 1) // 2))
        v = min(v + round(Fraction(short**2 - v, 1024)), 2**number.bits - 1)
        step = abs(m) * 2**half // (isqrt(v) + 1) * (1 if m >= 0 else -1)
        assert [int(array[place]) for array in found] == [exact.fit(step, number), m, v]


@given(seeds)
def test_steps_of_adam_are_those_in_floating_point_within_rounding(seed):
    """Ten steps of `workloads.optimisers.adamw`, from gradients between 1/4 and 4, where units of v are far below v.

    After one step v is at least 2**-14, a thousand of its units of 2**-24, and its root 32 of its own: the unit that is
    added to the root makes a step 3 % shorter at most, roundings of v less than 0.1 %. beta_2 is 1 - 2**-10 in place of
    0.999, which is corrected alike at the beginning.
    """
    formats, rng = Architecture.named("edge").engine.formats, np.random.default_rng(seed)
    unit = 2.0**-formats.weight_gradient.fraction_bits
    mean = square = np.zeros(8, np.int64)
    beta = 29491
    state, w = adamw.start(np.zeros(8)), np.zeros(8)
    optimiser = MachineOptimiser(name="adam", momentum=beta / 2**15)
    for done in range(1, 11):
        g = rng.integers(2**18, 2**22, 8) * rng.choice([-1, 1], 8)
        step, mean, square = moments.result(g, mean, square, beta, formats)
        before = w
        w, state = adamw.update(before, g * unit, state, 1.0, beta / 2**15, 0.0)
        found = step * unit * optimiser.bias_correction(done)
        assert (np.abs(found - (before - w)) <= 0.035 * np.abs(before - w) + 1e-3).all()


@given(st.lists(st.lists(st.integers(-(2**47), 2**47 - 1), min_size=1, max_size=5), min_size=1, max_size=3))
def test_norm_is_the_sum_of_squares_in_whole_numbers(matrices):
    found = norm.result([np.array(one, dtype=np.int64) for one in matrices])
    assert found == sum(value * value for one in matrices for value in one)


def test_norm_of_many_entries_at_the_end_of_their_range_loses_nothing():
    ends = np.full((3, 40_000), -(2**47))
    assert norm.result([ends, ends + 1]) == 120_000 * (2**94 + (2**47 - 1) ** 2)


@given(st.integers(0, 2**100), st.integers(1, 2**50), st.integers(1, 2**15))
def test_the_clipped_rate_is_the_rate_times_limit_over_norm_within_rounding(squares, limit, rate):
    found = norm.clipped_rate(squares, limit, rate)
    if squares < limit * limit:
        assert found == rate
    else:  # the root is rounded down, and so is the quotient
        wanted = Fraction(rate * limit)
        assert found * isqrt(squares) <= wanted < (found + 1) * (isqrt(squares) + 1)
        assert found <= rate


@given(seeds)
def test_a_clipped_step_is_that_of_floating_point_within_rounding(seed):
    formats, rng = Architecture.named("edge").engine.formats, np.random.default_rng(seed)
    dW, W = rng.integers(-(2**21), 2**21, (4, 9)), np.zeros((4, 9), np.int64)
    unit, rate = 2.0**-formats.weight_gradient.fraction_bits, int(rng.integers(1, 2**14))
    limit = float(rng.uniform(0.1, 2.0)) * float(np.linalg.norm(dW * unit))
    clipped = norm.clipped_rate(norm.result([dW]), round(limit / unit), rate)
    found, _ = update.result(W, dW, clipped, formats)
    eta, step = 2.0**-formats.learning_rate.fraction_bits, updates.clipped(dW * unit, limit)
    expected = -rate * eta * step
    bar = 2.0 ** -(formats.weight.fraction_bits + 1) + 1.001 * eta * np.abs(dW).max() * unit
    assert np.abs(found * 2.0**-formats.weight.fraction_bits - expected).max() <= bar


@given(cases())
def test_what_is_returned_is_in_its_format_and_arguments_are_left_alone(integers_in, case):
    formats, rng, width, blocks, fired, lanes = case
    W = integers_in(rng, formats.weight, (width * blocks, fired))
    g = integers_in(rng, formats.gradient, (width * blocks,))
    delta = integers_in(rng, formats.activation, (fired,))
    memory = integers_in(rng, formats.memory, (width * blocks,))
    dW = integers_in(rng, formats.weight_gradient, W.shape)
    given_arguments = [W, g, delta, memory, dW]
    before = [array.copy() for array in given_arguments]
    for values, number in (
        (matvec.result(memory, W, delta, formats), formats.memory),
        (matvec_t.result(W, g, lanes, formats), formats.gradient),
        (outer.result(dW, g, delta, formats), formats.weight_gradient),
        (update.result(W, dW, 1, formats)[0], formats.weight),
    ):
        assert values.dtype == np.int64
        assert ((values >= number.lowest) & (values <= number.highest)).all()
    assert all((now == then).all() for now, then in zip(given_arguments, before, strict=True))


def test_an_update_of_exactly_half_a_unit_goes_to_even():
    formats = Formats(
        weight={"bits": 8, "fraction_bits": 2},
        activation={"bits": 8, "fraction_bits": 2},
        gate={"bits": 8, "fraction_bits": 6},
        state={"bits": 8, "fraction_bits": 3},
        gradient={"bits": 8, "fraction_bits": 2},
        learning_rate={"bits": 8, "fraction_bits": 3},
        memory_bits=20,
        weight_gradient_bits=20,
    )
    # 4 units of the rate are 0.5; dW has 4 fraction bits, so 4, 12 and 20 units of it are steps of 0.5, 1.5 and 2.5
    # units of the weight.
    assert Fraction(4, 8) * Fraction(4, 16) * 4 == Fraction(1, 2)
    after, _ = update.result(np.array([[0, 0, 0]]), np.array([[4, 12, 20]]), 4, formats)
    assert after.tolist() == [[0, -2, -2]]
