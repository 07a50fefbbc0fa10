"""Input vectors over a stream: what the tile loads comes from there instead of from memory."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.bus.words import Form
from deltatrain.rtl.parts.layouts import INDEX_BITS

__all__ = ["Sequences"]


class Sequences(Component):
    """Answers each load with the next words of the stream, in the order in which the program loads vectors.

    Nothing is taken from the stream that no load asked for, so it may be offered long before.

    Parameters
    ----------
    form
        How a word lies in an item of the stream, as in memory.

    Attributes
    ----------
    loads : In(stream.Signature(unsigned(INDEX_BITS)))
        How many words each load asks for, at least 1.
    items : In(stream.Signature(8 * form.bytes))
        The stream.
    stops : In(1)
        While high nothing is taken: what a load of a stopped run still asks for belongs to whoever comes next.
    valid : Out(1), word : Out
        A word for the tile, which takes it.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        super().__init__(
            {
                "loads": In(stream.Signature(INDEX_BITS)),
                "items": In(stream.Signature(8 * form.bytes)),
                "stops": In(1),
                "valid": Out(1),
                "word": Out(form.values * form.value_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count the words that are still to come."""
        m = Module()
        left, begins = Signal(INDEX_BITS), Signal()
        m.d.comb += [
            self.loads.ready.eq(left == 0),
            begins.eq(self.loads.valid & self.loads.ready),
            self.items.ready.eq((left != 0) & ~self.stops),
            self.valid.eq(self.items.valid & self.items.ready),
            self.word.eq(self._form.from_bytes(self.items.payload)),
        ]
        m.d.sync += left.eq(Mux(begins, self.loads.payload, left - self.valid))
        return m
