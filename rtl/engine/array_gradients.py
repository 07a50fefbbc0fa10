"""The results of `matvec_t` of several arrays become the gradient of h, each in the memories of its own columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.engine.gradients import Gradients
from deltatrain.rtl.engine.op import ResultsOp
from deltatrain.rtl.parts.layouts import INDEX_BITS, Entry

__all__ = ["ArrayGradients"]


class ArrayGradients(Component):
    """Gives array a of A the elements of vectors that are a modulo A.

    Where A divides P these are the same lanes of every word, and an array keeps every A-th lane. Else any lane may be
    its own: it keeps whole words, in which the elements of others stay zero, so that together they are one word.

    Parameters
    ----------
    lanes
        P.
    gradient, sizes
        As of `rtl.engine.gradients.Gradients`.

    Attributes
    ----------
    op, enter, has_room, g_recurrent, g_above
        As of `rtl.engine.gradients.Gradients`.
    counts : In(ArrayLayout)
        How many results come of each array, in place of the op's count.
    results : In(stream.Signature(Entry(gradient.bits))).array(A)
        The results of all ops, of each array its own.
    """

    def __init__(self, *, lanes: int, gradient: NumberFormat, sizes: TileSizes) -> None:
        arrays = sizes.arrays
        self._interleaves = lanes % arrays == 0  # a power of two then, as P is
        own = lanes // arrays if self._interleaves else lanes
        self._parts = [Gradients(lanes=own, gradient=gradient, sizes=sizes) for _ in range(arrays)]
        whole = Gradients.ports(lanes, gradient, sizes)
        super().__init__(
            {
                "op": In(ResultsOp(sizes)),
                "enter": In(1),
                "has_room": Out(1),
                "counts": In(data.ArrayLayout(INDEX_BITS, arrays)),
                "results": In(stream.Signature(Entry(gradient.bits))).array(arrays),
                "g_above": Out(whole),
                "g_recurrent": Out(whole),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        bits = ceil_log2(len(self._parts)) if self._interleaves else 0
        for number, part in enumerate(self._parts):
            m.submodules[f"array_{number}"] = part
            result = self.results[number]
            m.d.comb += [
                part.op.eq(self.op),
                part.op.adjoint.count.eq(self.counts[number]),
                part.enter.eq(self.enter),
                part.results.valid.eq(result.valid),
                result.ready.eq(part.results.ready),
                part.results.payload.index.eq(result.payload.index[bits:]),
                part.results.payload.value.eq(result.payload.value),
            ]
        for name in ("g_above", "g_recurrent"):
            self._join(m, getattr(self, name), [getattr(part, name) for part in self._parts])
        room = self._parts[0].has_room
        for part in self._parts[1:]:
            room = room & part.has_room
        m.d.comb += self.has_room.eq(room)
        return m

    def _join(self, m: Module, port: Any, inside: Sequence[Any]) -> None:
        """Let a port of whole words read what the arrays have of them."""
        for number, part in enumerate(inside):
            m.d.comb += [part.addr.eq(port.addr), part.en.eq(port.en)]
            if self._interleaves:
                m.d.comb += [port.data[len(inside) * k + number].eq(value) for k, value in enumerate(part.data)]
        if not self._interleaves:
            m.d.comb += port.data.as_value().eq(reduce(or_, (part.data.as_value() for part in inside)))
