"""What the encoder unit is told to do."""

from __future__ import annotations

from amaranth.hdl import unsigned
from amaranth.lib import data
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.encoder.delta_encoder import ScanOp
from deltatrain.rtl.encoder.value_feed import FeedOp

__all__ = ["EncoderOp"]


class EncoderOp(data.StructLayout):
    """One vector to encode.

    Members
    -------
    feed : FeedOp
        Where it is.
    encoder : ScanOp
        What the encoder does with it.
    list : unsigned
        Number of the list that it becomes.
    row : unsigned
        Of a vector of h its step's row in the table of `rtl.elementwise.listed_cap`; present where lists have a cap.
    step : unsigned
        The store of the list, by its step's place in a group; present where there are groups.
    place : unsigned
        Where its entries begin; present where states are kept.
    """

    def __init__(self, engine: Engine, sizes: TileSizes) -> None:
        parts = max(1, engine.lanes // engine.encoder_elements)
        super().__init__(
            {
                "feed": FeedOp(max(sizes.input_words, sizes.vector_words), parts),
                "encoder": ScanOp(engine.formats.activation.bits, sizes.held_words, restores=sizes.restores_sums),
                "list": unsigned(ceil_log2(sizes.lists)),
                **({"row": unsigned(ceil_log2(sizes.rooms))} if sizes.rooms else {}),
                **({"step": range(sizes.group_steps)} if sizes.group_steps > 1 else {}),
                **({"place": unsigned(ceil_log2(sizes.list_entries))} if sizes.keeps_states else {}),
            }
        )
