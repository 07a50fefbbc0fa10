"""The loss's gates against `accel.modes.loss`, through the unit that it is part of."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator
from components import assert_refused
from elementwise_bench import Scene, add_loss, check, engine_of, random_formats
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.modes import loss
from deltatrain.rtl.elementwise.loss import Loss
from deltatrain.rtl.elementwise.op import CoreOp

SIZES = dict.fromkeys(("accumulator_words", "vector_words", "state_words", "tape_words", "most_count"), 4)
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


@pytest.mark.parametrize("classes", [1, 4, 7])
def test_every_logit_is_read_and_every_gradient_written_as_often_as_is_counted(classes):
    engine, lanes = engine_of(4), 4
    gates = Loss(engine=engine, op=CoreOp(**(SIZES | {"most_count": 8})), most_classes=8)
    seen = {"reads": 0, "writes": 0}

    async def bench(ctx):
        ctx.set(gates.op.count, classes)
        ctx.set(gates.valid, 1)
        for _ in range(8 * (2 + engine.formats.gradient.bits) + 20):
            seen["reads"] += ctx.get(gates.memory.en)
            seen["writes"] += ctx.get(gates.new_gradient.en)
            ended = ctx.get(gates.ends)
            await ctx.tick()
            if ended:
                ctx.set(gates.valid, 0)

    simulator = Simulator(gates)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    work = loss.work(np.array([classes]), np.array([1]), np.array([0]), engine)
    formats = engine.formats
    assert seen["reads"] * formats.memory.bytes == work.local_read_bytes
    assert seen["writes"] == -(-classes // lanes) and work.local_write_bytes == classes * formats.gradient.bytes


def test_no_classes_are_refused():
    message = "most_classes must be an integer of at least 1, not 0"
    assert_refused(Loss, message, engine=engine_of(4), op=CoreOp(**SIZES), most_classes=0)
