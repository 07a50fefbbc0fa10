"""The integer training step against the equations of delta-network training in real numbers.

The reference below is the equations with an error bar on every number: each value is a ball, a middle in float64 and a
radius that holds whatever the integers may differ by, grown by the rule of each operation, by half a unit where the
integers round, and by the tables' stated errors. So every tolerance is derived, and none is chosen. What fired is taken
from the integers, and checked against the reference wherever it is sure.

With the machine's tables the bars grow wide over the steps of a long sample, because each look-up adds an error of
2**-12 or so. The same comparison is therefore made with the tables replaced by the functions themselves, rounded: then
only the formats round, and the bars are narrow.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.activation import SIGMOID_ERROR, SIGMOID_INPUT, TANH_ERROR, TANH_INPUT
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.modes import encode, loss, matvec, update
from deltatrain.accel.number import fit, quantise, to_float
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.network import Network, Sizes, initial_parameters
from deltatrain.workloads.network.network import training_step as float_training_step
from deltatrain.workloads.training.integer_parameters import dequantised, quantised, zeros_like
from deltatrain.workloads.training.integer_training import IntegerNetwork, recorded_step, training_step

WIDE = Formats(
    weight={"bits": 20, "fraction_bits": 16},
    activation={"bits": 24, "fraction_bits": 20},
    gate={"bits": 24, "fraction_bits": 22},
    state={"bits": 26, "fraction_bits": 20},
    gradient={"bits": 24, "fraction_bits": 18},
    learning_rate={"bits": 16, "fraction_bits": 15},
    memory_bits=48,
    weight_gradient_bits=48,
)
NARROW = Formats(
    weight={"bits": 8, "fraction_bits": 6},
    activation={"bits": 16, "fraction_bits": 8},
    gate={"bits": 16, "fraction_bits": 14},
    state={"bits": 16, "fraction_bits": 11},
    gradient={"bits": 16, "fraction_bits": 12},
    learning_rate={"bits": 16, "fraction_bits": 15},
    memory_bits=32,
    weight_gradient_bits=48,
)
TIGHT = Formats(
    weight={"bits": 8, "fraction_bits": 8},
    activation={"bits": 8, "fraction_bits": 7},
    gate={"bits": 16, "fraction_bits": 14},
    state={"bits": 16, "fraction_bits": 11},
    gradient={"bits": 8, "fraction_bits": 11},
    learning_rate={"bits": 16, "fraction_bits": 15},
    memory_bits=16,
    memory_overflow="saturate",
    weight_gradient_bits=16,
)
every_cell = pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])  # spikes: test_integer_spikes.py
every_readout = pytest.mark.parametrize("readout", ["last", "every"])
seeds = st.integers(0, 2**32 - 1)
CLASSES = 4


class Ball:
    """Numbers known to lie within `rad` of `mid`; arrays, with the operations that the equations use."""

    __array_ufunc__ = None  # so that array * ball comes here

    def __init__(self, mid, rad=0.0):
        self.mid = np.asarray(mid, dtype=np.float64)
        self.rad = np.broadcast_to(np.asarray(rad, dtype=np.float64), self.mid.shape)

    @staticmethod
    def of(value):
        return value if isinstance(value, Ball) else Ball(value)

    @staticmethod
    def stack(balls):
        return Ball(np.stack([b.mid for b in balls]), np.stack([b.rad for b in balls]))

    def __getitem__(self, key):
        return Ball(self.mid[key], self.rad[key])

    def __add__(self, other):
        other = Ball.of(other)
        return Ball(self.mid + other.mid, self.rad + other.rad)

    def __neg__(self):
        return Ball(-self.mid, self.rad)

    def __sub__(self, other):
        return self + -Ball.of(other)

    def __rsub__(self, other):
        return Ball.of(other) - self

    def __mul__(self, other):
        other = Ball.of(other)
        rad = np.abs(self.mid) * other.rad + self.rad * np.abs(other.mid) + self.rad * other.rad
        return Ball(self.mid * other.mid, rad)

    __radd__, __rmul__ = __add__, __mul__

    def through(self, matrix):
        """Return matrix @ self for an exactly known matrix."""
        return Ball(matrix @ self.mid, np.abs(matrix) @ self.rad)

    def where(self, mask, other):
        """Return self where `mask`, other elsewhere."""
        return Ball(np.where(mask, self.mid, other.mid), np.where(mask, self.rad, other.rad))

    def stored(self, number):
        """Return self after the rounding to a format."""
        return Ball(self.mid, self.rad + 2.0 ** -(number.fraction_bits + 1))

    def holds(self, integers, number):
        return (np.abs(np.ldexp(integers, -number.fraction_bits) - self.mid) <= self.rad + 1e-12).all()


class Rules(NamedTuple):
    """How far the integers may be from the equations: formats, and errors of the tables."""

    formats: Formats
    tanh: float = 0.0
    sigmoid: float = 0.0
    logit: float = 0.0
    softmax: float = 0.0

    def __getattr__(self, name):
        return getattr(self.formats, name)


def with_tables(formats):
    """Return the rules of the machine's tables; 1 - tanh(8) is what lies beyond their ends."""
    end = 1 - np.tanh(8)
    return Rules(
        formats,
        tanh=2.0 ** -(TANH_INPUT.fraction_bits + 1) + TANH_ERROR + end,
        sigmoid=2.0 ** -(SIGMOID_INPUT.fraction_bits + 1) / 4 + SIGMOID_ERROR + end,
        logit=2.0 ** -(loss.LOGIT.fraction_bits + 1),
        softmax=loss.error_bound(CLASSES, formats),
    )


