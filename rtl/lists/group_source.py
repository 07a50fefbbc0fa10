"""Where the columns and values of an op come from in a tile that adds the weight gradients of several steps at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import unsigned
from amaranth.lib import data
from amaranth.utils import ceil_log2

from deltatrain.rtl.lists.source import ListSource, SourceKind
from deltatrain.rtl.parts.layouts import INDEX_BITS

if TYPE_CHECKING:
    from deltatrain.rtl.commands.sizes import TileSizes

__all__ = ["GroupSource", "source_of"]


class GroupSource(data.StructLayout):
    """The columns of the lists of a group's steps, in increasing order, each once; or those of one list or vector.

    Parameters
    ----------
    lists
        Numbers of lists in each of the stores.
    vector_words
        Words of the memory of vectors.
    steps
        Most steps of a group, and so many stores of lists.

    Members
    -------
    kind, base, count, width
        As of `rtl.lists.source.ListSource`. All but FIRED are read by the first reader.
    lists : ArrayLayout
        For each store whether a list of it is read, or a vector by its reader (`reads`), which (`list`), and whether
        the bias fired in its step, too (`bias`). The step that is done first is in the first store.
    """

    def __init__(self, lists: int, vector_words: int, steps: int) -> None:
        one = data.StructLayout({"reads": 1, "list": unsigned(ceil_log2(lists)), "bias": 1})
        super().__init__(
            {
                "kind": SourceKind,
                "base": unsigned(ceil_log2(vector_words)),
                "count": unsigned(INDEX_BITS + 1),
                "width": unsigned(INDEX_BITS),
                "lists": data.ArrayLayout(one, steps),
            }
        )


def source_of(sizes: TileSizes) -> ListSource | GroupSource:
    """Return the shape of what ops of a tile read."""
    if sizes.group_steps > 1:
        return GroupSource(sizes.list_numbers, sizes.vector_words, sizes.group_steps)
    return ListSource(sizes.list_numbers, sizes.vector_words, spikes=bool(sizes.spikes), table_rows=sizes.table_rows)
