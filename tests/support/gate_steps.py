"""Whole training steps on gates, against the golden model and the law."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from deltatrain.accel.errors import ConfigError
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.gates.compiled.tools import find_tool
from deltatrain.sim.gates.layout import Layout
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.run import StepOnGates, tile_for

CELLS = ("rnn", "gru", "lstm")


def check(step, simulation_of, tile=None):
    """Run `step`; every matrix must be the golden model's, every counter the law's."""
    on_gates = StepOnGates(step, tile)
    simulation = simulation_of(on_gates.tile, stops=on_gates.stops, halts="finished")
    try:
        ran = on_gates.run(simulation)
    finally:
        simulation.close()
    expected = step.matrices
    assert list(ran.matrices) == list(expected)
    for name, matrix in expected.items():
        np.testing.assert_array_equal(ran.matrices[name], matrix, err_msg=name)
    assert ran.counters == cycle.count(step.program)


def compiler_missing():
    try:
        find_tool(None)
    except ConfigError as error:
        return str(error)
    return ""


compiled = pytest.mark.skipif(bool(compiler_missing()), reason=compiler_missing())


def large_tile(architecture, cell, readout, most, task="classification", code_bits=None, neuron=None):
    """Return gates that every step of `steps` fits, compiled once."""
    told = {"readout": readout, "task": task, "code_bits": code_bits, "neuron": neuron}
    step = random_step(architecture, cell, seed=0, thresholds=(0, 0), **told, **most)
    layout = Layout(step.program, step.shape, readout)
    layers = len(most["hidden"])
    entries = sum(most["lengths"]) * 4 * (most["features"] + sum(most["hidden"]))
    lanes, rotates = step.architecture.engine.lanes, len(step.shape.arithmetic.BLOCKS_X) > 1
    mixes = step.shape.arithmetic.BLOCKS_X != step.shape.arithmetic.BLOCKS_H
    return tile_for(
        step,
        layout.sizes._replace(
            list_entries=1 << entries.bit_length(),
            accumulator_words=layout.sizes.accumulator_words + layers,  # M of some widths takes a word more
            gate_lanes=((1 << lanes) - 2) * rotates,  # gates of any width begin in any lane
            mixed_lanes=lanes * (rotates and mixes),
        ),
    )


@st.composite
def steps(draw, architecture, cell, readout, most, task="classification", updates=None, code_bits=None, neuron=None):
    """Return a step no larger than `most` in features, hidden, classes and lengths; with or without updates."""
    layers, longest = draw(st.integers(1, len(most["hidden"]))), max(most["lengths"])
    return random_step(
        architecture,
        cell,
        seed=draw(st.integers(0, 2**32 - 1)),
        features=draw(st.integers(1, most["features"])),
        hidden=tuple(draw(st.integers(1, width)) for width in most["hidden"][:layers]),
        classes=draw(st.integers(1, most["classes"])),
        lengths=tuple(draw(st.lists(st.integers(1, longest), min_size=1, max_size=len(most["lengths"])))),
        thresholds=(draw(st.sampled_from([0, 1, 8, 100, 1 << 20])), draw(st.sampled_from([0, 1, 8, 100, 1 << 20]))),
        readout=readout,
        task=task,
        scale=draw(st.sampled_from([0.02, 0.5, 1.0])),
        updates=draw(st.booleans()) if updates is None else updates,
        code_bits=code_bits,
        neuron=neuron,
    )