@contextmanager
def without_tables(cell):
    """Put the functions themselves, rounded to the format of the result, in the place of the machine's tables."""

    def softmax_less_one_hot(logits, label, formats):
        p = softmax(to_float(logits, formats.memory.fraction_bits))
        return quantise(p - (np.arange(len(p)) == label), formats.gradient)

    with pytest.MonkeyPatch.context() as patch:
        arithmetic = CELL_ARITHMETIC.load(cell)
        for name, function in (("tanh", np.tanh), ("sigmoid", logistic)):
            if hasattr(arithmetic, name):
                patch.setattr(arithmetic, f"{name}_input", to_float)
                patch.setattr(arithmetic, name, lambda v, gate, function=function: quantise(function(v), gate))
        patch.setattr(loss, "result", softmax_less_one_hot)
        yield


def logistic(v):
    return 1 / (1 + np.exp(-v))


def softmax(v):
    power = np.exp(v - v.max())
    return power / power.sum()


def tanh(v, f):
    return Ball(np.tanh(v.mid), v.rad + f.tanh).stored(f.gate)


def sigmoid(v, f):
    return Ball(logistic(v.mid), v.rad / 4 + f.sigmoid).stored(f.gate)


class Rnn:
    @staticmethod
    def forward(M, state, f):
        h = tanh(M[0], f)
        return state, h.stored(f.activation), h

    @staticmethod
    def backward(g_h, carry, h, f):
        return [g_h * (1 - h * h).stored(f.gate)], carry


class Gru:
    @staticmethod
    def forward(M, before, f):
        r, z, nh = sigmoid(M[0], f), sigmoid(M[1], f), M[3].stored(f.state)
        n = tanh(M[2].stored(f.state) + r * nh, f)
        h = ((1 - z) * n + z * before).stored(f.gate)
        return h, h.stored(f.activation), (r, z, n, nh, before)

    @staticmethod
    def backward(g_h, carry, tape, f):
        r, z, n, nh, before = tape
        g = g_h + carry
        nx = ((1 - z) * (1 - n * n).stored(f.gate)).stored(f.gate)
        nh_slope = (nx * r).stored(f.gate)
        r_slope = (nh_slope * (nh * (1 - r)).stored(f.state)).stored(f.state)
        z_slope = ((before - n) * (z * (1 - z)).stored(f.gate)).stored(f.gate)
        return [g * r_slope, g * z_slope, g * nx, g * nh_slope], (g * z).stored(f.gradient)


