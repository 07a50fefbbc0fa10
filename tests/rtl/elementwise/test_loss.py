"""The loss's gates against `accel.modes.loss`, through the unit that it is part of."""

from __future__ import annotations

import numpy as np
import pytest
from components import assert_refused
from elementwise_bench import Scene, add_loss, check, engine_of, random_formats
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.rtl.elementwise.elementwise_op import ElementwiseOp
from deltatrain.rtl.elementwise.loss import Loss

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=16)
@given(seeds, st.sampled_from([1, 2, 4]), st.sampled_from([0, 0.01, 1, 5, 30, 1e6]))
def test_any_formats_logits_and_pauses(seed, lanes, spread):
    rng = np.random.default_rng(seed)
    scene = Scene(engine_of(lanes, random_formats(rng)), "rnn")
    for _ in range(5):
        add_loss(scene, rng, int(rng.integers(1, 3 * lanes + 2)), spread)
    check(scene, rng.integers(0, 200, len(scene.jobs)).tolist())


@pytest.mark.parametrize("fraction_bits", [0, 1, 15])
def test_short_and_long_divisions(fraction_bits):
    rng = np.random.default_rng(fraction_bits)
    formats = engine_of(4).formats
    gradient = formats.gradient.model_copy(update={"fraction_bits": fraction_bits})
    scene = Scene(engine_of(4, formats.model_copy(update={"gradient": gradient})), "rnn")
    for classes in (1, 1, 2, 5, 9, 4, 1):
        add_loss(scene, rng, classes, 1.0)
    check(scene, [0] * len(scene.jobs))


def test_many_classes():
    rng = np.random.default_rng(3)
    scene = Scene(engine_of(4), "rnn")
    for classes in (35, 31):
        add_loss(scene, rng, classes, 2.0)
    check(scene, [0, 0])


def test_no_classes_are_refused():
    sizes = dict.fromkeys(("accumulator_words", "vector_words", "state_words", "tape_words", "most_count"), 4)
    message = "most_classes must be an integer of at least 1, not 0"
    assert_refused(Loss, message, engine=engine_of(4), op=ElementwiseOp(**sizes), most_classes=0)
