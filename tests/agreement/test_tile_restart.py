"""A tile runs a second program: its registers are reset between the two, its memories keep what they hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from amaranth.hdl import Module, ResetInserter
from amaranth.lib.wiring import Component, In, connect, flipped
from two_lanes import TWO_LANES

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.run import StepOnGates

LOCAL = TWO_LANES | {"placement.weights": "local", "placement.gradients": "local"}


class Restartable(Component):
    """A tile whose registers, and no memories, are reset while `clears`."""

    def __init__(self, tile):
        self._tile = tile
        super().__init__({**tile.signature.members, "clears": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.tile = ResetInserter(self.clears)(self._tile)
        for name, member in self._tile.signature.members.items():
            inner, outer = getattr(self._tile, name), getattr(self, name)
            if member.is_signature:
                connect(m, inner, flipped(outer))
            else:
                m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        return m


def test_a_second_program_on_the_matrices_that_the_first_left():
    architecture = Architecture.named("tiny", LOCAL)
    sizes = {"features": 3, "hidden": (3,), "lengths": (1, 2)}
    first = random_step(architecture, "rnn", seed=1, updates=False, **sizes)
    second = random_step(architecture, "rnn", seed=2, updates=False, **sizes)
    second = replace(second, network=first.network, parameters=first.parameters)
    on_gates = StepOnGates(first)
    simulation = AmaranthSimulation(Restartable(on_gates.tile), stops=on_gates.stops, halts="finished")
    on_gates.run(simulation)
    simulation.set("start", 0)
    simulation.pulse("clears", simulation.cycle)
    simulation.run(simulation.cycle + on_gates.layout.sizes.vector_words + 2)
    ran = StepOnGates(second, on_gates.tile).run(simulation)
    simulation.close()
    left, added = first.matrices, second.matrices
    for name, found in ran.matrices.items():
        expected = left[name] + added[name] if name.startswith("d") else added[name]
        assert np.abs(expected).max() < 1 << 31
        np.testing.assert_array_equal(found, expected, err_msg=name)
    assert ran.counters == cycle.count(second.program)