class Lstm:
    @staticmethod
    def forward(M, before, f):
        i, forget, g, o = sigmoid(M[0], f), sigmoid(M[1], f), tanh(M[2], f), sigmoid(M[3], f)
        c = (forget * before + i * g).stored(f.state)
        tanh_c = tanh(c, f)
        return c, (o * tanh_c).stored(f.activation), (i, forget, g, o, before, tanh_c)

    @staticmethod
    def backward(g_h, carry, tape, f):
        i, forget, g, o, before, tanh_c = tape

        def bell(v):
            return (v * (1 - v)).stored(f.gate)

        g_c = (carry + g_h * (o * (1 - tanh_c * tanh_c).stored(f.gate)).stored(f.gate)).stored(f.gradient)
        steps = [
            g_c * (g * bell(i)).stored(f.gate),
            g_c * (before * bell(forget)).stored(f.state),
            g_c * (i * (1 - g * g).stored(f.gate)).stored(f.gate),
            g_h * (tanh_c * bell(o)).stored(f.gate),
        ]
        return steps, (g_c * forget).stored(f.gradient)


EQUATIONS = {"rnn": Rnn, "gru": Gru, "lstm": Lstm}


class LayerRun(NamedTuple):
    memory: list
    h: list
    tape: list
    before_x: list  # (value, held) that each step's encoder compares
    before_h: list
    delta_x: list
    delta_h: list


def run_forward(cell, layer, x, fired_x, fired_h, f):
    """Return one layer over one sample; `layer` is the float parameters, `x` a list of balls."""
    arithmetic, width = CELL_ARITHMETIC.load(cell), layer.W_h.shape[1]
    state = h = h_hat = Ball(np.zeros(width))
    x_hat = Ball(np.zeros(len(x[0].mid)))
    run = LayerRun([], [], [], [], [], [], [])
    for t, value in enumerate(x):
        run.before_x.append((value, x_hat))
        run.before_h.append((h, h_hat))
        run.delta_x.append((value - x_hat).where(fired_x[t], Ball(np.zeros_like(x_hat.mid))))
        run.delta_h.append((h - h_hat).where(fired_h[t], Ball(np.zeros(width))))
        x_hat, h_hat = value.where(fired_x[t], x_hat), h.where(fired_h[t], h_hat)
        from_x = x_hat.through(layer.W_x)  # M of the equations, summed up: all that was ever added is W times held
        from_h = h_hat.through(layer.W_h)
        blocks = [Ball(bias) for bias in layer.bias.reshape(arithmetic.ACCUMULATORS, width)]
        for rows, targets in ((from_x, arithmetic.BLOCKS_X), (from_h, arithmetic.BLOCKS_H)):
            for number, block in enumerate(targets):
                blocks[block] = blocks[block] + rows[number * width : (number + 1) * width]
        state, h, tape = EQUATIONS[cell].forward(blocks, state, f)
        run.memory.append(blocks)
        run.h.append(h)
        run.tape.append(tape)
    return run


def run_backward(cell, layer, run, g_above, fired_x, fired_h, f):
    """Return g(M) of each step, g(x) of each step, and the sums dW_x and dW_h with the bias column of W_x last."""
    arithmetic, width = CELL_ARITHMETIC.load(cell), layer.W_h.shape[1]
    zero = Ball(np.zeros(width))
    g_recurrent, g_h_hat, carry, g_x_hat = zero, zero, zero, Ball(np.zeros(layer.W_x.shape[1]))
    g_M = [zero] * arithmetic.ACCUMULATORS
    g_Ms, g_xs, dW_x, dW_h = [], [], Ball(np.zeros(layer.W_x.shape)), Ball(np.zeros(layer.W_h.shape))
    for t in reversed(range(len(run.h))):
        steps, carry = EQUATIONS[cell].backward(g_above[t] + g_recurrent, carry, run.tape[t], f)
        g_M = [(later + step).stored(f.gradient) for later, step in zip(g_M, steps, strict=True)]
        rows_x, rows_h = (
            Ball(np.concatenate([g_M[b].mid for b in targets]), np.concatenate([g_M[b].rad for b in targets]))
            for targets in (arithmetic.BLOCKS_X, arithmetic.BLOCKS_H)
        )
        s_x, s_h = rows_x.through(layer.W_x.T).stored(f.gradient), rows_h.through(layer.W_h.T).stored(f.gradient)
        nothing = Ball(np.zeros_like(g_x_hat.mid))
        g_xs.append((g_x_hat + s_x).where(fired_x[t], nothing))
        g_recurrent = (g_h_hat + s_h).where(fired_h[t], zero)
        g_x_hat, g_h_hat = (-s_x).where(fired_x[t], g_x_hat), (-s_h).where(fired_h[t], g_h_hat)
        dW_x, dW_h = dW_x + rows_x[:, None] * run.delta_x[t][None], dW_h + rows_h[:, None] * run.delta_h[t][None]
        g_Ms.append(g_M)
    return g_Ms[::-1], g_xs[::-1], dW_x, dW_h


