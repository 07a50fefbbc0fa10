"""The exact sum over the lanes of a word, by a tree of adders with a register at each level."""

from __future__ import annotations

from amaranth.hdl import Module, ShapeLike, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.delay import delayed

__all__ = ["AdderTree", "levels", "sum_bits"]


def levels(terms: int) -> int:
    """Return the levels of a tree over `terms`: log2, rounded up."""
    return (terms - 1).bit_length()


def sum_bits(bits: int, terms: int) -> int:
    """Return the width of a sum of `terms` signed values of `bits`, when a level adds one bit."""
    return bits + levels(terms)


class AdderTree(Component):
    """The sum of one word in each cycle, `levels(terms)` cycles after it, together with what belongs to the word.

    Parameters
    ----------
    bits
        Width of a term, signed.
    terms
        Terms, any number of at least 1.
    tag
        Shape of what travels beside the terms.

    Attributes
    ----------
    terms : In(signed(bits)).array(terms)
        What to add.
    active : In(1)
        Whether there are terms. Where there are none nothing is added: registers keep what they have.
    tag : In(tag)
        What belongs to `terms`.
    sum : Out(signed(sum_bits(bits, terms)))
        Their sum.
    sum_active : Out(1)
        Whether there is a sum.
    sum_tag : Out(tag)
        What belongs to `sum`.
    """

    def __init__(self, *, bits: int, terms: int, tag: ShapeLike) -> None:
        check_at_least("bits", bits, 1)
        check_at_least("terms", terms, 1)
        self._terms = terms
        super().__init__(
            {
                "terms": In(signed(bits)).array(terms),
                "active": In(1),
                "tag": In(tag),
                "sum": Out(signed(sum_bits(bits, terms))),
                "sum_active": Out(1),
                "sum_tag": Out(tag),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Add in pairs, level after level; who is left over waits for the next level."""
        m = Module()
        level, active, tag = list(self.terms), self.active, self.tag
        while len(level) > 1:
            pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
            level = []
            for number, pair in enumerate(pairs):
                added = Signal(signed(max(len(term) for term in pair) + 1), name=f"sum_of_{len(pairs)}_{number}")
                with m.If(active):
                    m.d.sync += added.eq(sum(pair[1:], start=pair[0]))
                level.append(added)
            later = Signal.like(tag, name=f"tag_of_{len(pairs)}")
            m.d.sync += later.eq(tag)
            active, tag = delayed(m, active, 1), later
        m.d.comb += [self.sum.eq(level[0]), self.sum_active.eq(active), self.sum_tag.eq(tag)]
        return m
