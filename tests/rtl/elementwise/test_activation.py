"""The table's gates against `accel.activation`, over every input."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator
from components import assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.activation import TANH_INPUT, power_table, sigmoid, tanh, tanh_table
from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.elementwise.activation import LATENCY_CYCLES, Activation, rom

EVERY = np.arange(TANH_INPUT.lowest, TANH_INPUT.highest + 1)
PORTS = 16


def looked_up(gate, points, is_sigmoid):
    """Return what the gates make of `points`, shape (cycles, ports), one word a cycle."""
    points = np.resize(points, (-(-points.size // PORTS), PORTS))
    m = Module()
    ports = [Activation(gate=gate) for _ in range(PORTS)]
    m.submodules += ports
    found = []

    async def bench(ctx):
        for port in ports:
            ctx.set(port.start, 1)
            ctx.set(port.is_sigmoid, is_sigmoid)
        for word in [*points.tolist(), *points[:LATENCY_CYCLES].tolist()]:
            found.append([ctx.get(port.y) for port in ports])
            for port, x in zip(ports, word, strict=True):
                ctx.set(port.x, x)
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return points, np.array(found[LATENCY_CYCLES:][: len(points)])


@pytest.mark.parametrize("is_sigmoid", [False, True], ids=["tanh", "sigmoid"])
def test_every_input(is_sigmoid):
    gate = NumberFormat(bits=16, fraction_bits=14)
    points, found = looked_up(gate, EVERY, is_sigmoid)
    assert len(np.unique(points)) == 1 << TANH_INPUT.bits
    np.testing.assert_array_equal(found, (sigmoid if is_sigmoid else tanh)(points, gate))


@settings(max_examples=12)
@given(
    bits=st.integers(3, 28),
    overflow=st.sampled_from(["saturate", "wrap"]),
    is_sigmoid=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_other_formats(bits, overflow, is_sigmoid, seed):
    rng = np.random.default_rng(seed)
    most = bits - 1 if overflow == "saturate" else bits - 2  # with a bit more 1 saturates
    gate = NumberFormat(bits=bits, fraction_bits=int(rng.integers(0, most + 1)), overflow=overflow)
    ends = [TANH_INPUT.lowest, TANH_INPUT.lowest + 1, -1, 0, 1, TANH_INPUT.highest]
    points, found = looked_up(gate, np.concatenate([ends, rng.choice(EVERY, 500)]), is_sigmoid)
    np.testing.assert_array_equal(found, (sigmoid if is_sigmoid else tanh)(points, gate))


def test_a_value_stays_until_the_next_is_made():
    gate = NumberFormat(bits=16, fraction_bits=14)
    port = Activation(gate=gate)
    points, seen = {3: 5000, 4: -9000, 9: 300}, []

    async def bench(ctx):
        for cycle in range(16):
            ctx.set(port.start, cycle in points)
            ctx.set(port.x, points.get(cycle, 77 * cycle))
            seen.append(ctx.get(port.y))
            await ctx.tick()

    simulator = Simulator(port)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    values = {cycle + LATENCY_CYCLES: int(tanh(np.array(x), gate)) for cycle, x in points.items()}
    expected, now = [], 0
    for cycle in range(16):
        now = values.get(cycle, now)
        expected.append(now)
    assert seen == expected


@pytest.mark.parametrize("table", [tanh_table(), power_table()], ids=["tanh", "power"])
def test_memories_hold_the_tables(table):
    sign = 1 if table.rise.max() > 0 else -1
    entries = rom(table).init
    assert [entry["base"] for entry in entries] == table.base.tolist()
    assert [sign * entry["slope"] for entry in entries] == table.rise.tolist()


def test_a_format_that_does_not_hold_1_is_refused():
    message = "engine.formats.gate to hold 1, or all below it where it saturates: of 8 bits at most "
    assert_refused(Activation, f"{message}6 fraction bits, not 7", gate=_of_8_bits(7, "wrap"))
    assert_refused(Activation, f"{message}7 fraction bits, not 8", gate=_of_8_bits(8, "saturate"))


@pytest.mark.parametrize("is_sigmoid", [False, True])
def test_1_saturates_where_it_is_not_held(is_sigmoid):
    gate = _of_8_bits(7, "saturate")
    points, found = looked_up(gate, np.arange(TANH_INPUT.lowest, TANH_INPUT.highest, 97), is_sigmoid)
    np.testing.assert_array_equal(found, (sigmoid if is_sigmoid else tanh)(points, gate))
    assert (found.min(), found.max()) == ((1, 127) if is_sigmoid else (-127, 127))


def _of_8_bits(fraction_bits, overflow):
    return NumberFormat(bits=8, fraction_bits=fraction_bits, overflow=overflow)