def softmax_less_one_hot(logits, label, f):
    p = softmax(logits.mid)
    e = logits.rad.max() + f.logit  # logits within e of the truth leave p within a factor exp(2 e) of it
    return Ball(p - (np.arange(len(p)) == label), p * np.expm1(2 * e) + f.softmax).stored(f.gradient)


class Case(NamedTuple):
    cell: str
    network: IntegerNetwork
    integers: object
    floats: object  # the same numbers, float64
    samples: list
    labels: list
    step: object


def make_case(cell, formats, readout, seed, samples=1, hidden=(5, 4), shortest=1):
    rng = np.random.default_rng(seed)
    arithmetic, sizes = CELL_ARITHMETIC.load(cell), Sizes(CELLS.load(f"delta_{cell}"), 3, hidden, CLASSES)
    drawn = initial_parameters(sizes, rng, np.dtype(np.float64))
    integers = quantised(drawn, arithmetic, formats)
    theta = [tuple(float(v) for v in rng.choice([0, 0.02, 0.1], 2)) for _ in hidden]
    least = tuple((encode.threshold(a, formats), encode.threshold(b, formats)) for a, b in theta)
    engine = Engine(clock_hz=10**8, lanes=4, encoder_elements=4, elementwise_lanes=4, formats=formats)
    network = IntegerNetwork(arithmetic, engine, least, readout)
    xs = [
        quantise(0.3 * rng.normal(size=(rng.integers(shortest, 8), 3)).cumsum(axis=0), formats.activation)
        for _ in range(samples)
    ]
    labels = rng.integers(0, CLASSES, samples).tolist()
    step = training_step(network, integers, xs, labels, int(0.1 * 2**formats.learning_rate.fraction_bits))
    return Case(cell, network, integers, dequantised(integers, arithmetic, formats), xs, labels, step)


def reference(case, sample, masks, formats):
    """Return runs, backward results and (g_logits, dW_out) of the equations in balls, for given masks by layer."""
    x = [Ball(np.ldexp(row, -formats.activation.fraction_bits)) for row in case.samples[sample]]
    runs = []
    for layer, (fired_x, fired_h) in zip(case.floats.layers, masks, strict=True):
        runs.append(run_forward(case.cell, layer, x, fired_x, fired_h, formats))
        x = runs[-1].h
    read = [len(x) - 1] if case.network.readout == "last" else range(len(x))
    g_above = [Ball(np.zeros(len(x[0].mid)))] * len(x)
    g_logits, dW_out = [], Ball(np.zeros(case.floats.W_out.shape))
    for t in read:
        logits = x[t].through(case.floats.W_out) + case.floats.bias_out
        g_logits.append(softmax_less_one_hot(logits, case.labels[sample], formats))
        g_above[t] = g_logits[-1].through(case.floats.W_out.T).stored(formats.gradient)
        dW_out = dW_out + g_logits[-1][:, None] * x[t][None]
    back = []
    for layer, run, (fired_x, fired_h) in reversed(list(zip(case.floats.layers, runs, masks, strict=True))):
        back.insert(0, run_backward(case.cell, layer, run, g_above, fired_x, fired_h, formats))
        g_above = back[0][1]
    return runs, back, g_logits, dW_out


def masks_of(case, sample):
    widths = (case.samples[0].shape[1], *(layer.W_h.shape[1] for layer in case.floats.layers))
    recorded, steps = recorded_step(case.step, widths), len(case.samples[sample])
    return [(x[:steps, sample], h[:steps, sample]) for x, h in zip(recorded.fired_x, recorded.fired_h, strict=True)]


