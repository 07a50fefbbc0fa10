"""Traces in integers: the recurrence of real numbers, each step rounded once."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.modes import trace
from deltatrain.accel.number import quantise, to_float

FORMATS = Architecture.named("edge").engine.formats


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.5, 0.95]))
def test_a_trace_is_the_leaking_sum_of_spikes_and_each_step_rounds_once(seed: int, decay: float) -> None:
    spikes = np.random.default_rng(seed).random((40, 9)) < 0.2
    spikes[:, 0] = False
    neuron, found = LeakyNeuron(decay=decay), np.zeros(9, np.int64)
    kept_share = float(to_float(quantise(np.array(decay), FORMATS.gate), FORMATS.gate.fraction_bits))
    half = 2.0 ** -(FORMATS.activation.fraction_bits + 1)
    for t, step in enumerate(spikes):
        before = to_float(found, FORMATS.activation.fraction_bits)
        found = trace.result(found, step.astype(np.int64), FORMATS, neuron)
        now = to_float(found, FORMATS.activation.fraction_bits)
        assert (np.abs(now - (kept_share * before + step)) <= half).all()
        whole = sum(kept_share ** (t - past) * spikes[past] for past in range(t + 1))
        assert (np.abs(now - whole) <= half / (1 - kept_share)).all()
    assert found[0] == 0


def test_a_trace_holds_what_always_spikes() -> None:
    highest = np.array([FORMATS.activation.highest])
    ever = trace.result(highest, np.ones(1, np.int64), FORMATS, LeakyNeuron(decay=1.0))
    assert ever == highest
