"""Memories whose collisions nobody minds: training steps are right when such reads give anything but the old word.

A word that is read in the cycle in which it is written comes with all its bits inverted here.
"""

from __future__ import annotations

import pytest
from amaranth.hdl import Cat, MemoryInstance, Module, Shape, Signal, Value
from amaranth.sim import Simulator
from gate_steps import check

from deltatrain.accel.architecture import Architecture
from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.random_step import random_step

LOCAL = {"placement.weights": "local", "placement.gradients": "local"}


def inverting(memory, platform):
    """Elaborate `memory` so that a read that collides with a write gives the inverted word."""
    m = Module()
    memory.data.freeze()
    m.submodules.instance = instance = MemoryInstance(data=memory.data)
    for port in memory.write_ports:
        instance.write_port(domain=port.domain, addr=port.addr, data=port.data, en=port.en)
    for port in memory.read_ports:
        word, collided = Signal(Shape.cast(memory.shape).width), Signal()
        instance.read_port(domain=port.domain, data=word, addr=port.addr, en=port.en, transparent_for=())
        with m.If(port.en):
            m.d.sync += collided.eq(Cat(w.en.any() & (w.addr == port.addr) for w in memory.write_ports).any())
        m.d.comb += Value.cast(port.data).eq(word ^ collided.replicate(len(word)))
    return m


@pytest.fixture
def collisions_invert(monkeypatch):
    monkeypatch.setattr(UncheckedMemory, "elaborate", inverting)


def test_a_collision_inverts_the_word(collisions_invert):
    memory = UncheckedMemory(shape=8, depth=4)
    read, write = memory.read_port(), memory.write_port()
    simulator, seen = Simulator(memory), []
    simulator.add_clock(1e-6)

    async def bench(ctx):
        for address, data in ((1, 5), (1, 9), (2, 7)):
            ctx.set(write.en, 1)
            ctx.set(write.addr, address)
            ctx.set(write.data, data)
            ctx.set(read.addr, 1)
            await ctx.tick()
            seen.append(ctx.get(read.data))

    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [0xFF, 0xFF ^ 5, 9]


@pytest.mark.parametrize(
    ("machine", "fields", "step"),
    [
        ("tiny", LOCAL, {"cell": "lstm", "seed": 1}),
        ("tiny", LOCAL | {"placement.tape": "remote"}, {"cell": "gru", "seed": 4, "hidden": (6,), "lengths": (4, 1)}),
        ("edge", {}, {"cell": "rnn", "seed": 3, "hidden": (9, 8), "lengths": (3,)}),
    ],
    ids=["local", "tape_remote", "edge"],
)
def test_a_step_does_not_use_what_collides(collisions_invert, machine, fields, step):
    check(random_step(Architecture.named(machine, fields), **step), AmaranthSimulation)