def assert_within(case, rules):
    """Assert that each number of the integer step lies in its ball."""
    runs, back, g_logits, dW_out = reference(case, 0, masks_of(case, 0), rules)
    record = case.step.samples[0]
    for number, (run, (g_Ms, g_xs, dW_x, dW_h)) in enumerate(zip(runs, back, strict=True)):
        forward, backward = record.forward[number], record.backward[number]
        for t in range(len(run.h)):
            assert Ball.stack(run.memory[t]).holds(forward.memory[t].reshape(len(g_Ms[t]), -1), rules.memory)
            assert run.h[t].holds(forward.h[t], rules.activation)
            assert Ball.stack(g_Ms[t]).holds(backward.g_memory[t].reshape(len(g_Ms[t]), -1), rules.gradient)
            assert backward.g_x is None if number == 0 else g_xs[t].holds(backward.g_x[t], rules.gradient)
        dW = case.step.gradients.layers[number]
        assert dW_x.holds(dW.W_x[:, :-1], rules.weight_gradient)
        assert dW_h.holds(dW.W_h[:, : dW_h.mid.shape[1]], rules.weight_gradient)
    assert Ball.stack(g_logits).holds(record.g_logits, rules.gradient)
    assert dW_out.holds(case.step.gradients.readout[:, :-1], rules.weight_gradient)


@every_cell
@every_readout
@settings(max_examples=15)
@given(seed=seeds)
def test_every_number_is_within_its_derived_error(cell, readout, seed):
    assert_within(make_case(cell, WIDE, readout, seed), with_tables(WIDE))


@every_cell
@every_readout
@settings(max_examples=15)
@given(seed=seeds)
def test_every_number_is_within_its_derived_error_without_tables(cell, readout, seed):
    with without_tables(cell):
        case = make_case(cell, WIDE, readout, seed)
    assert_within(case, Rules(WIDE))


@every_cell
@settings(max_examples=15)
@given(seed=seeds)
def test_the_same_deltas_fire_where_the_equations_are_sure(cell, seed):
    case = make_case(cell, WIDE, "last", seed)
    masks = masks_of(case, 0)
    runs = reference(case, 0, masks, with_tables(WIDE))[0]
    for run, fired, least in zip(runs, masks, case.network.thresholds, strict=True):
        for compared, mask, units in zip((run.before_x, run.before_h), fired, least, strict=True):
            theta = units * 2.0**-WIDE.activation.fraction_bits
            for (value, held), one_mask in zip(compared, mask, strict=True):
                moved = value - held
                surely = np.abs(moved.mid) - moved.rad >= max(theta, 1e-300)
                surely_not = np.abs(moved.mid) + moved.rad < theta
                assert one_mask[surely].all() and not one_mask[surely_not].any()


@every_cell
def test_the_derived_errors_are_small_enough_to_tell(cell):
    """A bar as wide as the value would hold anything."""
    widths, values = [], []
    for seed in range(10):
        with without_tables(cell):
            case = make_case(cell, WIDE, "last", seed)
        for _, _, *gradients in reference(case, 0, masks_of(case, 0), Rules(WIDE))[1]:
            widths += [dW.rad.max() for dW in gradients]
            values += [np.abs(dW.mid).max() for dW in gradients]
    assert sum(widths) < 0.01 * sum(values)


@every_cell
@pytest.mark.parametrize("mistake", ["rows swapped", "a weight gradient 2**-8 off", "g(M) not accumulated"])
def test_a_mistake_leaves_the_balls(cell, mistake):
    refused = 0
    for seed in range(10):
        with without_tables(cell):
            case = make_case(cell, WIDE, "last", seed, shortest=2)  # one step has nothing to accumulate
        layer, record = case.step.gradients.layers[1], case.step.samples[0].backward[1]
        if mistake == "rows swapped":
            layer.W_x[:] = np.roll(layer.W_x, 1, axis=0)
        elif mistake == "a weight gradient 2**-8 off":
            layer.W_x[0, 0] += 1 << (WIDE.weight_gradient.fraction_bits - 8)
        else:
            record.g_memory[:-1] -= record.g_memory[1:].copy()
        try:
            assert_within(case, Rules(WIDE))
        except AssertionError:
            refused += 1
    assert refused >= 9  # now and then a long sample has bars too wide, or nothing fires into the layer


