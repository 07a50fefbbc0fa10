"""A drawn training step: its inputs fire where they are said to, and it is as small or large as the workload says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.modes import encode
from deltatrain.accel.number import NumberFormat
from deltatrain.sim.gates.drawn_step import drawn_step, firing_inputs
from deltatrain.sim.run import synthetic_trace
from deltatrain.workloads.workload import Workload

FORMATS = Architecture.named("tiny").engine.formats


@st.composite
def masks(draw):
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 3), st.integers(1, 6)))
    seed, share = draw(st.integers(0, 2**32 - 1)), draw(st.floats(0, 1))
    return np.random.default_rng(seed).random(shape) < share


@given(masks(), st.integers(4, 20), st.integers(0, 30), st.data())
def test_inputs_fire_exactly_where_they_should(fired, bits, fraction_bits, data):
    number = NumberFormat(bits=bits, fraction_bits=fraction_bits)
    least = data.draw(st.integers(0, number.highest))
    formats = FORMATS.model_copy(update={"activation": number})
    x = firing_inputs(fired, least, number, np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))))
    assert x.shape == fired.shape and x.min() >= number.lowest and x.max() <= number.highest
    for sample in range(fired.shape[1]):
        held = np.zeros(fired.shape[2], np.int64)
        for t in range(len(fired)):
            found, held = encode.result(x[t, sample], held, least, formats)
            np.testing.assert_array_equal(found.columns, np.flatnonzero(fired[t, sample]))


@pytest.mark.parametrize("cell", ["delta_rnn", "delta_gru", "delta_lstm"])
def test_a_step_is_that_of_the_trace(cell):
    trace = synthetic_trace(Workload.named("tiny", {"cell": cell}))
    recorded = trace.recorded[-1]
    step = drawn_step(Architecture.named("tiny"), trace, recorded, seed=3)
    for sample, record in enumerate(step.golden.samples):
        for t, fired in enumerate(record.forward[0].fired_x):
            columns = fired.columns[fired.columns < trace.inputs]  # without the bias
            np.testing.assert_array_equal(columns, np.flatnonzero(recorded.fired_x[0][t, sample]))
    assert step.shape.hidden == trace.workload.hidden and step.shape.classes == trace.classes
    assert 0 < step.learning_rate <= FORMATS.learning_rate.highest
    again, other = (drawn_step(Architecture.named("tiny"), trace, recorded, seed) for seed in (3, 4))
    same = [np.array_equal(step.matrices[name], again.matrices[name]) for name in step.matrices]
    assert all(same) and not np.array_equal(step.matrices["W_readout"], other.matrices["W_readout"])


def test_a_threshold_that_no_activation_reaches_is_refused():
    trace = synthetic_trace(Workload.named("tiny", {"theta_x": 300.0}))
    with pytest.raises(ConfigError, match=r"theta_x must be at most .*127\.99.* not 300"):
        drawn_step(Architecture.named("tiny"), trace, trace.recorded[-1], seed=0)
