"""What the gates of all losses share: their ports, and how gradients that come one by one become words."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Module, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.memory import ReadPort, WritePort
from amaranth.lib.wiring import In, Out

from deltatrain.accel.engine import Engine
from deltatrain.rtl.elementwise.op import CoreOp
from deltatrain.rtl.parts.layouts import word

__all__ = ["Result", "collect", "lane_of", "loss_ports"]


class Result(data.StructLayout):
    """An output of the network: whether there is one (``valid``), its ``value``, and whether it is its op's ``last``.

    Parameters
    ----------
    bits
        Of ``formats.memory``.
    """

    def __init__(self, bits: int) -> None:
        super().__init__({"valid": 1, "value": signed(bits), "last": 1})


def loss_ports(engine: Engine, op: CoreOp) -> dict[str, Any]:
    """Return the members of a loss's gates for ops of shape `op`, as `rtl.elementwise.loss.Loss` describes them."""
    logits = word(engine.formats.memory.bits, engine.lanes)
    gradients = word(engine.formats.gradient.bits, engine.lanes)
    return {
        "valid": In(1),
        "op": In(op),
        "ends": Out(1),
        "memory": In(ReadPort.Signature(addr_width=1 + op["memory"].width, shape=logits)),
        "result": Out(Result(engine.formats.memory.bits)),
        "new_gradient": In(WritePort.Signature(addr_width=op.gradient_place.width, shape=gradients)),
    }


def lane_of(word: Any, lane: Value) -> Value:
    """Return the value in `lane` of `word`: a choice among its lanes, and no shift by a product."""
    return Array(word[k] for k in range(1 << len(lane)))[lane]


def collect(m: Module, port: WritePort, gradient: Value, made: Value, of: Any) -> None:
    """Collect gradients into words, and write each word when it is whole; lanes behind the last one become zero.

    Parameters
    ----------
    port
        To the memory of g(M).
    gradient, made
        A gradient, and whether there is one in this cycle.
    of
        Whose it is: members `lane`, `ends_word` and `place`, as of `rtl.elementwise.loss.Look`.
    """
    collected = Signal.like(port.data, name="collected")
    m.d.comb += port.data.eq(collected)
    m.d.sync += [port.en.eq(made & of.ends_word), port.addr.eq(of.place)]
    with m.If(made):
        for lane in range(len(port.data.as_value()) // len(port.data[0])):
            with m.If(of.lane == lane):
                m.d.sync += collected[lane].eq(gradient)
            with m.Elif(of.lane == 0):
                m.d.sync += collected[lane].eq(0)