@every_cell
@every_readout
def test_the_reference_is_the_float_training_step(cell, readout):
    """The middles of the balls are the equations in float64, which the float trainer checks by other ways."""
    for seed in range(5):
        case = make_case(cell, WIDE, readout, seed)
        theta = tuple(tuple(v * 2.0**-WIDE.activation.fraction_bits for v in pair) for pair in case.network.thresholds)
        sizes = Sizes(CELLS.load(f"delta_{cell}"), 3, (5, 4), CLASSES)
        x = np.ldexp(case.samples[0], -WIDE.activation.fraction_bits)[:, None]
        steps = len(x)
        step = float_training_step(
            Network(sizes, theta, readout, 0.0), case.floats, x, np.array([steps]), np.array(case.labels)
        )
        masks = [(tape.fired_x, tape.fired_h) for tape in step.forward.tapes]
        _, back, _, dW_out = reference(case, 0, masks, Rules(WIDE))
        mean = 1 if readout == "last" else steps  # the float loss is a mean over steps, the machine's a sum
        for (g_Ms, _, dW_x, dW_h), gradient in zip(back, step.gradients.layers, strict=True):
            np.testing.assert_allclose(dW_x.mid, gradient.W_x * mean, rtol=0, atol=1e-12)
            np.testing.assert_allclose(dW_h.mid, gradient.W_h * mean, rtol=0, atol=1e-12)
            np.testing.assert_allclose(Ball.stack(g_Ms[0]).mid.ravel(), gradient.bias * mean, rtol=0, atol=1e-12)
        np.testing.assert_allclose(dW_out.mid, step.gradients.W_out * mean, rtol=0, atol=1e-12)


@every_cell
@settings(max_examples=10)
@given(seed=seeds, formats=st.sampled_from([WIDE, NARROW]))
def test_the_bias_column_gets_the_gradient_of_memory_at_step_0(cell, seed, formats):
    case = make_case(cell, formats, "last", seed)
    arithmetic, one = case.network.arithmetic, 1 << formats.activation.fraction_bits
    for record, dW in zip(case.step.samples[0].backward, case.step.gradients.layers, strict=True):
        blocks = record.g_memory[0].reshape(arithmetic.ACCUMULATORS, -1)
        assert (dW.W_x[:, -1] == blocks[list(arithmetic.BLOCKS_X)].ravel() * one).all()
        if arithmetic.BIAS_H:
            assert (dW.W_h[:, -1] == blocks[list(arithmetic.BLOCKS_H)].ravel() * one).all()


