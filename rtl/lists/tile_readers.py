"""The readers of a tile's lists, as engine and fetch have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deltatrain.accel.engine import Engine
from deltatrain.rtl.lists.column_table import table_port
from deltatrain.rtl.lists.entry_reader import EntryReader

if TYPE_CHECKING:
    from deltatrain.rtl.commands.sizes import TileSizes

__all__ = ["tile_reader"]


def tile_reader(engine: Engine, sizes: TileSizes, array: int = 0, **told: Any) -> EntryReader:
    """Return the reader of an array's lists; `told` is what else `EntryReader` is told."""
    activation = engine.formats.activation
    return EntryReader(
        value_bits=activation.bits,
        lanes=engine.lanes,
        ring_depth=sizes.entry_places,
        lists=sizes.list_numbers,
        vector_words=sizes.vector_words,
        one=min(1 << activation.fraction_bits, activation.highest),
        array=array,
        arrays=engine.arrays,
        table=table_port(sizes),
        spikes=bool(sizes.spikes),
        **told,
    )
