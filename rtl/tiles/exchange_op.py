"""What the exchange between tiles is told to do, and what comes out of it."""

from __future__ import annotations

from amaranth.hdl import signed, unsigned
from amaranth.lib import data, enum
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Formats
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.parts.layouts import INDEX_BITS

__all__ = ["Arrival", "ExchangeKind", "ExchangeOp"]


class ExchangeKind(enum.Enum, shape=unsigned(2)):
    """What passes through the exchange."""

    LIST = 0
    """The tiles' fragments of a list, one tile after the other."""
    SUMS = 1
    """What each tile's `matvec_t` summed for each entry of a list."""
    LOGITS = 2
    """What each tile's columns of the read-out add to each logit."""


class ExchangeOp(data.StructLayout):
    """One op of the exchange.

    Members
    -------
    kind : ExchangeKind
        What passes. Sums need no other member: they come in the order in which `matvec_t` made them.
    fragment : unsigned
        LIST: number of the list among each tile's own, those that it made or loaded.
    learning : unsigned(1)
        LIST: whether gradient-only neurons pass behind the spikes of each tile; present where neurons spike.
    list, place : unsigned
        LIST: number of the received list, and where its first entry goes.
    logits, classes : unsigned
        LOGITS: first word in M, and how many there are.
    bank : unsigned(1)
        LOGITS: in which bank of M they are.
    """

    def __init__(self, sizes: TileSizes) -> None:
        super().__init__(
            {
                "kind": ExchangeKind,
                "fragment": unsigned(ceil_log2(sizes.own_lists)),
                **({"learning": 1} if sizes.spikes else {}),
                "list": unsigned(ceil_log2(sizes.received_lists)),
                "place": unsigned(ceil_log2(sizes.received_entries)),
                "logits": unsigned(ceil_log2(max(sizes.accumulator_words, 2))),
                "classes": unsigned(INDEX_BITS + 1),
                "bank": 1,
            }
        )


class Arrival(data.StructLayout):
    """What comes out of the exchange in one cycle, at every tile.

    Members
    -------
    kind : ExchangeKind
        What it is part of.
    work : unsigned(1)
        Whether an item comes; the members behind `list` mean something only if so.
    ends : unsigned(1)
        Whether it is the op's last, or an op of no items passes.
    number : unsigned(INDEX_BITS)
        Items of the op that came before.
    list, place : unsigned
        As in `ExchangeOp`.
    index : unsigned(INDEX_BITS)
        Element, among those of all tiles, or class.
    tile, local : unsigned
        The tile that has this element, and the element's index among that tile's own; of a class they mean nothing.
    value : signed
        Delta, gradient or logit, in its format; as wide as the widest. Of a spike 1, of a gradient-only neuron 0.
    """

    def __init__(self, formats: Formats, sizes: TileSizes) -> None:
        op = ExchangeOp(sizes)
        super().__init__(
            {
                "kind": ExchangeKind,
                "work": 1,
                "ends": 1,
                "number": unsigned(INDEX_BITS),
                "list": op["list"].shape,
                "place": op["place"].shape,
                "index": unsigned(INDEX_BITS),
                "tile": unsigned(ceil_log2(sizes.tiles)),
                "local": unsigned(INDEX_BITS),
                "value": signed(formats.memory_bits),
            }
        )