@every_cell
@settings(max_examples=15)
@given(seed=seeds, formats=st.sampled_from([WIDE, NARROW]))
def test_memory_is_what_is_held_times_the_weights_and_runs_backwards_to_zero(cell, seed, formats):
    case = make_case(cell, formats, "last", seed)
    arithmetic = case.network.arithmetic
    for layer, ran in zip(case.integers.layers, case.step.samples[0].forward, strict=True):
        streams = ((layer.W_x, arithmetic.BLOCKS_X, ran.fired_x), (layer.W_h, arithmetic.BLOCKS_H, ran.fired_h))
        width = ran.h.shape[1]
        held = [np.zeros(W.shape[1], dtype=object) for W, _, _ in streams]
        for t, memory in enumerate(ran.memory):
            expected = np.zeros((arithmetic.ACCUMULATORS, width), dtype=object)
            for (W, blocks, lists), total in zip(streams, held, strict=True):
                total[lists[t].columns] += lists[t].delta
                expected[list(blocks)] += (W.astype(object) @ total).reshape(len(blocks), width)
            span = 2**formats.memory.bits
            wrapped = (expected.ravel() + span // 2) % span - span // 2
            assert (memory == wrapped).all()
        memory = ran.memory[-1].reshape(arithmetic.ACCUMULATORS, width).copy()
        for t in reversed(range(len(ran.memory))):
            assert (memory.ravel() == ran.memory[t]).all()
            for W, blocks, lists in reversed(streams):
                rows = memory[list(blocks)].ravel()
                before = matvec.undo(rows, W[:, lists[t].columns], lists[t].delta, formats)
                memory[list(blocks)] = before.reshape(len(blocks), width)
        assert not memory.any()


@every_cell
@every_readout
@settings(max_examples=10)
@given(seed=seeds, formats=st.sampled_from([WIDE, NARROW]))
def test_a_batch_is_its_samples_one_after_the_other(cell, readout, seed, formats):
    case = make_case(cell, formats, readout, seed, samples=3)
    total = zeros_like(case.integers)
    for x, label, record in zip(case.samples, case.labels, case.step.samples, strict=True):
        alone = training_step(case.network, case.integers, [x], [label], 0)
        for one, added in zip(total.matrices(), alone.gradients.matrices(), strict=True):
            one += added  # 48 bits are far from saturating here
        assert (alone.samples[0].logits == record.logits).all()
        assert all((a == b).all() for a, b in zip(alone.updated.matrices(), case.integers.matrices(), strict=True))
    rate = int(0.1 * 2**formats.learning_rate.fraction_bits)
    for W, dW, mine, after in zip(
        case.integers.matrices(),
        case.step.gradients.matrices(),
        total.matrices(),
        case.step.updated.matrices(),
        strict=True,
    ):
        assert (dW == mine).all()
        assert (after == update.result(W, dW, rate, formats)[0]).all()


@every_cell
@settings(max_examples=10)
@given(seed=seeds)
def test_weight_gradients_are_the_sums_over_the_lists(cell, seed):
    case = make_case(cell, NARROW, "every", seed, samples=2)
    arithmetic = case.network.arithmetic
    for number, dW in enumerate(case.step.gradients.layers):
        for name, blocks in (("x", arithmetic.BLOCKS_X), ("h", arithmetic.BLOCKS_H)):
            got = getattr(dW, f"W_{name}")
            expected = np.zeros(got.shape, dtype=object)
            for record in case.step.samples:
                lists = getattr(record.forward[number], f"fired_{name}")
                for listed, g in zip(lists, record.backward[number].g_memory, strict=True):
                    rows = g.reshape(arithmetic.ACCUMULATORS, -1)[list(blocks)].ravel()
                    expected[:, listed.columns] += rows[:, None].astype(object) * listed.delta
            assert (got == expected).all()


@every_cell
@settings(max_examples=10)
@given(seed=seeds)
def test_where_sums_saturate_the_order_is_the_stated_one(cell, seed):
    """In formats so tight that many sums saturate; the test after this one tells how many."""
    tight = TIGHT
    case = make_case(cell, tight, "every", seed, samples=6, shortest=4)
    arithmetic, replayed = case.network.arithmetic, zeros_like(case.integers)
    for record in case.step.samples:
        for number, (layer, dW) in enumerate(zip(case.integers.layers, replayed.layers, strict=True)):
            ran, g_memory = record.forward[number], record.backward[number].g_memory
            streams = (
                (layer.W_x, dW.W_x, arithmetic.BLOCKS_X, ran.fired_x),
                (layer.W_h, dW.W_h, arithmetic.BLOCKS_H, ran.fired_h),
            )
            memory = np.zeros((arithmetic.ACCUMULATORS, ran.h.shape[1]), dtype=np.int64)
            for t in range(len(ran.h)):
                for W, _, blocks, lists in streams:
                    for column, delta in zip(*lists[t], strict=True):
                        product = (W[:, column] * delta).reshape(len(blocks), -1)
                        memory[list(blocks)] = fit(memory[list(blocks)] + product, tight.memory)
                assert (memory.ravel() == ran.memory[t]).all()
            for t in reversed(range(len(ran.h))):
                for _, one, blocks, lists in streams:
                    g = g_memory[t].reshape(arithmetic.ACCUMULATORS, -1)[list(blocks)].ravel()
                    for column, delta in zip(*lists[t], strict=True):
                        one[:, column] = fit(one[:, column] + g * delta, tight.weight_gradient)
        for h, g in reversed(list(zip(record.forward[-1].h, record.g_logits, strict=True))):
            with_one = np.append(h, tight.activation.highest)  # 1.0 is out of reach by one unit
            replayed.readout[:] = fit(replayed.readout + g[:, None] * with_one, tight.weight_gradient)
    for expected, got in zip(replayed.matrices(), case.step.gradients.matrices(), strict=True):
        assert (expected == got).all()


@every_cell
def test_the_tight_formats_do_saturate(cell):
    def at_an_end(values, number):
        return np.isin(values, (number.lowest, number.highest)).any()

    cut = {"M": 0, "dW": 0, "dW of the readout": 0}
    for seed in range(10):
        step = make_case(cell, TIGHT, "every", seed, samples=6, shortest=4).step
        cut["M"] += any(at_an_end(ran.memory, TIGHT.memory) for record in step.samples for ran in record.forward)
        *matrices, readout = step.gradients.matrices()
        cut["dW"] += any(at_an_end(dW, TIGHT.weight_gradient) for dW in matrices)
        cut["dW of the readout"] += at_an_end(readout, TIGHT.weight_gradient)
    assert min(cut.values()) > 0, cut


@every_cell
@settings(max_examples=10)
@given(seed=seeds, formats=st.sampled_from([TIGHT, NARROW, WIDE]))
def test_everything_is_in_its_format(cell, seed, formats):
    case = make_case(cell, formats, "every", seed, samples=6, shortest=4)
    of_name = {"c": formats.state, "c_before": formats.state, "nh": formats.state}
    found = [(W, formats.weight) for W in case.step.updated.matrices()]
    found += [(dW, formats.weight_gradient) for dW in case.step.gradients.matrices()]
    for record in case.step.samples:
        found += [(record.logits, formats.memory), (record.g_logits, formats.gradient)]
        for ran in record.forward:
            found += [(ran.memory, formats.memory), (ran.h, formats.activation)]
            found += [(one.delta, formats.activation) for one in (*ran.fired_x, *ran.fired_h)]
            for names, values in ((case.network.arithmetic.STATE, ran.state), (case.network.arithmetic.TAPE, ran.tape)):
                found += [(values[:, k], of_name.get(name, formats.gate)) for k, name in enumerate(names)]
        for back in record.backward:
            found += [(g, formats.gradient) for g in back if g is not None]
    for values, number in found:
        assert values.dtype == np.int64
        assert ((values >= number.lowest) & (values <= number.highest)).all()


@every_cell
@settings(max_examples=10)
@given(seed=seeds)
def test_the_recorded_step_is_the_lists(cell, seed):
    case = make_case(cell, NARROW, "last", seed, samples=3)
    widths = (3, 5, 4)
    recorded = recorded_step(case.step, widths, epoch=2, number=7)
    assert (recorded.epoch, recorded.update) == (2, 7)
    assert recorded.lengths.tolist() == [len(x) for x in case.samples]
    for number in range(2):
        for masks, name, width in (
            (recorded.fired_x, "fired_x", widths[number]),
            (recorded.fired_h, "fired_h", widths[number + 1]),
        ):
            assert masks[number].shape == (recorded.lengths.max(), 3, width)
            for b, record in enumerate(case.step.samples):
                lists = getattr(record.forward[number], name)
                expected = [[j for j in one.columns.tolist() if j < width] for one in lists]
                assert [np.flatnonzero(m).tolist() for m in masks[number][: len(lists), b]] == expected
                assert not masks[number][len(lists) :, b].any()
        assert not recorded.fired_h[number][0].any()


@every_cell
@given(seed=seeds)
def test_quantised_parameters_come_back_within_half_a_unit(cell, seed):
    arithmetic, sizes = CELL_ARITHMETIC.load(cell), Sizes(CELLS.load(f"delta_{cell}"), 3, (5, 4), CLASSES)
    drawn = initial_parameters(sizes, np.random.default_rng(seed), np.dtype(np.float64))
    back = dequantised(quantised(drawn, arithmetic, WIDE), arithmetic, WIDE)
    for before, after in zip(drawn.arrays(), back.arrays(), strict=True):
        assert before.shape == after.shape
        assert np.abs(before - after).max() <= 2.0 ** -(WIDE.weight.fraction_bits + 1)
    again = dequantised(quantised(back, arithmetic, WIDE), arithmetic, WIDE)
    assert all((a == b).all() for a, b in zip(back.arrays(), again.arrays(), strict=True))
