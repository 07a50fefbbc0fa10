"""Backward: s_j = sum over the rows of W[:, j] * g(M), by an adder tree over the lanes and a sum over the words."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.engine import Engine
from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.lanes.adder_tree import AdderTree, sum_bits
from deltatrain.rtl.lanes.modes import Inputs
from deltatrain.rtl.lanes.op import Mode, Underway
from deltatrain.rtl.parts.layouts import INDEX_BITS, Entry
from deltatrain.rtl.parts.number import fit, rescale

__all__ = ["MatvecT", "factors"]


def factors(inputs: Inputs) -> tuple[Value, Value]:
    """Return weight and gradient."""
    return inputs.weight, inputs.gradient


class MatvecT(Component):
    """The adder tree and the running sum of one column.

    Stages as in `rtl.lanes.unit`, for a word that is issued in stage 0, with L levels of the tree:

        3 to 2 + L  the tree
        3 + L       add to the column's sum, fit
        4 + L       round the sum after the column's last word, hand it on

    Parameters
    ----------
    engine
        Lanes and formats.
    accumulator_words
        Words of P accumulators in one bank.
    product_bits
        Width of a product.
    result
        What sums are rounded to.

    Attributes
    ----------
    word : In(Underway)
        The word in stage 3.
    products : In(signed(product_bits)).array(P)
        Its products.
    push : Out(1)
        Whether there is a result; its column's last word is in stage 4 + L.
    result : Out(Entry)
        Column and gradient.
    last : Out(1)
        Whether it is the op's last.
    """

    def __init__(self, *, engine: Engine, accumulator_words: int, product_bits: int, result: NumberFormat) -> None:
        self._formats, self._rounded = engine.formats, result
        self._lanes = engine.lanes
        super().__init__(
            {
                "word": In(Underway(accumulator_words)),
                "products": In(signed(product_bits)).array(engine.lanes),
                "push": Out(1),
                "result": Out(Entry(result.bits)),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect tree, running sum and rounding."""
        m = Module()
        formats, lanes = self._formats, self._lanes
        bits = formats.weight.bits + formats.gradient.bits
        tag = data.StructLayout({"begins": 1, "ends": 1, "last": 1, "index": INDEX_BITS})
        m.submodules.tree = tree = AdderTree(bits=bits, terms=lanes, tag=tag)
        m.d.comb += [
            tree.active.eq(self.word.work & (self.word.mode == Mode.MATVEC_T)),
            tree.tag.begins.eq(self.word.column_begins),
            tree.tag.ends.eq(self.word.column_ends),
            tree.tag.last.eq(self.word.op_ends),
            tree.tag.index.eq(self.word.index),
        ]
        m.d.comb += [tree.terms[lane].eq(self.products[lane][:bits]) for lane in range(lanes)]
        held = Signal(signed(formats.memory_bits))
        total = Signal(signed(max(formats.memory_bits, sum_bits(bits, lanes)) + 1))
        m.d.comb += total.eq(Mux(tree.sum_tag.begins, 0, held) + tree.sum)
        with m.If(tree.sum_active):
            m.d.sync += held.eq(fit(total, formats.backward_sum))
        m.d.sync += [
            self.push.eq(tree.sum_active & tree.sum_tag.ends),
            self.last.eq(tree.sum_tag.last),
            self.result.index.eq(tree.sum_tag.index),
        ]
        m.d.comb += self.result.value.eq(rescale(held, formats.backward_sum.fraction_bits, self._rounded))
        return m
