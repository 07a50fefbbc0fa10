"""Where the results of `matvec_t` go: the gradient of h from the step after, and from the layer above."""

from __future__ import annotations

from amaranth.hdl import Module, Value
from amaranth.lib import data, stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import ReadPort
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.engine.adjoint import DeltaAdjoint
from deltatrain.rtl.engine.op import ResultsOp, Stream
from deltatrain.rtl.parts.layouts import Entry, word

__all__ = ["Gradients"]

_OPS = 8


class Gradients(Component):
    """Gives each result to the adjoint of its op, in the order of the ops.

    Clearing g(x-hat), one word a cycle, would keep results waiting. So ops of the forward pass, which have no results,
    bring what must be cleared before the backward pass of their sample.

    Parameters
    ----------
    lanes
        P.
    gradient
        Format of gradients.
    sizes
        Of the tile's memories.
    streams
        Whose gradients there are, names in `rtl.engine.op.Stream`; the ports of the others are left out.

    Attributes
    ----------
    op : In(ResultsOp)
        Where the results of an op go.
    enter : In(1)
        Take it; only while `has_room`.
    has_room : Out(1)
        Whether another op can be taken.
    results : In(stream.Signature(Entry(gradient.bits)))
        The results of all ops.
    g_recurrent, g_above : Out(ReadPort.Signature)
        The gradients, given once: a word that was read is zero until it is written again.
    """

    def __init__(
        self,
        *,
        lanes: int,
        gradient: NumberFormat,
        sizes: TileSizes,
        streams: tuple[str, ...] = ("recurrent", "above"),
    ) -> None:
        depth = sizes.vector_words
        self._adjoints = {name: DeltaAdjoint(lanes=lanes, gradient=gradient, depth=depth) for name in streams}
        port = ReadPort.Signature(addr_width=ceil_log2(depth), shape=word(gradient.bits, lanes))
        super().__init__(
            {
                "op": In(ResultsOp(sizes)),
                "enter": In(1),
                "has_room": Out(1),
                "results": In(stream.Signature(Entry(gradient.bits))),
                **{f"g_{name}": Out(port) for name in streams},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Queue the ops; connect ops and results with the adjoint of the op in front."""
        m = Module()
        shape = self.op.shape()
        m.submodules.ops = ops = SyncFIFO(width=shape.size, depth=_OPS)
        op = data.View(shape, ops.r_data)
        m.d.comb += [ops.w_data.eq(self.op), ops.w_en.eq(self.enter), self.has_room.eq(ops.w_rdy)]
        for name, adjoint in self._adjoints.items():
            port = getattr(self, f"g_{name}")
            m.submodules[name] = adjoint
            m.d.comb += [
                adjoint.ops.payload.eq(op.adjoint),
                adjoint.results.payload.eq(self.results.payload),
                adjoint.addresses.payload.eq(port.addr),
                adjoint.addresses.valid.eq(port.en),
                Value.cast(port.data).eq(Value.cast(adjoint.words.payload)),
                adjoint.words.ready.eq(1),
            ]
            with m.If(op.stream == getattr(Stream, name.upper())):
                m.d.comb += [
                    adjoint.ops.valid.eq(ops.r_rdy),
                    ops.r_en.eq(adjoint.ops.ready),
                    adjoint.results.valid.eq(self.results.valid),
                    self.results.ready.eq(adjoint.results.ready),
                ]
        return m
