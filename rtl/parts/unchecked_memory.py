"""A memory for which nobody minds what is read of a word in the very cycle in which it is written."""

from __future__ import annotations

from amaranth.hdl import ShapeLike
from amaranth.lib.memory import Memory

__all__ = ["UncheckedMemory"]


class UncheckedMemory(Memory):
    """A memory of words that no port reads while another writes them, or whose reader does not use what it gets then.

    In Amaranth's simulator such a read gives the old word. Block RAM promises nothing, so yosys would add a comparison
    of addresses and a choice behind every bit, unless the memory's attribute says that it need not.

    Parameters
    ----------
    shape
        Shape of a word.
    depth
        Words.
    """

    def __init__(self, *, shape: ShapeLike, depth: int) -> None:
        super().__init__(shape=shape, depth=depth, init=[], attrs={"no_rw_check": True})
