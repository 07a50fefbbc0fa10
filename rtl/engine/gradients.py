"""The results of `matvec_t` become the gradient of h: from the step after, and from the layer above."""

from __future__ import annotations

from amaranth.hdl import Module, Value
from amaranth.lib import stream
from amaranth.lib.memory import ReadPort
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.engine.adjoint import DeltaAdjoint
from deltatrain.rtl.engine.op import ResultsOp, Stream
from deltatrain.rtl.parts.layouts import Entry, word
from deltatrain.rtl.parts.registered_queue import RegisteredQueue

__all__ = ["Gradients"]

_OPS = 8


class Gradients(Component):
    """Gives each result to the adjoint of its op, in the order of the ops.

    Clearing g(x-hat) takes a cycle a word and would hold results up. Ops of the forward pass have no results, so they
    bring the clearing that the backward pass of their sample needs.

    Parameters
    ----------
    lanes
        P.
    gradient
        Format of gradients.
    sizes
        Of the tile's memories.
    has_recurrent
        Whether there are gradients for the step before; else the port ``g_recurrent`` is absent.

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
        The gradients. A word that was read is zero until it is written again.
    """

    def __init__(
        self,
        *,
        lanes: int,
        gradient: NumberFormat,
        sizes: TileSizes,
        has_recurrent: bool = True,
    ) -> None:
        depth = sizes.vector_words
        self._above = DeltaAdjoint(lanes=lanes, gradient=gradient, depth=depth)
        self._recurrent = DeltaAdjoint(lanes=lanes, gradient=gradient, depth=depth) if has_recurrent else None
        port = self.ports(lanes, gradient, sizes)
        super().__init__(
            {
                "op": In(ResultsOp(sizes)),
                "enter": In(1),
                "has_room": Out(1),
                "results": In(stream.Signature(Entry(gradient.bits))),
                "g_above": Out(port),
                **({"g_recurrent": Out(port)} if has_recurrent else {}),
            }
        )

    @staticmethod
    def ports(lanes: int, gradient: NumberFormat, sizes: TileSizes) -> ReadPort.Signature:
        """Return the port that reads gradients."""
        return ReadPort.Signature(addr_width=ceil_log2(sizes.vector_words), shape=word(gradient.bits, lanes))

    def elaborate(self, platform: object) -> Module:
        """Queue the ops; connect ops and results with the adjoint of the op in front."""
        m = Module()
        m.submodules.ops = ops = RegisteredQueue(shape=self.op.shape(), depth=_OPS)
        m.d.comb += [ops.i.payload.eq(self.op), ops.i.valid.eq(self.enter), self.has_room.eq(ops.i.ready)]
        if self._recurrent is not None:
            m.submodules.recurrent = self._recurrent
            self._hand_on(m, ops, Stream.RECURRENT, self._recurrent, self.g_recurrent)
        m.submodules.above = self._above
        self._hand_on(m, ops, Stream.ABOVE, self._above, self.g_above)
        return m

    def _hand_on(self, m: Module, ops: RegisteredQueue, stream: int, adjoint: DeltaAdjoint, port: ReadPort) -> None:
        """Connect an adjoint with the ops of its stream, their results, and the port that reads its gradients."""
        op = ops.o.payload
        m.d.comb += [
            adjoint.ops.payload.eq(op.adjoint),
            adjoint.results.payload.eq(self.results.payload),
            adjoint.addresses.payload.eq(port.addr),
            adjoint.addresses.valid.eq(port.en),
            Value.cast(port.data).eq(Value.cast(adjoint.words.payload)),
            adjoint.words.ready.eq(1),
        ]
        with m.If(op.stream == stream):
            m.d.comb += [
                adjoint.ops.valid.eq(ops.o.valid),
                ops.o.ready.eq(adjoint.ops.ready),
                adjoint.results.valid.eq(self.results.valid),
                self.results.ready.eq(adjoint.results.ready),
            ]
