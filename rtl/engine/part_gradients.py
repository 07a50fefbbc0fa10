"""The results of `matvec_t` in one of several tiles: summed over all tiles, they return to their own tile."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.fifo import SyncFIFO, SyncFIFOBuffered
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.engine import Formats
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.engine.gradients import Gradients
from deltatrain.rtl.parts.layouts import INDEX_BITS, Entry
from deltatrain.rtl.parts.number import rescale

__all__ = ["PartGradients"]

_OPS = 8


class PartGradients(Component):
    """Keeps what the lanes summed over the tile's own rows until the exchange takes it.

    Each tile has whole columns of the read-out, so gradients of the read-out need no sum and belong to the tile. They
    go to memories of their own and overtake sums that are in flight. No element is written in both memories, so the
    gradient of h is the OR of the two.

    What comes back from the exchange is taken at once. The adjoint has finished all earlier ops by then, because
    clearing g(x-hat) of a sample takes less time than the sample's forward pass.

    Parameters
    ----------
    lanes
        P.
    formats
        Of the engine.
    sizes
        Of the tile's memories.

    Attributes
    ----------
    op, enter, has_room, g_recurrent, g_above
        As in `rtl.engine.gradients.Gradients`; ``op.adjoint.count`` is the length of the whole list.
    own : In(unsigned(INDEX_BITS))
        How many entries of the op's list are elements of this tile.
    results : In(stream.Signature(Entry(memory_bits)))
        What the lanes summed, not rounded.
    sums : Out(stream.Signature(Entry(memory_bits)))
        What is to be added over all tiles.
    sum_counts : Out(stream.Signature(unsigned(INDEX_BITS + 1)))
        How many sums each op has, known when the op begins.
    reduced : In(stream.Signature(Entry(gradient.bits)))
        The sums over all tiles, rounded, of this tile's own elements.
    """

    def __init__(self, *, lanes: int, formats: Formats, sizes: TileSizes) -> None:
        self._formats, self._sizes = formats, sizes
        self._summed = Gradients(lanes=lanes, gradient=formats.gradient, sizes=sizes)
        self._direct = Gradients(lanes=lanes, gradient=formats.gradient, sizes=sizes, has_recurrent=False)
        members = dict(self._summed.signature.members)
        sums = stream.Signature(Entry(formats.memory_bits))
        super().__init__(
            members
            | {
                "own": In(unsigned(INDEX_BITS)),
                "results": In(sums),
                "sums": Out(sums),
                "sum_counts": Out(stream.Signature(unsigned(INDEX_BITS + 1))),
                "reduced": In(stream.Signature(Entry(formats.gradient.bits))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        m.submodules.summed, m.submodules.direct = self._summed, self._direct
        sums = self._enter(m)
        self._route(m, sums)
        connect(m, flipped(self.reduced), self._summed.results)
        connect(m, flipped(self.g_recurrent), self._summed.g_recurrent)
        above = self._direct.g_above, self._summed.g_above
        m.d.comb += [
            *(port.en.eq(self.g_above.en) for port in above),
            *(port.addr.eq(self.g_above.addr) for port in above),
            Value.cast(self.g_above.data).eq(Value.cast(above[0].data) | Value.cast(above[1].data)),
        ]
        return m

    def _enter(self, m: Module) -> Signal:
        """Give each adjoint its ops, and the exchange the number of sums; return whether there are any."""
        m.submodules.counts = counts = SyncFIFO(width=INDEX_BITS + 1, depth=_OPS)
        direct, sums = Signal(), Signal()
        m.d.comb += [
            direct.eq(self._is_direct),
            sums.eq(~direct & (self.op.adjoint.clear_words == 0)),
            self._direct.op.eq(self.op),
            self._direct.enter.eq(self.enter & direct),
            self._summed.op.eq(self.op),
            self._summed.op.adjoint.count.eq(Mux(sums, self.own, 0)),
            self._summed.enter.eq(self.enter & ~direct),
            counts.w_data.eq(self.op.adjoint.count),
            counts.w_en.eq(self.enter & sums),
            self.sum_counts.payload.eq(counts.r_data),
            self.sum_counts.valid.eq(counts.r_rdy),
            counts.r_en.eq(self.sum_counts.ready),
        ]
        return sums

    @property
    def _is_direct(self) -> Value:
        """Whether the op that enters is of the read-out."""
        is_direct: Value = self.op.of_readout if self._sizes.spikes else self.op.adjoint.direct
        return is_direct

    def _route(self, m: Module, sums: Signal) -> None:
        """Route the lanes' results: round those of the read-out here, let the others wait to be summed."""
        route = data.StructLayout({"direct": 1, "count": INDEX_BITS})
        m.submodules.routes = routes = SyncFIFO(width=route.size, depth=_OPS)
        width = self.sums.payload.shape().size
        m.submodules.waiting = waiting = SyncFIFOBuffered(width=width, depth=self._sizes.waiting_sums)
        entering, front = Signal(route), data.View(route, routes.r_data)
        passed, passes, last = Signal(INDEX_BITS), Signal(), Signal()
        comes, formats = Signal(), self._formats
        m.d.comb += [
            entering.direct.eq(self._is_direct),
            entering.count.eq(self.op.adjoint.count),
            routes.w_data.eq(entering),
            routes.w_en.eq(self.enter & (self.op.adjoint.count != 0)),
            self.has_room.eq(routes.w_rdy & self._direct.has_room & self._summed.has_room & m.submodules.counts.w_rdy),
            comes.eq(self.results.valid & routes.r_rdy),
            self._direct.results.valid.eq(comes & front.direct),
            self._direct.results.payload.index.eq(self.results.payload.index),
            self._direct.results.payload.value.eq(
                rescale(self.results.payload.value, formats.backward_sum.fraction_bits, formats.gradient)
            ),
            waiting.w_en.eq(comes & ~front.direct),
            waiting.w_data.eq(self.results.payload),
            self.results.ready.eq(routes.r_rdy & Mux(front.direct, self._direct.results.ready, waiting.w_rdy)),
            passes.eq(comes & self.results.ready),
            last.eq(passed + 1 == front.count),
            routes.r_en.eq(passes & last),
            Value.cast(self.sums.payload).eq(waiting.r_data),
            self.sums.valid.eq(waiting.r_rdy),
            waiting.r_en.eq(self.sums.ready),
        ]
        with m.If(passes):
            m.d.sync += passed.eq(Mux(last, 0, passed + 1))
