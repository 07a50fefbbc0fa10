"""The element-wise unit's gates: values bit for bit and times cycle for cycle as `accel` says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from components import assert_refused
from elementwise_bench import Layer, Scene, add_loss, check, engine_of, golden, law, random_formats
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.surrogates import SURROGATES
from deltatrain.rtl.elementwise.cells import TIMETABLES
from deltatrain.rtl.elementwise.core import ElementwiseCore

every_cell = pytest.mark.parametrize("cell", sorted({*TIMETABLES.names()} - {"lif_recurrent"}))  # it has lif's steps
seeds = st.integers(0, 2**32 - 1)
SIZES = {"accumulator_words": 8, "vector_words": 4, "state_words": 4, "tape_words": 8, "most_classes": 4}


def random_scene(rng, cell, engine, layers, steps):
    """Return a scene in which layers and losses take turns at random."""
    scene = Scene(engine, cell)
    lanes = engine.elementwise_lanes
    going = [Layer(scene, rng, int(rng.integers(1, 3 * lanes + 1)), steps) for _ in range(layers)]
    while going:
        layer = going[rng.integers(0, len(going))]
        layer.add()
        if layer.is_finished:
            going.remove(layer)
        if rng.random() < 0.2:
            add_loss(scene, rng, int(rng.integers(1, 2 * lanes + 1)), 2.0)
    return scene


@every_cell
@settings(max_examples=4)
@given(seed=seeds, lanes=st.sampled_from([1, 2, 4]))
def test_any_formats_widths_and_pauses(cell, seed, lanes):
    rng = np.random.default_rng(seed)
    scene = random_scene(rng, cell, engine_of(lanes, random_formats(rng)), layers=3, steps=2)
    pauses = rng.integers(0, 20, len(scene.jobs)) * (rng.random(len(scene.jobs)) < 0.5)
    check(scene, pauses.tolist())


@pytest.mark.parametrize("surrogate", SURROGATES.names())
def test_any_neuron(surrogate):
    rng = np.random.default_rng(15)
    for reset, decay, threshold in (("zero", 0.5, 0.25), ("subtract", 0.95, 1.0), ("subtract", 1.0, 1e6)):
        neuron = LeakyNeuron(reset=reset, decay=decay, threshold=threshold, surrogate=surrogate, sharpness=2)
        scene = Scene(engine_of(2, random_formats(rng)), "lif", neuron=neuron)
        layer = Layer(scene, rng, 5, 4)
        while not layer.is_finished:
            layer.add()
        check(scene, [0] * len(scene.jobs))


@every_cell
def test_every_width_up_to_three_chunks(cell):
    rng = np.random.default_rng(11)
    scene = Scene(engine_of(4), cell)
    for width in range(1, 13):
        layer = Layer(scene, rng, width, 1)
        layer.add()
        layer.add()
    check(scene, [0] * len(scene.jobs))


@pytest.mark.parametrize(
    ("cell", "lanes"), [("lstm", 4), ("gru", 4), ("gru", 2), pytest.param("lstm", 8, marks=pytest.mark.long)]
)
def test_gates_that_begin_in_any_lane(cell, lanes):
    """Layers of any width, forward and backward, two steps each; what another gate has in a word stays."""
    rng = np.random.default_rng(lanes)
    scene = Scene(engine_of(lanes), cell, packs=True)
    for width in range(1, 2 * lanes + 2):
        layer = Layer(scene, rng, width, 2)
        while not layer.is_finished:
            layer.add()
    assert scene.gate_lanes == (1 << lanes) - 2  # they begin in every lane
    check(scene, [0] * len(scene.jobs))


@every_cell
def test_many_steps_one_after_the_other(cell):
    rng = np.random.default_rng(12)
    scene = random_scene(rng, cell, engine_of(2), layers=2, steps=8)
    check(scene, [0] * len(scene.jobs))


@every_cell
def test_any_op_may_follow_any_other_after_any_pause(cell):
    """Each kind of op follows each, 0 to 12 cycles after its issue, on one chunk: nothing meets in the pipeline."""
    rng = np.random.default_rng(13)
    scene = Scene(engine_of(1), cell)
    kinds = "FFBBLLFLBFB"  # contains every pair of kinds, also where it begins anew
    ran = [Layer(scene, rng, 1, 1) for _ in range(13 * kinds.count("B"))]
    for layer in ran:  # whose forward ops are long done when their backward ops are wanted
        layer.add()
    pauses = [0] * len(ran)
    for pause, kind in itertools.product(range(13), kinds):
        if kind == "F":
            Layer(scene, rng, 1, 1).add()
        elif kind == "B":
            ran.pop().add()
        else:
            add_loss(scene, rng, 1, 1.0)
        pauses.append(pause)
    check(scene, waits_for(scene, pauses))


def waits_for(scene, pauses):
    """Return how long after what it needs each job must come to begin its pause after the issue of the one before."""
    waits: list[int] = []
    for number, pause in enumerate(pauses):
        begun, done = law(scene, waits)
        free = begun[-1] + scene.issue_cycles(scene.jobs[number - 1].op) if begun else 0
        known = max([done[other] for other in scene.jobs[number].needs], default=0)
        waits.append(max(free - known, 0) + pause)
    return waits


@every_cell
def test_lanes_behind_the_last_neuron_make_zero_of_zeros(cell):
    scene = Scene(engine_of(4), cell)
    layer = Layer(scene, np.random.default_rng(14), 1, 3)
    while not layer.is_finished:
        layer.add()
    written = [(memory, values) for effect in golden(scene)[0] for (memory, _), values in effect.items()]
    assert {memory for memory, _ in written} >= {"h", "gradient"}
    assert all(values[1:] == (0, 0, 0) for memory, values in written if memory != "tape")
    check(scene, [0] * len(scene.jobs))


def test_every_timetable_is_of_a_cell():
    assert set(TIMETABLES.names()) <= set(CELL_ARITHMETIC.names())


@pytest.mark.parametrize(
    ("engine", "sizes", "message"),
    [
        ({"engine.lanes": 8}, {}, "a power of two, not 8 and 4"),
        ({"engine.elementwise_lanes": 3}, {}, "a power of two, not 4 and 3"),
        ({}, {"tape_words": 0}, "tape_words must be an integer of at least 1, not 0"),
        ({}, {"most_classes": 0}, "most_classes must be an integer of at least 1, not 0"),
    ],
)
def test_bad_arguments_are_refused(engine, sizes, message):
    described = Architecture.named("tiny", engine).engine
    assert_refused(ElementwiseCore, message, engine=described, cell="lstm", **(SIZES | sizes))
