"""Where gates keep what a group of steps needs: each step's lists in one of several stores, its g(M) in a bank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.lists.source import SourceKind

__all__ = ["GroupPlaces"]

Fields = dict[str, Any]


class GroupPlaces:
    """Places by how many steps of a sample are done before a step, backward.

    Parameters
    ----------
    sizes
        Of the tile's memories.
    lengths
        Steps of each sample.
    """

    def __init__(self, sizes: TileSizes, lengths: Sequence[int]) -> None:
        self._steps, self._banks, self._lengths = sizes.group_steps, sizes.gradient_banks, lengths
        self._numbers, self._made = sizes.lists, [0] * sizes.group_steps

    def stored(self, sample: int, step: int) -> Fields:
        """Return the number of the next list of a step, and its store, if there are several."""
        store = self._store(sample, step)
        number = self._made[store] % self._numbers
        self._made[store] += 1
        return {"list": number, **({"step": store} if self._steps > 1 else {})}

    def bank(self, sample: int, step: int) -> int:
        """Return in which bank the g(M) of a step is."""
        return (step if self._steps == 1 else self._done(sample, step)) % self._banks

    def first_bank(self, sample: int, step: int) -> int:
        """Return the bank from which lanes count: that of the step in the first store, of the group that ends here."""
        return (self.bank(sample, step) - self._store(sample, step)) % self._banks

    def source(self, sample: int, step: int, is_of_group: bool, told_of: Callable[[int], Fields]) -> Fields:
        """Return where the columns and values of an op come from, by what is told of a step of it alone.

        Where there are groups it is told of each of their stores (`rtl.lists.group_source`). An op of one list reads it
        from the store of its step; what is no list is read by the reader of the first.
        """
        if self._steps == 1:
            return told_of(step)
        if is_of_group:
            first = step + self._store(sample, step)
            return self._merged([told_of(one) for one in range(first, step - 1, -1)])
        told = told_of(step)
        store = self._store(sample, step) if told["kind"] == SourceKind.FIRED else 0
        return self._merged([*[{"kind": SourceKind.VECTOR, "count": 0}] * store, told])

    def _done(self, sample: int, step: int) -> int:
        """Return how many steps of a sample are done backward before this one."""
        return self._lengths[sample] - 1 - step

    def _store(self, sample: int, step: int) -> int:
        """Return in which store the lists of a step are: its place in its group."""
        return self._done(sample, step) % self._steps

    def _merged(self, of_stores: Sequence[Fields]) -> Fields:
        """Return what is told of all stores, those behind the last included, which are not read."""
        lists: list[Fields] = [{} for _ in range(self._steps)]
        whole: Fields = {"kind": SourceKind.VECTOR}
        for store, told in enumerate(of_stores):
            reads = told["kind"] != SourceKind.VECTOR or told["count"] > 0
            lists[store] = {"reads": int(reads), "list": told.get("list", 0), "bias": told.get("bias", 0)}
            whole |= {"width": told.get("width", 0)}
            if reads:
                whole |= {name: told.get(name, 0) for name in ("kind", "base", "count")}
        return whole | {"lists": lists}
